/** Extremes: long, wide, and what they must not depend on. */
import { describe, expect, it } from 'vitest';
import type { Batch } from '../../../examples/pat/batch.ts';
import { coverageFaults } from '../../../examples/pat/coverage.ts';
import { makePlan } from '../../../examples/pat/plan.ts';
import { predict } from '../../../examples/pat/predict.ts';
import { loadWorkload } from '../../../examples/pat/workload/index.ts';
import { batchOf, costsFor, heads, tile } from './helpers.ts';

/** Sequences on one prompt, straight into arrays: page lists of millions of ids. */
function prompted(sequences: number, prompt: number, tail: number, page: number): Batch {
  const [shared, own] = [prompt / page, Math.ceil(tail / page)];
  const pages = new Int32Array(sequences * (shared + own));
  for (let s = 0; s < sequences; s++)
    for (let i = 0; i < shared + own; i++)
      pages[s * (shared + own) + i] = i < shared ? i : shared + s * own + i - shared;
  return {
    ...heads('32/8', 128),
    page,
    pageCount: shared + sequences * own,
    lengths: new Int32Array(sequences).fill(prompt + tail),
    tableBegin: Int32Array.from({ length: sequences }, (_, s) => s * (shared + own)),
    pages,
    source: Int32Array.from({ length: sequences }, (_, s) => s),
  };
}

const exact = (batch: Batch, units = 132) => {
  const plan = makePlan(batch, costsFor(batch, undefined, units));
  expect(coverageFaults(batch, plan.tables)).toEqual([]);
  return plan;
};

describe('extremes', () => {
  it('one sequence of a million tokens fills the machine', () => {
    const plan = exact(prompted(1, 0, 1 << 20, 16));
    const { load } = predict(plan);
    expect(plan.tables.slots).toBeGreaterThanOrEqual(16);
    expect(Math.max(...load) / (load.reduce((a, b) => a + b) / load.length)).toBeLessThan(1.1);
  });

  it('a million-token prompt shared by 2,000', () => {
    const plan = exact(prompted(2000, 1 << 20, 7, 128));
    // Read once per row tile, not once per sequence.
    expect(predict(plan).time).toBeLessThan(
      predict(makePlan(plan.batch, plan.costs, { packing: 'none' })).time / 8,
    );
  });

  it('65,536 sequences with nothing shared', () => {
    const plan = exact(prompted(65536, 0, 33, 16));
    expect(plan.tables.slots).toBe(0);
  });

  it('lengths of 1, and 3,000 duplicates', () => {
    exact(
      batchOf(
        16,
        [...Array(500).keys()].map((i) => ({ length: 1, pages: [i] })),
      ),
    );
    const { tables } = exact(
      batchOf(
        16,
        [...Array(3000).keys()].map(() => ({ length: 40, pages: [1, 2, 3] })),
      ),
    );
    // One entry for all rows, in two lanes.
    expect(tables.entries.length / 5).toBe(2 * (tables.packs.length / 4 - 1));
  });

  it('a sequence nested in another, 2,000 deep', () => {
    const pages = [...Array(2000).keys()];
    exact(
      batchOf(
        1,
        pages.map((i) => ({ length: i + 1, pages: pages.slice(0, i + 1) })),
      ),
    );
  });

  it('several query tokens of one sequence see its tokens causally and share its pages', () => {
    const batch = batchOf(16, [{ length: 40, pages: [1, 2, 3], queries: 4 }]);
    expect([...batch.lengths]).toEqual([37, 38, 39, 40]);
    // With units to spare each would be a pack of its own: one step.
    const { tables } = exact(batch, 1);
    // [0,37) by all queries of a pack, then one token each for fewer and fewer.
    for (let e = 0; e < tables.entries.length; e += 5) {
      const [, from, to, , count] = tables.entries.subarray(e, e + 5) as unknown as number[];
      if (from! >= 37 || count === 0) continue;
      expect(to).toBeLessThanOrEqual(37);
      expect(count).toBeGreaterThanOrEqual(2);
    }
  });

  it('zero lengths only: packs without entries', () => {
    const { tables } = exact(
      batchOf(16, [
        { length: 0, pages: [] },
        { length: 0, pages: [1] },
      ]),
    );
    expect(tables.entries).toHaveLength(0);
    expect([...tables.packSlots]).toEqual([-1, -1]);
  });
});

