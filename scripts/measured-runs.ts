/**
 * Recorded runs of tile shapes (bench/sweep.ts, bench/cells.ts) as the cost model's fit takes them. A file is a JSON document
 * with `rows`, or JSON lines.
 */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { anyTile } from '../bench/any-tile.ts';
import { Lowering } from '../compiler/cli/lowering.ts';
import type { KernelTemplate, Spec, Tile } from '../compiler/program.ts';
import { fail } from '../compiler/diagnostics/error.ts';
import { findTarget } from '../compiler/target.ts';
import type { LaunchWork } from '../compiler/work.ts';
import { configure, isRefused, withRegisters, type Configuration } from '../compiler/tune/configuration.ts';
import { describedBy, figureOf, type DeviceDescription } from '../compiler/tune/devices.ts';
import type { MeasuredRun } from '../compiler/tune/fit.ts';
import { forward, merge, pat } from '../examples/pat/index.ts';

const block = z.object({
  rows: z.number(),
  tokens: z.number(),
  active: z.number().optional(),
  pieces: z.number().optional(),
  count: z.number(),
});

const row = z.object({
  tree: z.string(),
  heads: z.string(),
  headDim: z.number(),
  page: z.number(),
  dtype: z.string(),
  target: z.string(),
  tile: z.record(z.string(), z.number()),
  producers: z.number().default(0),
  graphUs: z.number(),
  verified: z.boolean().optional(),
  registers: z.array(z.number()).optional(),
  cell: z.object({ rows: z.number(), tokens: z.number() }).optional(),
  launches: z
    .array(z.object({ kernel: z.string(), bytes: z.number(), blocks: z.array(block) }))
    .optional()
    .describe('what the plan of the time asked of the device; plans change, times do not'),
});

export type MeasuredRow = z.infer<typeof row>;

export interface Recorded {
  readonly device: string;
  /** What was measured, and how: more than one where a file was gone on with. */
  readonly commit: string;
  readonly command: string;
  readonly rows: readonly MeasuredRow[];
}

/** The lines that are whole: a killed run leaves half a one. */
export const jsonLines = (text: string): unknown[] =>
  text.split('\n').flatMap((line) => {
    try {
      return [JSON.parse(line) as unknown];
    } catch {
      return [];
    }
  });

export function readRecorded(file: string): Recorded {
  const text = readFileSync(file, 'utf8');
  const whole = (): Omit<Recorded, 'rows'> & { rows: unknown[] } => {
    try {
      return JSON.parse(text) as Omit<Recorded, 'rows'> & { rows: unknown[] };
    } catch {
      const lines = jsonLines(text) as Record<string, unknown>[];
      const all = (key: string): string => [...new Set(lines.map((l) => l[key] ?? 'unknown'))].join('; ');
      const rows = lines.filter((l) => 'graphUs' in l);
      return { device: all('device'), commit: all('commit'), command: all('command'), rows };
    }
  };
  const { rows, ...of } = whole();
  return { ...of, rows: rows.map((r) => row.parse(r)).filter((r) => r.verified !== false) };
}

export interface Runs {
  readonly device: DeviceDescription;
  readonly family: 'cuda' | 'wgsl';
  readonly runs: readonly MeasuredRun[];
}

export function runsOf({ device: name, rows }: Pick<Recorded, 'device' | 'rows'>): Runs {
  const family = rows[0]!.target.startsWith('wgsl') ? 'wgsl' : 'cuda';
  const device = describedBy(family, name) ?? fail('PAT0601', `no figures are known of the device '${name}'`);
  const lowerings = new Map<string, Lowering>();
  const known = new Map<string, Configuration>();
  const runs = rows.map((row): MeasuredRun => {
    const target = findTarget(row.target)!;
    const lowering = lowerings.get(row.target) ?? new Lowering(target);
    lowerings.set(row.target, lowering);
    const tile: Tile = { ...row.tile, producers: row.producers };
    const [q, kv] = row.heads.split('/').map(Number) as [number, number];
    const spec: Spec = {
      headDim: row.headDim,
      group: q / kv,
      kvHeads: kv,
      page: row.page,
      dtype: row.dtype,
    };
    const works = row.launches
      ? row.launches.map(({ kernel, ...work }): LaunchWork =>
          kernel === forward.name
            ? { template: forward, tile, ...withoutUndefined(work) }
            : { template: merge, tile: lowering.feasible(merge, spec)[0]!, ...withoutUndefined(work) },
        )
      : planned(row, tile, lowering, device);
    const launches = works.map((work, i) => {
      const template = work.template === forward ? anyTile : work.template;
      const key = JSON.stringify([row.target, spec, work.template.name, work.tile]);
      const found = known.get(key) ?? configured(lowering, template, spec, work.tile);
      known.set(key, found);
      // The real registers decide how many blocks a unit holds.
      const registers = row.registers?.[i];
      return { work, configuration: registers ? withRegisters(found, registers, 0) : found };
    });
    return { group: `${row.tree} ${row.heads}`, fold: row.tree, device, launches, us: row.graphUs };
  });
  return { device, family, runs };
}

function configured(lowering: Lowering, template: KernelTemplate, spec: Spec, tile: Tile): Configuration {
  const found = configure(lowering, template, spec, tile);
  if (isRefused(found)) throw new Error(`${JSON.stringify(tile)}: ${found.diagnostic.message}`);
  return found;
}

type Work = Pick<LaunchWork, 'bytes' | 'blocks'>;
const withoutUndefined = (
  work: z.infer<typeof row>['launches'] extends (infer L)[] | undefined ? Omit<L, 'kernel'> : never,
): Work => JSON.parse(JSON.stringify(work)) as Work;

/** For records of before plans were kept: as this checkout plans. */
function planned(row: MeasuredRow, tile: Tile, lowering: Lowering, device: DeviceDescription): LaunchWork[] {
  const report = pat.plan!({
    workload: row.tree,
    seed: 1,
    spec: {},
    flags: { heads: row.heads, headDim: String(row.headDim), page: String(row.page), dtype: row.dtype },
    device: {
      family: lowering.target.family,
      units: figureOf(device, 'units'),
      feasible: (template, spec) => (template === forward ? [tile] : [lowering.feasible(template, spec)[0]!]),
    },
    verify: false,
  });
  return [...report.work!];
}
