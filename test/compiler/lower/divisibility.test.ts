/** What is claimed of index arithmetic is true of the numbers, and what vectors need is claimed. */
import { describe, expect, it } from 'vitest';
import { regionsOf, type Kernel, type Op, type Region, type Value } from '../../../compiler/ir/nodes.ts';
import { Analysis } from '../../../compiler/lower/analysis.ts';
import { Divisibility } from '../../../compiler/lower/divisibility.ts';
import type { Index, KernelContext, Tile } from '../../../dsl/index.ts';
import { everywhere } from '../../support/corpus.ts';
import { run, traced } from '../../support/interpret.ts';

type Make = (k: KernelContext) => Tile;
type Alike = 'none' | 'other' | number;

const opsIn = (r: Region): Op[] => r.ops.flatMap((op) => [op, ...regionsOf(op).flatMap(opsIn)]);

/** The kernel that stores the tile, what is known of it, and its elements in two blocks. */
function known(make: Make): { v: Value; facts: Divisibility; blocks: number[][]; kernel: Kernel } {
  let flag = false;
  const kernel = traced((k) => {
    const tile = make(k);
    flag = tile.element === 'bool';
    const shape = tile.shape as number[];
    const at: Index[] = [k.programId(0), ...everywhere(k, shape)];
    k.output('y', 'i32', [2, ...shape]).store(at, tile.cast('i32') as Tile<'i32'>);
  });
  const store = opsIn(kernel.body).find((op) => op.op === 'store')!;
  const analysis = new Analysis(kernel);
  let v = store.op === 'store' ? store.value : undefined!;
  const cast = analysis.definition(v).op;
  if (flag && cast?.op === 'cast') v = cast.a;
  const table = Array.from({ length: 64 }, (_, i) => (i * 7 + 3) % 64);
  const { out } = run(kernel, { table }, [2, 1, 1], { n: 5 });
  const y = out['y']!;
  return {
    v,
    facts: new Divisibility(analysis),
    blocks: [y.slice(0, y.length / 2), y.slice(y.length / 2)],
    kernel,
  };
}

/** Lists of elements along an axis. */
function lines(values: readonly number[], shape: readonly number[], axis: number): number[][] {
  const stride = shape.slice(axis + 1).reduce((a, b) => a * b, 1);
  const found = new Map<number, number[]>();
  values.forEach((x, i) => {
    const at = Math.floor(i / stride) % shape[axis]!;
    const rest = i - at * stride;
    found.set(rest, [...(found.get(rest) ?? []), x]);
  });
  return [...found.values()];
}

const pid = (k: KernelContext): Tile<'i32', readonly []> => k.programId(0);
const table = (k: KernelContext) => k.input('table', 'i32', [64]);
const row = (k: KernelContext): Tile<'i32', readonly number[]> => k.iota(16).expand(0).broadcast([4, 16]);

