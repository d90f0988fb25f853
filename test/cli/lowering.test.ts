import { expect, test } from 'vitest';
import { Lowering } from '../../compiler/cli/lowering.ts';
import { Traces } from '../../compiler/cli/traces.ts';
import { findTarget } from '../../compiler/target.ts';
import { printThread } from '../../compiler/thread/print.ts';
import { kernel, tune } from '../../dsl/index.ts';
import { lowerKernel } from '../../compiler/lower/index.ts';
import { tilesOf } from '../../compiler/cli/tiles.ts';

/** `stages` matters where copies are asynchronous, `other` nowhere, `n` to the trace; m=256 fits neither target. */
const product = kernel(
  'product',
  { tile: { m: tune(16, 32, 512), n: tune(32, 16), stages: tune(1, 2), other: tune(1, 2) } },
  (k, { m, n }) => {
    const a = k.input('a', 'f16', ['rows', 512]);
    const b = k.input('b', 'f16', [512, n]);
    const c = k.output('c', 'f32', ['rows', n]);
    const row = k.iota(m).expand(1);
    const column = k.iota(n).expand(0);
    const mask = row.lt(k.dim('rows'));
    const { acc } = k.loop({ from: 0, to: 512, step: 128 }, { acc: k.zeros([m, n]) }, (at, { acc }) => {
      const along = at.add(k.iota(128));
      const left = a.load([row, along.expand(0)], { mask });
      return { acc: k.dot(left, b.load([along.expand(1), column]), acc) };
    });
    c.store([row, column], acc, { mask });
  },
);

test.each(['wgsl', 'cuda:sm_80'])(
  '%s: shapes that cannot differ count once, and the rest are as lowered one by one',
  (name) => {
    const target = findTarget(name)!;
    const lowering = new Lowering(target);
    const feasible = lowering.feasible(product, {});
    const fits = new Map<string, string>();
    for (const tile of tilesOf(product)) {
      try {
        fits.set(JSON.stringify(tile), printThread(lowerKernel(product.trace({}, tile), target)));
      } catch {
        // Not for this target.
      }
    }
    expect(feasible.length).toBeGreaterThan(0);
    for (const tile of feasible) {
      expect(tile['other']).toBe(1);
      expect(printThread(lowering.lower(product, {}, tile))).toBe(fits.get(JSON.stringify(tile)));
    }
    // Every shape that fits has an equal among them.
    const texts = feasible.map((tile) =>
      fits.get(JSON.stringify(tile))!.replace(/stages=\d+|other=\d+/g, ''),
    );
    for (const text of fits.values()) expect(texts).toContain(text.replace(/stages=\d+|other=\d+/g, ''));
    expect(new Set(feasible.map((t) => t['stages'])).size).toBe(name === 'wgsl' ? 1 : 2);
    expect(lowering.rejected.length).toBeGreaterThan(0);
  },
);

test('lowerings that share their traces trace every kernel once, and give what they give alone', () => {
  let traced = 0;
  const counted = {
    ...product,
    trace: (...given: Parameters<typeof product.trace>) => (traced++, product.trace(...given)),
  };
  const traces = new Traces();
  const printed = (name: string, shared?: Traces): string[] => {
    const lowering = new Lowering(findTarget(name)!, shared);
    return lowering.feasible(counted, {}).map((tile) => printThread(lowering.lower(counted, {}, tile)));
  };
  const shared = ['wgsl', 'cuda:sm_80'].map((name) => printed(name, traces));
  // By `m` and `n`.
  expect(traced).toBe(6);
  expect(shared).toEqual(['wgsl', 'cuda:sm_80'].map((name) => printed(name)));
});

test('shapes that would leave the matrix unit idle are rejected where others use it, and kept where none does', () => {
  const small = kernel('small', { tile: { m: tune(16, 8), n: tune(16, 4) } }, (k, { m, n }) => {
    const a = k.input('a', 'f16', [m, 16]);
    const b = k.input('b', 'f16', [16, n]);
    const c = k.output('c', 'f32', [m, n]);
    const [row, column, along] = [k.iota(m), k.iota(n), k.iota(16)];
    const left = a.load([row.expand(1), along.expand(0)]);
    const right = b.load([along.expand(1), column.expand(0)]);
    c.store([row.expand(1), column.expand(0)], k.dot(left, right));
  });
  const cuda = new Lowering(findTarget('cuda:sm_80')!);
  expect(cuda.feasible(small, {})).toEqual([{ m: 16, n: 16 }]);
  expect(cuda.rejected.map((r) => [r.diagnostic.code, r.tile.m, r.tile.n])).toEqual([
    ['PAT0309', 16, 4],
    ['PAT0309', 8, 16],
    ['PAT0309', 8, 4],
  ]);
  expect(cuda.feasible(small, {}, { m: 8 })).toHaveLength(2);
  expect(new Lowering(findTarget('wgsl')!).feasible(small, {})).toHaveLength(4);
});
