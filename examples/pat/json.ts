/** `patc plan --json`. */
import { entryInts } from './packlist.ts';
import type { Plan } from './plan.ts';
import { summarise } from './summary.ts';
import { mergeInts, packInts, packRows } from './tables.ts';

/** The plan of `plan --json`; coverage must have been proven. */
export function planDocument(plan: Plan, planUs: number): Record<string, unknown> {
  const { tables, batch } = plan;
  const parts: number[][] = Array.from({ length: batch.lengths.length }, () => []);
  for (let i = 0; i < tables.merges.length; i += mergeInts)
    for (let s = 0; s < tables.merges[i + 2]!; s++) parts[tables.merges[i]!]!.push(tables.merges[i + 1]! + s);
  return {
    plan: summarise(plan, planUs),
    coverage: 'exact',
    parts,
    packs: Array.from({ length: packRows(tables) }, (_, p) => packDocument(plan, p)),
  };
}

function packDocument({ tables }: Plan, p: number) {
  const [begin, count, entryBegin, entryEnd] = tables.packs.subarray(
    p * packInts,
    (p + 1) * packInts,
  ) as unknown as [number, number, number, number];
  const entries = [];
  for (let e = entryBegin; e < entryEnd; e++) {
    const [, from, to, first, rows] = tables.entries.subarray(
      e * entryInts,
      (e + 1) * entryInts,
    ) as unknown as [number, number, number, number, number];
    if (rows > 0) entries.push({ first, count: rows, from, to });
  }
  return {
    sequences: [...tables.packSequences.subarray(begin, begin + count)],
    tile: tables.shapes.find((s) => p < s.packBase + s.packCount)!.tile,
    slots: [...tables.packSlots.subarray(begin, begin + count)],
    entries,
  };
}