describe('along an axis: the same, or one more each with a divisor of the rest, or unknown', () => {
  const cases: readonly [string, Make, Alike, number?][] = [
    ['coordinates', (k) => k.iota(16), 0],
    ['from a constant on', (k) => k.iota(16).add(6), 6],
    ['from a multiple of the block on', (k) => pid(k).mul(6).add(k.iota(16)), 6],
    ['from a sum on', (k) => k.iota(16).add(24).add(pid(k).mul(16)), 8],
    ['from an unknown number on', (k) => k.iota(16).add(k.scalar('n', 'i32')), 1],
    ['downwards', (k) => k.iota(16).neg(), 'other'],
    ['less a number', (k) => k.iota(16).sub(4), 'other'],
    ['a number less it', (k) => k.full([16], 4, 'i32').sub(k.iota(16)), 'other'],
    ['a number of times it', (k) => k.full([16], 2, 'i32').mul(k.iota(16)), 'other'],
    ['a number and twice it', (k) => k.full([16], 2, 'i32').add(k.iota(16).mul(2)), 'other'],
    ['in steps of two', (k) => k.iota(16).mul(2), 'other'],
    ['twice', (k) => k.iota(16).add(k.iota(16)), 'other'],
    ['more than one, swapped', (k) => k.iota(16).mul(2).add(k.iota(16)), 'other'],
    ['no more than a number', (k) => k.iota(16).min(7), 'other'],
    ['a constant', (k) => k.full([16], 3, 'i32'), 'none'],
    ['sums of constants', (k) => k.full([16], 3, 'i32').add(pid(k).mul(2)), 'none'],
    ['products of constants', (k) => k.full([16], 3, 'i32').mul(pid(k)), 'none'],
    ['a number turned', (k) => k.full([16], 3, 'i32').add(pid(k)).neg(), 'none'],
    ['a cast', (k) => k.full([16], 3, 'f32').cast('i32'), 'none'],
    ['a cast of what moves', (k) => k.iota(16).cast('u32').cast('i32'), 'other'],
    ['along columns', row, 0],
    ['along rows of it', row, 'none', 0],
    ['along rows of its transpose', (k) => row(k).transpose([1, 0]), 0, 0],
    ['along columns of its transpose', (k) => row(k).transpose([1, 0]), 'none', 1],
    ['with extents of 1 added', (k) => k.iota(16).reshape([1, 16, 1]), 0, 1],
    ['along an extent of 1', (k) => k.iota(16).reshape([1, 16, 1]), 'none', 2],
    ['cut into rows', (k) => k.iota(64).reshape([8, 8]), 'other'],
    [
      'a choice of constants',
      (k) =>
        pid(k)
          .eq(0)
          .where(k.full([16], 3, 'i32'), k.full([16], 5, 'i32')),
      'none',
    ],
    [
      'a choice that moves',
      (k) =>
        k
          .iota(16)
          .lt(4)
          .where(k.full([16], 3, 'i32'), 5),
      'other',
    ],
    [
      'a choice of what moves',
      (k) =>
        pid(k)
          .eq(0)
          .where(k.iota(16), k.full([16], 5, 'i32')),
      'other',
    ],
    [
      'or of what moves second',
      (k) =>
        pid(k)
          .eq(0)
          .where(k.full([16], 5, 'i32'), k.iota(16)),
      'other',
    ],
    ['a comparison of constants', (k) => k.full([16], 3, 'i32').lt(pid(k).mul(4)), 'none'],
    ['a comparison that moves', (k) => k.iota(16).lt(4), 'other'],
    ['or second', (k) => k.full([16], 3, 'i32').lt(k.iota(16)), 'other'],
    ['read at one place', (k) => table(k).load([k.full([16], 3, 'i32')]), 'none'],
    ['read along', (k) => table(k).load([k.iota(16)]), 'other'],
    [
      'read at one place or not at all',
      (k) => table(k).load([k.full([16], 3, 'i32')], { mask: k.iota(16).lt(4) }),
      'other',
    ],
    [
      'read at one place, or else what moves',
      (k) => table(k).load([k.full([16], 3, 'i32')], { mask: pid(k).eq(0), other: k.iota(16) }),
      'other',
    ],
    [
      'carried by a loop',
      (k) =>
        k.loop({ to: 2 }, { a: k.full([16], 3, 'i32') }, (i, { a }) => ({ a: a.add(k.iota(16).mul(i)) })).a,
      'other',
    ],
  ];
  it.each(cases)('%s', (_, make, want, axis) => {
    const { v, facts, blocks } = known(make);
    const along = axis ?? v.type.shape.length - 1;
    const claim = facts.along(v, along);
    expect(claim).toEqual(typeof want === 'number' ? { kind: 'unit', base: want } : { kind: want });
    for (const values of blocks)
      for (const line of lines(values, v.type.shape, along)) {
        if (claim.kind === 'none') expect(new Set(line).size).toBe(1);
        if (claim.kind !== 'unit') continue;
        expect(line).toEqual(line.map((_, i) => line[0]! + i));
        expect(claim.base === 0 ? line[0]! : line[0]! % claim.base).toBe(0);
      }
  });
});

describe('a divisor', () => {
  const number = (make: (k: KernelContext) => Tile<'i32', readonly []>): Make => {
    return (k) => make(k).broadcast([4]);
  };
  const cases: readonly [string, Make, number][] = [
    ['of a constant', number((k) => k.const(12, 'i32')), 12],
    ['of a negative one', number((k) => k.const(-12, 'i32')), 12],
    ['of nothing', number((k) => k.const(0, 'i32')), 0],
    ['of an unknown number', number(pid), 1],
    ['of its multiple', number((k) => pid(k).mul(6)), 6],
    ['of a multiple of a multiple', number((k) => pid(k).mul(6).mul(4)), 24],
    [
      'of a product beyond what can be counted',
      number((k) =>
        pid(k)
          .mul(1 << 20)
          .mul(1 << 20),
      ),
      2 ** 30,
    ],
    ['of a sum', number((k) => pid(k).mul(8).add(12)), 4],
    ['of a sum of one', number((k) => pid(k).mul(8).add(1)), 1],
    ['of a difference', number((k) => pid(k).mul(8).sub(12)), 4],
    ['of the smaller', number((k) => pid(k).mul(8).min(12)), 4],
    ['of the larger', number((k) => pid(k).mul(8).max(12)), 4],
    ['of a quotient', number((k) => pid(k).mul(8).div(4)), 1],
    ['of a remainder', number((k) => pid(k).add(9).mul(8).rem(12)), 1],
    ['of bits', number((k) => pid(k).add(1).mul(8).or(4)), 1],
    ['of what is read', (k) => table(k).load([k.full([4], 3, 'i32')]), 1],
    ['of a view', (k) => k.full([4], 12, 'i32').reshape([2, 2]).transpose([1, 0]), 12],
  ];
  it.each(cases)('%s', (_, make, want) => {
    const { v, facts, blocks } = known(make);
    expect(facts.divisor(v)).toBe(want);
    expect(facts.divisor(v)).toBe(want);
    for (const x of blocks.flat()) expect(want === 0 ? x : Math.abs(x % want)).toBe(0);
  });
  it('of the number of a loop: of where it begins and what it adds', () => {
    const steps = (from: number, step: number): number => {
      const kernel = traced((k) => {
        const y = k.output('y', 'i32', [64]);
        k.loop({ from, to: 30, step }, { a: k.const(0, 'i32') }, (i, { a }) => {
          y.store([i], i);
          return { a };
        });
      });
      const analysis = new Analysis(kernel);
      const store = opsIn(kernel.body).find((op) => op.op === 'store')!;
      return new Divisibility(analysis).divisor((store as { value: Value }).value);
    };
    expect([steps(0, 4), steps(6, 4), steps(8, 12), steps(1, 8)]).toEqual([4, 2, 4, 1]);
  });
  it('and of nothing else that a loop gives or carries', () => {
    const kernel = traced((k) => {
      const y = k.inout('y', 'i32', [64]);
      const start = { a: k.const(0, 'i32'), t: k.iota(16), m: k.iota(16).lt(12) };
      k.loop({ from: 0, to: 32, step: 8 }, start, (_, { a, t, m }) => {
        y.store([a], a);
        y.store([t], t, { mask: m });
        return { a: a.add(3), t: t.mul(2), m: m.xor(t.lt(3)) };
      });
      k.ragged({ from: 8, to: 16, trips: () => k.const(2, 'i32') }, {}, (e) => {
        y.atomicAdd([e], e);
        return {};
      });
    });
    const facts = new Divisibility(new Analysis(kernel));
    const [scalar, tile, entry] = opsIn(kernel.body).filter((op) => op.op === 'store' || op.op === 'atomic');
    expect(facts.divisor(scalar!.value)).toBe(1);
    expect(facts.along(tile!.value, 0)).toEqual({ kind: 'other' });
    expect(facts.uniform(tile!.mask!, 0, 4)).toBe(false);
    expect(facts.divisor(entry!.value)).toBe(1);
  });
});

