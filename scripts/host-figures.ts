/**
 * Writes the H100's figures of examples/pat/cost.ts into the C++ planner, between its two `figures` marks:
 * `node scripts/host-figures.ts`. A test says when that is due.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { figuresOf } from '../examples/pat/cost.ts';

const file = new URL('../examples/pat/host/patc_plan.cpp', import.meta.url);

/** The source with current figures. */
export function withFigures(source: string): string {
  const f = figuresOf('cuda');
  const rows = f.kernels.map(
    (k) =>
      `    {${[k.m, k.n, k.variant ?? 0, k.tokenNs, k.aloneNs, k.warpNs, k.packNs, k.startNs, k.wMax, k.wMin].join(', ')}},`,
  );
  const device = [f.memoryGBs, f.cacheGBs, f.cacheBytes, f.cachedShare, f.launchNs, f.partialRowNs];
  const lines = [
    '// figures: memory GB/s, L2 GB/s, L2 bytes, share of memory time within L2, launch ns, partial row ns; then the kernels, ascending by m, then n.',
    `constexpr double h100_device[] = {${device.join(', ')}};`,
    'constexpr Kernel h100_kernels[] = {',
    ...rows,
    '};',
    '// end of figures',
  ];
  return source.replace(/\/\/ figures:[\s\S]*\/\/ end of figures/, lines.join('\n'));
}

export const readSource = (): string => readFileSync(file, 'utf8');

if (import.meta.main) writeFileSync(file, withFigures(readSource()));
