/** Steps of two lanes: full wherever they can be, every token once, and refused where a table is not so. */
import { describe, expect, it } from 'vitest';
import { makeBatch } from '../../../examples/pat/batch.ts';
import { coverageFaults } from '../../../examples/pat/coverage.ts';
import { laneTokens, lanesOf } from '../../../examples/pat/lanes.ts';
import { makePlan } from '../../../examples/pat/plan.ts';
import type { PlanTables } from '../../../examples/pat/tables.ts';
import { generateForest } from '../../../examples/pat/workload/generate.ts';
import { batchOf, costsFor, tile } from './helpers.ts';

type Entry = [base: number, from: number, to: number, first: number, count: number];
const entriesOf = (t: PlanTables, p: number): Entry[] => {
  const [begin, end] = [t.packs[4 * p + 2]!, t.packs[4 * p + 3]!];
  return Array.from({ length: end - begin }, (_, i) => {
    const at = 5 * (begin + i);
    return [...t.entries.subarray(at, at + 5)] as Entry;
  });
};

describe('lanes', () => {
  it('are halves of steps that whole pages fill', () => {
    expect([16, 32, 48, 64, 128].map((n) => laneTokens(n, 16))).toEqual([16, 32, 48, 32, 64]);
    expect([1, 2, 16, 32, 48, 64, 128, 24].map((page) => lanesOf(64, page))).toEqual([
      2, 2, 2, 2, 1, 1, 1, 1,
    ]);
  });

  it('leave no step of a pack half empty but one, on 300 random forests', () => {
    let groups = 0;
    for (let seed = 0; seed < 300; seed++) {
      const { input, heads } = generateForest(seed);
      const batch = makeBatch(input, heads);
      const { page } = batch;
      const width = laneTokens(64, page);
      if (width === 64) continue;
      const variant = seed % 2 === 0 ? { variant: 2 } : {};
      const { tables } = makePlan(batch, costsFor(heads, [{ ...tile(128, 64, 3), ...variant }]));
      expect(coverageFaults(batch, tables), `seed ${seed}`).toEqual([]);
      for (let p = 0; p < tables.packs.length / 4 - 1; p++) {
        const entries = entriesOf(tables, p);
        const steps = entries.map(([, from, to]) => Math.ceil((to - (from - (from % page))) / width));
        const taken = steps.filter((_, i) => i % 2 === 0).reduce((a, b) => a + b, 0);
        const needed = steps.reduce((a, b) => a + b, 0);
        expect(taken, `seed ${seed}, pack ${p}`).toBe(Math.ceil(needed / 2));
        groups += taken;
      }
    }
    expect(groups).toBeGreaterThan(1000);
  });

  it('put the leaves of one warp together, of one warpgroup where those multiply together', () => {
    const prompt = [...Array(8).keys()];
    const leaves = Array.from({ length: 16 }, (_, i) => ({
      length: 160,
      pages: [...prompt, 100 + 2 * i, 101 + 2 * i],
    }));
    const batch = batchOf(16, leaves, '64/8');
    const pairs = (variant: number): number[][] => {
      const shape = { ...tile(128, 64, 3), variant };
      const { tables } = makePlan(batch, costsFor(batch, [shape], 1));
      const own = entriesOf(tables, 0).filter((e) => e[4] === 1);
      expect(own).toHaveLength(16);
      return Array.from({ length: 8 }, (_, i) => [own[2 * i]![3], own[2 * i + 1]![3]]);
    };
    // Two sequences of eight rows are a warp's, eight a warpgroup's.
    for (const [a, b] of pairs(0) as [number, number][]) expect(a >> 1).toBe(b >> 1);
    for (const [a, b] of pairs(2) as [number, number][]) expect(a >> 3).toBe(b >> 3);
  });

  it('longer than the first of their group, or empty ones in its place, are refused', () => {
    const planned = (length: number) => {
      const batch = batchOf(16, [{ length, pages: [...Array(7).keys()] }]);
      return { batch, tables: makePlan(batch, costsFor(batch, [tile(16, 64)], 1)).tables };
    };
    const long = planned(100);
    expect(entriesOf(long.tables, 0).map((e) => e.slice(1, 3))).toEqual([
      [0, 64],
      [64, 100],
    ]);
    long.tables.entries[2] = long.tables.entries[6] = 32;
    expect(coverageFaults(long.batch, long.tables).map((f) => f.message)).toEqual([
      'entry 1 takes 3 steps in its lane, the first lane 1',
    ]);
    const short = planned(20);
    expect(entriesOf(short.tables, 0)).toEqual([
      [0, 0, 20, 0, 1],
      [0, 0, 0, 0, 0],
    ]);
    short.tables.entries.set([0, 0, 0, 0, 0, 0, 0, 20, 0, 1]);
    expect(coverageFaults(short.batch, short.tables).map((f) => f.message)).toContain(
      'entry 0 covers nothing, and is no lane that may',
    );
  });
});
