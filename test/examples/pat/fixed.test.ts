import { describe, expect, it } from 'vitest';
import { coverageFaults } from '../../../examples/pat/coverage.ts';
import { makeFixed, writeFixed } from '../../../examples/pat/fixed.ts';
import { makePlan } from '../../../examples/pat/plan.ts';
import { mergeInts, packInts, type PlanTables } from '../../../examples/pat/tables.ts';
import type { FixedTables } from '../../../examples/pat/fixed.ts';
import { batchOf, costsFor, tileSets } from './helpers.ts';
import { decodeSteps } from './steps.ts';

/** What a fixed table says, with its unused rows taken out. */
function compact(f: FixedTables): PlanTables {
  const packs: number[] = [];
  const shapes = [];
  for (const { tile, packBase, packCount } of f.shapes) {
    const used = [...Array(packCount).keys()].filter((i) => f.packs[(packBase + i) * packInts + 1]! > 0);
    if (used.length > 0) shapes.push({ tile, packBase: packs.length / packInts, packCount: used.length });
    for (const i of used)
      packs.push(...f.packs.subarray((packBase + i) * packInts, (packBase + i + 1) * packInts));
  }
  let rows = 0;
  let entries = 0;
  for (let i = 0; i < packs.length; i += packInts) {
    rows = Math.max(rows, packs[i]! + packs[i + 1]!);
    entries = Math.max(entries, packs[i + 3]!);
  }
  const merges = [...Array(f.merges.length / mergeInts).keys()].filter(
    (i) => f.merges[i * mergeInts + 2]! > 0,
  ).length;
  return {
    packs: Int32Array.from([...packs, 0, 0, 0, 0]),
    packSequences: f.packSequences.subarray(0, rows),
    packSlots: f.packSlots.subarray(0, rows),
    entries: f.entries.subarray(0, entries * 5),
    merges: f.merges.subarray(0, merges * mergeInts),
    slots: f.packSlots.reduce((most, s) => Math.max(most, s + 1), 0),
    shapes,
  };
}

describe('tables of fixed capacity', () => {
  it('hold every step of a run in the same arrays, and nothing of the step before', () => {
    for (let seed = 0; seed < 40; seed++) {
      const batches = decodeSteps(seed, 4);
      const costs = costsFor(batches[0]!, tileSets[seed % 5]!);
      const fixed = makeFixed(
        { packs: 500, rows: 3000, entries: 3000, merges: 300, slots: 3000 },
        costs.tiles,
      );
      for (const batch of batches) {
        writeFixed(makePlan(batch, costs), fixed);
        expect(coverageFaults(batch, compact(fixed)), `seed ${seed}`).toEqual([]);
        expect([...fixed.packs.subarray(-4)]).toEqual([0, 0, 0, 0]);
      }
    }
  });

  it('say what does not fit, and stay as they were', () => {
    const batch = batchOf(
      16,
      [...Array(9).keys()].map((i) => ({ length: 16, pages: [i] })),
    );
    const costs = costsFor(batch, tileSets[1]!);
    const fixed = makeFixed({ packs: 1, rows: 4, entries: 100, merges: 0, slots: 0 }, costs.tiles);
    const before = structuredClone(fixed);
    expect(() => writeFixed(makePlan(batch, costs), fixed)).toThrow(
      /PAT0509 .* needs \d+ packs \(room for 1\), 9 rows \(room for 4\)/,
    );
    expect(fixed).toEqual(before);
  });
});