describe('against the published rule and one query per block', () => {
  const trees = [
    '1,10_4096,416',
    '1,256_256,32',
    '1,1024_2048,32',
    '1,2,64_1024,256,256',
    '1,4,256_32,256,32',
    '1,8,512_32,512,256',
    '1,8,512_32,2048,256',
    '1,8,512_512,512,256',
    '1,4,8,256_32,256,256,32',
    '1,4,16,512_1024,256,128,32',
    '1,4,16,64,256,1024_256,32,256,64,32,256',
    '1,16,32,64,128,1024_256,128,64,32,32,32',
    '1,16,32,64,256,1024_256,128,64,32,32,32',
    '1,8,16,32,64,128,1024_256,128,64,32,32,32,32',
    '1,8,16,32,64,256,1024_256,128,64,32,32,32,32',
    '2,8,16,256_256,256,32,32',
    '4,16,256,512_512,32,128,32',
    '8,16,32,256_512,512,256,32',
    '256_1024',
    '256_4096',
  ];
  it.each(trees)('%s is never predicted slower', (tree) => {
    for (const text of ['32/32', '16/8', '32/8', '64/8', '28/4', '40/8']) {
      const batch = loadWorkload(tree, { heads: text, page: 32 });
      const time = (packing: 'auto' | 'pat' | 'node' | 'none') =>
        predict(makePlan(batch, costsFor(batch), { packing })).time;
      const auto = time('auto');
      for (const other of ['pat', 'node', 'none'] as const)
        expect(auto, `${text} ${other}`).toBeLessThanOrEqual(time(other));
    }
  });
});

describe('batch-invariant mode', () => {
  /** The steps of n tokens and the parts that a sequence's tokens fall into: its order of reduction. */
  const reduction = (batch: Batch, sequence: number): string => {
    const { tables } = makePlan(
      batch,
      costsFor(batch, [tile(16, 32), tile(64, 32), tile(128, 32), tile(128, 128)]),
      { invariantSpan: 512 },
    );
    const parts: string[] = [];
    for (let p = 0; p < tables.packs.length / 4 - 1; p++) {
      const [begin, count, from, to] = tables.packs.subarray(p * 4, p * 4 + 4) as unknown as [
        number,
        number,
        number,
        number,
      ];
      const local = tables.packSequences.subarray(begin, begin + count).indexOf(sequence);
      if (local < 0) continue;
      const { n } = tables.shapes.find((s) => p < s.packBase + s.packCount)!.tile;
      const steps: string[] = [];
      for (let e = from; e < to; e++) {
        const [, low, high, first, rows] = tables.entries.subarray(e * 5, e * 5 + 5) as unknown as [
          number,
          number,
          number,
          number,
          number,
        ];
        if (local < first || local >= first + rows) continue;
        for (let at = low; at < high; at += n) steps.push(`${at}-${Math.min(high, at + n)}`);
      }
      parts.push(
        `${String(tables.packSlots[begin + local]! - tables.packSlots[begin]!).padStart(0)}:${steps.join(' ')}`,
      );
    }
    return parts
      .map((p) => p.slice(p.indexOf(':') + 1))
      .sort()
      .join(' | ');
  };

  it('reduces a sequence in the same order whatever its neighbours are', () => {
    const prompt = [...Array(100).keys()];
    const subject = { length: 1700, pages: [...prompt, ...[...Array(7).keys()].map((i) => 1000 + i)] };
    const alone = reduction(batchOf(16, [subject]), 0);
    for (let others = 1; others < 40; others += 3) {
      const neighbours = [...Array(others).keys()].map((i) => ({
        length: 16 * (3 + 2 * i) + 5,
        pages: [...prompt.slice(0, 3 + i), ...[...Array(2 + 2 * i).keys()].map((j) => 10_000 + 100 * i + j)],
      }));
      const batch = batchOf(16, [subject, ...neighbours]);
      expect(reduction(batch, 0)).toBe(alone);
    }
    // And without the mode it does depend on them, or there would be nothing to offer.
    expect(alone).toContain(' | ');
  });
});
