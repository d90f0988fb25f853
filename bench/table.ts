/** A result as text. */
import { bestPeer, peerOf, summarise, type Peers } from './peers.ts';
import type { BenchResult, BenchRow } from './results.ts';

const us = (x: number | null | undefined): string =>
  x === null || x === undefined ? '-' : x >= 1000 ? x.toFixed(0) : x.toFixed(1);
const ratio = (x: number | null | undefined): string => (x === null || x === undefined ? '-' : x.toFixed(2));

function tiles(row: BenchRow): string {
  return row.kernels
    .filter((k) => 'm' in k.tile)
    .map((k) => `${k.tile['m']}x${k.tile['n']}${k.tile['stages'] ? `/${k.tile['stages']}` : ''}`)
    .join(' ');
}

export function tableText(result: BenchResult, peers?: Peers): string {
  const head = [
    'tree',
    'heads',
    'floor',
    'event',
    'graph',
    'cold',
    'ev/fl',
    'gr/fl',
    'PAT',
    'best',
    'tiles',
    '',
  ];
  const body = result.rows.map((row) => {
    const peer = peerOf(peers, row);
    const best = peer && bestPeer(peer);
    const shape = `${row.headDim === 128 ? '' : ` d${row.headDim}`}${row.dtype === 'f16' ? '' : ` ${row.dtype}`}`;
    return [
      row.tree,
      row.heads + shape,
      us(row.floorUs),
      us(row.timeUs),
      us(row.graphUs),
      us(row.coldUs),
      ratio(row.timeUs !== null && row.floorUs !== null ? row.timeUs / row.floorUs : null),
      ratio(row.graphUs !== null && row.floorUs !== null ? row.graphUs / row.floorUs : null),
      us(peer?.pat_us),
      us(best?.us),
      tiles(row),
      row.verified ? '' : (row.error ?? 'NOT VERIFIED'),
    ];
  });
  const widths = head.map((h, i) => Math.max(h.length, ...body.map((line) => line[i]!.length)));
  const left = new Set([0, 1, 10, 11]);
  const show = (line: readonly string[]): string =>
    line
      .map((cell, i) => (left.has(i) ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join('  ')
      .trimEnd();
  return [show(head), ...body.map(show), '', ...summaryLines(result, peers)].join('\n');
}

export function summaryLines(result: BenchResult, peers?: Peers): string[] {
  const s = summarise(result, peers);
  const lines = [
    `${result.suite} on ${result.device}, target ${result.target}: ${s.verified} of ${s.cases} verified${result.complete ? '' : ' (suite not complete)'}`,
    `device reads ${result.readTbPerS?.toFixed(3) ?? '?'} TB/s (measured); floors assume ${result.matrixTflops} TFLOP/s (${result.matrixMethod})`,
    `geometric mean over the floor: event ${ratio(s.eventOverFloor)}, graph ${ratio(s.graphOverFloor)}, cold ${ratio(s.coldOverFloor)}`,
  ];
  if (peers && s.patOverFloor !== undefined)
    lines.push(
      s.sameDevice
        ? `over published PAT: ${ratio(s.overPat)}; slower than PAT in ${s.slowerThanPat}, than the best peer in ${s.slowerThanBestPeer}`
        : `peers were measured on ${peers.device}, PAT at ${ratio(s.patOverFloor)} of its floor there: floor ratios compare at ${ratio(s.overPatByFloor)}; by that measure slower than PAT in ${s.slowerThanPat}, than the best peer in ${s.slowerThanBestPeer} (microseconds do not compare across devices)`,
    );
  return lines;
}
