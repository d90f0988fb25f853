import { expect, test } from 'vitest';
import { planPage } from '../../../examples/pat/draw/page.ts';
import { segmentsOf, tokensRead, tokensServed, type PlanJson } from '../../../examples/pat/draw/picture.ts';

const pack = {
  sequences: [2, 0, 1],
  tile: { m: 16, n: 32, stages: 1 },
  slots: [-1, -1, -1],
  entries: [
    { first: 0, count: 3, from: 0, to: 32 },
    { first: 0, count: 1, from: 32, to: 40 },
    { first: 1, count: 1, from: 32, to: 40 },
  ],
};
const plan: PlanJson = {
  plan: { packs: 1, splits: 0, uniqueKvBytes: 100, readKvBytes: 120, separateKvBytes: 300, planUs: 1 },
  packs: [pack],
};

test('every token of every sequence is in one segment, and sharing is counted', () => {
  const segments = segmentsOf([pack], 3);
  expect(segments.map((list) => list.map((g) => [g.from, g.to, g.readers]))).toEqual([
    [
      [0, 32, 3],
      [32, 40, 1],
    ],
    [[0, 32, 3]],
    [
      [0, 32, 3],
      [32, 40, 1],
    ],
  ]);
  expect([tokensRead(pack), tokensServed(pack)]).toEqual([48, 112]);
});

test('the page draws one rectangle per entry, and is safe with any text', () => {
  const page = planPage({
    workload: '<script>alert(1)</script>',
    flags: { headDim: '128' },
    group: 4,
    plan,
    order: Int32Array.of(2, 0, 1),
    emitted: [{ path: 'a.cu', lines: 1, text: 'if (a < b && c > d) {}' }],
  });
  expect(page.match(/class="seg"/g)).toHaveLength(3);
  expect(page).not.toContain('<script>');
  expect(page).toContain('a &lt; b &amp;&amp; c &gt; d');
  expect(page).not.toMatch(/https?:|src=|@import/);
  expect(page).toContain('head dim 128');
});
