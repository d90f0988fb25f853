import { describe, expect, it } from 'vitest';
import { makeBatch } from '../../../examples/pat/batch.ts';
import { buildForest } from '../../../examples/pat/forest.ts';
import { forestNodes } from '../../../examples/pat/packers/nodes.ts';
import { generateForest } from '../../../examples/pat/workload/generate.ts';
import { batchOf } from './helpers.ts';

describe('prefix forest', () => {
  it('is token-granular: a sequence may end inside a page that another goes on in', () => {
    const batch = batchOf(16, [
      { length: 20, pages: [4, 9] },
      { length: 24, pages: [4, 9] },
    ]);
    expect(forestNodes(batch, buildForest(batch))).toEqual([
      { from: 0, to: 20, begin: 0, end: 2, parent: -1, ending: 1 },
      { from: 20, to: 24, begin: 1, end: 2, parent: 0, ending: 1 },
    ]);
  });

  it('keeps children in the order of their first sequence, and empty sequences first', () => {
    const batch = batchOf(4, [
      { length: 6, pages: [9, 2] },
      { length: 5, pages: [7, 1] },
      { length: 0, pages: [] },
      { length: 8, pages: [9, 3] },
      { length: 4, pages: [9] },
      { length: 6, pages: [9, 2] },
    ]);
    const { order, lcp } = buildForest(batch);
    expect([...order]).toEqual([2, 4, 0, 5, 3, 1]);
    expect([...lcp]).toEqual([0, 0, 4, 6, 4, 0]);
  });

  it('does not share pages that follow different prefixes', () => {
    const batch = batchOf(4, [
      { length: 8, pages: [1, 5] },
      { length: 8, pages: [2, 5] },
    ]);
    expect([...buildForest(batch).lcp]).toEqual([0, 0]);
  });

  it('finds the page at which a sequence leaves, wherever it is, and puts the deepest first', () => {
    const pages = Array.from({ length: 200 }, (_, i) => i);
    const others = Array.from({ length: 200 }, (_, k) => (k * 7) % 200);
    const batch = batchOf(2, [
      { length: 400, pages },
      ...others.map((at) => ({ length: 400, pages: pages.map((id, i) => (i < at ? id : 1000 + id)) })),
    ]);
    const { order, lcp } = buildForest(batch);
    const deepest = [...others.keys()].sort((a, b) => others[b]! - others[a]!);
    expect([...order]).toEqual([0, ...deepest.map((k) => k + 1)]);
    expect([...lcp]).toEqual([0, ...deepest.map((k) => 2 * others[k]!)]);
  });

  it('agrees with comparing every pair of neighbours token by token, on 200 random forests', () => {
    for (let seed = 0; seed < 200; seed++) {
      const { input, heads } = generateForest(seed);
      const batch = makeBatch(input, heads);
      const { order, lcp } = buildForest(batch);
      expect(
        [...order].sort((a, b) => a - b),
        `seed ${seed}`,
      ).toEqual([...order.keys()]);
      const shared = (a: number, b: number) => {
        const most = Math.min(batch.lengths[a]!, batch.lengths[b]!);
        let t = 0;
        const page = (s: number) => batch.pages[batch.tableBegin[s]! + Math.floor(t / batch.page)];
        while (t < most && page(a) === page(b)) t++;
        return t;
      };
      order.forEach((s, i) => {
        if (i === 0) return;
        const own = shared(s, order[i - 1]!);
        expect(lcp[i], `seed ${seed}, position ${i}`).toBe(own);
        // Depth-first: nobody before the neighbour shares more.
        for (let j = 0; j < i - 1; j++)
          if (shared(s, order[j]!) > own) expect.fail(`seed ${seed}: ${order[j]} shares more`);
      });
    }
  });
});
