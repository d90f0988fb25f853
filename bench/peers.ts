/** Recorded times of published kernels, and how a result compares with them. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { fail } from '../compiler/diagnostics/error.ts';
import type { BenchResult, BenchRow } from './results.ts';

const peersSchema = z.object({
  device: z.string(),
  dtype: z.string(),
  head_dim: z.number(),
  page: z.number(),
  rows: z.array(
    z
      .object({ tree: z.string(), heads: z.string(), floor_us: z.number(), pat_us: z.number().nullish() })
      .catchall(z.unknown()),
  ),
});

export type Peers = z.infer<typeof peersSchema>;
export type PeerRow = Peers['rows'][number];

/** @throws PAT0604 where there is no such file, PAT0601 where it is not a record of peers. */
export function readPeers(file: string): Peers {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    return fail('PAT0604', `cannot read ${file}`, { notes: [{ text: (error as Error).message }] });
  }
  try {
    return peersSchema.parse(JSON.parse(text));
  } catch (error) {
    const why = error instanceof z.ZodError ? z.prettifyError(error) : (error as Error).message;
    return fail('PAT0601', `${file} is not a record of peers' times`, {
      notes: why.split('\n').map((line) => ({ text: line })),
    });
  }
}

export const peerOf = (peers: Peers | undefined, row: BenchRow): PeerRow | undefined =>
  peers && peers.dtype === row.dtype && peers.head_dim === row.headDim && peers.page === row.page
    ? peers.rows.find((p) => p.tree === row.tree && p.heads === row.heads)
    : undefined;

/** The fastest published kernel of a case by event timing, PAT among them. */
export function bestPeer(row: PeerRow): { name: string; us: number } | undefined {
  const times = ['pat', 'flashinfer', 'cascade', 'fasttree'].flatMap((name) => {
    const us = row[`${name}_us`];
    return typeof us === 'number' ? [{ name, us }] : [];
  });
  return times.sort((a, b) => a.us - b.us)[0];
}

export function geometricMean(values: readonly number[]): number | undefined {
  if (values.length === 0) return undefined;
  return Math.exp(values.reduce((sum, v) => sum + Math.log(v), 0) / values.length);
}

export interface Summary {
  readonly cases: number;
  readonly verified: number;
  readonly eventOverFloor: number | undefined;
  readonly graphOverFloor: number | undefined;
  readonly coldOverFloor: number | undefined;
  /** Microseconds against microseconds: meaningful on the peers' own device only. */
  readonly overPat: number | undefined;
  /** Ours over our floor against PAT's over its own: for another device than the peers'. */
  readonly overPatByFloor: number | undefined;
  readonly patOverFloor: number | undefined;
  readonly slowerThanPat: number;
  readonly slowerThanBestPeer: number;
  readonly sameDevice: boolean;
}

export function summarise(result: BenchResult, peers?: Peers): Summary {
  const timed = result.rows.filter((r) => r.timeUs !== null);
  const over = (pick: (r: BenchRow) => number | null): number | undefined =>
    geometricMean(
      timed.flatMap((r) => {
        const time = pick(r);
        return time !== null && r.floorUs !== null ? [time / r.floorUs] : [];
      }),
    );
  const sameDevice = peers !== undefined && peers.device === result.device;
  const pairs = timed.flatMap((row) => {
    const peer = peerOf(peers, row);
    return peer && typeof peer.pat_us === 'number' ? [{ row, peer, pat: peer.pat_us }] : [];
  });
  const relative = ({ row, peer }: (typeof pairs)[number], us: number): number =>
    sameDevice ? row.timeUs! / us : row.timeUs! / row.floorUs! / (us / peer.floor_us);
  const withFloor = pairs.filter((p) => p.row.floorUs !== null);
  return {
    cases: result.rows.length,
    verified: result.rows.filter((r) => r.verified).length,
    eventOverFloor: over((r) => r.timeUs),
    graphOverFloor: over((r) => r.graphUs),
    coldOverFloor: over((r) => r.coldUs),
    overPat: geometricMean(pairs.map((p) => p.row.timeUs! / p.pat)),
    overPatByFloor: geometricMean(
      withFloor.map((p) => p.row.timeUs! / p.row.floorUs! / (p.pat / p.peer.floor_us)),
    ),
    patOverFloor: geometricMean(pairs.map((p) => p.pat / p.peer.floor_us)),
    slowerThanPat: withFloor.filter((p) => relative(p, p.pat) > 1).length,
    slowerThanBestPeer: withFloor.filter((p) => relative(p, bestPeer(p.peer)!.us) > 1).length,
    sameDevice,
  };
}
