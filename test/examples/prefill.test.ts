/** Packed causal prefill: head dims, types, groups, and lengths that end anywhere in a tile. */
import { describe, expect, test } from 'vitest';
import prefill, { prefillReference, tilesOf } from '../../examples/prefill/program.ts';
import { places, runAt, type Small } from './places.ts';

const cases: Record<string, Small> = {
  'head dim 64, f16, groups of 3': {
    spec: { headDim: 64, group: 3, kvHeads: 1 },
    tile: { m: 16, n: 16 },
    flags: { lengths: '37,1,20' },
  },
  'head dim 128, bf16, groups of 4': {
    spec: { headDim: 128, group: 4, kvHeads: 2, dtype: 'bf16' },
    tile: { m: 32, n: 16, stages: 2 },
    flags: { lengths: '5,33' },
  },
  'a head for each query head, rows that end with a tile': {
    spec: { headDim: 64, group: 1, kvHeads: 2 },
    tile: { m: 16, n: 32 },
    flags: { lengths: '16,32,31,1' },
  },
};

/** Warpgroups with a producer that copies boxes: ends that cut boxes, steps on the diagonal, rows past the last token. */
test.each([
  [{ headDim: 128, group: 1, kvHeads: 2 }, { n: 128, stages: 2 }, '300,1,128'],
  [{ headDim: 64, group: 3, kvHeads: 1, dtype: 'bf16' }, { n: 64, stages: 3 }, '37,150'],
  [{ headDim: 128, group: 4, kvHeads: 1 }, { n: 64, stages: 4 }, '33,97'],
] as const)('by warpgroups: %o, %o, %s', async (spec, tile, lengths) => {
  const small = { spec, tile: { m: 128, producers: 1, wgmma: 1, ...tile }, flags: { lengths } };
  const { verdict } = await runAt('cuda:sm_90a', prefill, small);
  expect(verdict).toMatchObject({ ok: true, unwritten: 0 });
});

describe.each(places)('on %s', (place) => {
  test.each(Object.entries(cases))('%s', async (_, small) => {
    const { verdict } = await runAt(place, prefill, small);
    expect(verdict).toMatchObject({ ok: true, unwritten: 0 });
  });
});

test('the default tiles agree too', async () => {
  const small = { spec: { headDim: 64, kvHeads: 1 }, flags: { lengths: '70,9' } };
  for (const place of ['interpreter', 'cuda:sm_80'] as const)
    expect((await runAt(place, prefill, small)).verdict.ok).toBe(true);
});

test('the tiles of a launch cover every row of every sequence once, those with most keys first', () => {
  const [lengths, group, m] = [[37, 1, 20, 64], 3, 16];
  const table = tilesOf(lengths, group, m);
  const seen = new Map<string, number>();
  const firsts: number[] = [];
  for (let i = 0; i < table.length; i += 3) {
    const [begin, end, first] = table.slice(i, i + 3) as [number, number, number];
    firsts.push(first);
    for (let row = first; row < Math.min(first + m, (end - begin) * group); row++)
      seen.set(`${begin}:${row}`, (seen.get(`${begin}:${row}`) ?? 0) + 1);
  }
  expect(seen.size).toBe(lengths.reduce((sum, l) => sum + l, 0) * group);
  expect(new Set(seen.values())).toEqual(new Set([1]));
  expect(firsts).toEqual([...firsts].sort((a, b) => b - a));
});

test('the reference: the first token sees itself, and later keys change nothing before them', () => {
  const shape = { lengths: [3], heads: 1, kvHeads: 1, headDim: 2, scale: 1 };
  const numbers = (...x: number[]) => Float64Array.from(x);
  const [q, k, v] = [numbers(1, 0, 0, 1, 1, 1), numbers(2, 1, 0, 3, 1, 1), numbers(5, 6, 7, 8, 9, 10)];
  const out = prefillReference(q, k, v, shape);
  expect([...out.subarray(0, 2)]).toEqual([5, 6]);
  // Query (0, 1) meets scores 1 and 3.
  const w = Math.exp(2) / (1 + Math.exp(2));
  expect(out[2]).toBeCloseTo(5 + 2 * w, 12);
  const changed = prefillReference(q, k, numbers(5, 6, 7, 8, -9, 0), shape);
  expect(changed.subarray(0, 4)).toEqual(out.subarray(0, 4));
  expect(changed[4]).not.toBe(out[4]);
});

test.each(['', '0', '3,x', '2.5'])('lengths %j are refused', async (lengths) => {
  await expect(runAt('interpreter', prefill, { flags: { lengths } })).rejects.toThrow('PAT0601');
});
