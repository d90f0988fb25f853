/** Masks whose parts of a tile differ: judged part by part, and an index only along its own axis. */
import { expect, it } from 'vitest';
import { interpret } from '../../../backends/cpu/interpreter/index.ts';
import { simulate } from '../../../backends/cpu/simulator/index.ts';
import { decodeArray } from '../../../compiler/ir/numeric.ts';
import { lowerKernel } from '../../../compiler/lower/index.ts';
import { findTarget } from '../../../compiler/target.ts';
import { walkStmts } from '../../../compiler/thread/build.ts';
import type { Tile } from '../../../dsl/index.ts';
import { everywhere, makeCase } from '../../support/corpus.ts';

const n = 64;

/** A product, where its left half keeps what lies below one limit of rows or columns, its right half what lies below another; summed by rows. */
const halves = (along: 0 | 1) =>
  makeCase(`halves ${along}`, (k) => {
    const load = (name: string) => k.input(name, 'f16', [n, n]).load(everywhere(k, [n, n]));
    const [left, right] = [k.scalar('left', 'i32'), k.scalar('right', 'i32')];
    const i = k.iota(n);
    const place = i.expand(along);
    const below = i.expand(0).lt(32).where(place.lt(left), place.lt(right));
    const product = k.dot(load('a') as never, load('b') as never);
    const kept = below.where(product as never, 0) as unknown as Tile<'f32', readonly [number, number]>;
    // Used twice, and so held in registers.
    const total = kept.reduceSum(1).add(kept.reduceMax(1));
    k.output('y', 'f32', [n]).store([k.iota(n)], total as never);
  });

it.each(
  ([0, 1] as const).flatMap((along) =>
    [
      { left: 64, right: 64 },
      { left: 40, right: 64 },
      { left: 20, right: 50 },
      { left: 32, right: 33 },
    ].map((limits) => ({ along, ...limits })),
  ),
)('along=$along left=$left right=$right', ({ along, ...scalars }) => {
  const c = halves(along);
  const lowered = lowerKernel({ ...c.kernel, tile: { warps: 4 } }, findTarget('cuda:sm_80')!);
  let rare = 0;
  walkStmts(lowered.body, (s) => void (rare += s.s === 'if' && s.rare ? 1 : 0));
  expect(rare).toBe(1);
  const [got, want] = [0, 1].map(() => new Map(c.buffers.map((b) => [b.name, b.data.slice()])));
  interpret(c.kernel, [1, 1, 1], want!, scalars);
  expect(simulate(lowered, [1, 1, 1], got!, scalars).errors).toEqual([]);
  const [mine, right] = [got!, want!].map((m) => [...decodeArray('f32', m.get('y')!)]);
  mine!.forEach((x, at) => expect(x).toBeCloseTo(right![at]!, 2));
});