describe('a mask has one value over aligned runs', () => {
  const cases: readonly [string, Make, number, boolean, number?][] = [
    ['below a multiple', (k) => k.iota(16).lt(12), 4, true],
    ['of less than the run', (k) => k.iota(16).lt(12), 8, false],
    ['from a multiple on', (k) => k.iota(16).ge(12), 4, true],
    ['above one', (k) => k.iota(16).gt(8), 4, false],
    ['up to one', (k) => k.iota(16).le(8), 4, false],
    ['at one', (k) => k.iota(16).eq(8), 4, false],
    ['shifted by a multiple', (k) => k.iota(16).add(4).lt(8), 4, true],
    ['shifted by less', (k) => k.iota(16).add(2).lt(8), 4, false],
    ['below an unknown number', (k) => k.iota(16).lt(k.scalar('n', 'i32')), 4, false],
    ['below a multiple of it', (k) => k.iota(16).lt(k.scalar('n', 'i32').mul(4)), 4, true],
    ['below what moves', (k) => k.iota(16).lt(k.iota(16).mul(4).sub(8)), 4, false],
    ['of what moves otherwise', (k) => k.iota(16).mul(3).lt(12), 4, false],
    ['both', (k) => k.iota(16).lt(12).and(k.iota(16).ge(4)), 4, true],
    ['either', (k) => k.iota(16).lt(4).or(k.iota(16).ge(8)), 4, true],
    ['both, one of which is not', (k) => k.iota(16).lt(12).and(k.iota(16).ge(2)), 4, false],
    ['both, the first of which is not', (k) => k.iota(16).ge(2).and(k.iota(16).lt(12)), 4, false],
    ['either, one of which is not', (k) => k.iota(16).lt(5).or(k.iota(16).ge(8)), 4, false],
    ['one and not the other', (k) => k.iota(16).lt(4).xor(k.iota(16).lt(12)), 4, false],
    ['the same everywhere', (k) => pid(k).eq(0).broadcast([16]), 16, true],
    ['repeated in rows', (k) => k.iota(16).lt(12).expand(0).broadcast([4, 16]), 4, true],
    ['repeated in rows, unaligned', (k) => k.iota(16).lt(10).expand(0).broadcast([4, 16]), 4, false],
    ['along rows that repeat it', (k) => k.iota(16).lt(10).expand(0).broadcast([4, 16]), 4, true, 0],
    ['reshaped, unaligned', (k) => k.iota(16).lt(10).reshape([1, 16, 1]), 4, false, 1],
    ['cut into rows', (k) => k.iota(64).lt(12).reshape([8, 8]), 4, false],
    ['not at all', (k) => k.iota(16).lt(12).not(), 4, false],
    [
      'carried by a loop',
      (k) => k.loop({ to: 2 }, { m: k.iota(16).lt(12) }, (_, { m }) => ({ m: m.xor(k.iota(16).lt(3)) })).m,
      4,
      false,
    ],
  ];
  it.each(cases)('%s', (_, make, length, want, axis) => {
    const { v, facts, blocks } = known(make);
    const along = axis ?? v.type.shape.length - 1;
    expect(facts.uniform(v, along, length)).toBe(want);
    if (!want) return;
    for (const line of blocks.flatMap((values) => lines(values, v.type.shape, along)))
      for (let i = 0; i < line.length; i += length) expect(new Set(line.slice(i, i + length)).size).toBe(1);
  });
});
