/** Laws of distributed layouts, over the layouts that the lowering makes. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  blockedLayout,
  collapseLayout,
  digit,
  gridLayout,
  makeLayout,
  mmaLayout,
  permuteLayout,
  product,
  regCount,
  reshapeLayout,
  sameLayout,
  sliceLayout,
  unitReshape,
  type Digit,
  type Layout,
} from '../../../compiler/lower/layout.ts';
import { registerAt } from '../../../compiler/lower/point.ts';
import { constI } from '../../../compiler/thread/build.ts';

const threadsOf = (l: Layout): number => product(l.threads);

/** Least significant digit first. */
function advance(digits: readonly Digit[], index: number, coords: number[]): void {
  for (const d of digits) {
    if (d.dim !== null) coords[d.dim]! += (index % d.size) * d.stride;
    index = Math.floor(index / d.size);
  }
}

/** Coordinates of the element that a thread holds in a register: the definition of a layout. */
function elementAt(l: Layout, thread: number, reg: number): number[] {
  const coords = l.shape.map(() => 0);
  advance(l.threads, thread, coords);
  advance(l.regs, reg, coords);
  return coords;
}

const held = (l: Layout, thread: number): number[][] =>
  Array.from({ length: regCount(l) }, (_, reg) => elementAt(l, thread, reg));
const setOf = (elements: readonly (readonly number[])[]): Set<string> =>
  new Set(elements.map((e) => e.join()));

const copiesOf = (l: Layout): number => product(l.threads.filter((d) => d.dim === null));

/** Every element once in every set of threads that are no copies of each other. */
function expectPartition(l: Layout): void {
  const counts = new Map<string, number>();
  for (let t = 0; t < threadsOf(l); t++)
    for (const e of held(l, t)) {
      if (!e.every((x, dim) => x < l.shape[dim]!))
        expect.fail(`[${e.join()}] is outside [${l.shape.join()}]`);
      counts.set(e.join(), (counts.get(e.join()) ?? 0) + 1);
    }
  expect(counts.size).toBe(l.shape.reduce((a, b) => a * b, 1));
  expect(new Set(counts.values())).toEqual(new Set([copiesOf(l)]));
}

const powers = (...p: number[]): fc.Arbitrary<number> => fc.constantFrom(...p);

const blocked = fc
  .tuple(
    fc.array(fc.constantFrom(1, 2, 3, 4, 6, 8, 12, 16, 20), { minLength: 1, maxLength: 3 }),
    powers(1, 32, 64, 128),
    powers(1, 2, 4, 8),
  )
  .map(([shape, threads, vector]) => blockedLayout(shape, threads, vector));
const mma = fc
  .tuple(powers(1, 2, 3), powers(1, 2, 5), powers(1, 2, 4), powers(1, 2, 4))
  .map(([m, n, warpsM, warpsN]) => mmaLayout(16 * m * warpsM, 8 * n * warpsN, warpsM, warpsN));
const grid = fc
  .tuple(powers(1, 2, 3), powers(1, 2, 3), powers(1, 2, 8), powers(1, 4, 8), powers(1, 2, 4))
  .map(([m, n, rows, columns, copies]) => gridLayout(m * rows, n * columns, rows, columns, copies));
const layouts = fc.oneof(blocked, mma, grid);
const matrices = fc.oneof(mma, grid);

describe('every element is held once, or in the copies that the layout declares', () => {
  it('blocked', () =>
    fc.assert(
      fc.property(
        fc.array(powers(1, 2, 3, 4, 6, 16, 20, 80), { minLength: 1, maxLength: 3 }),
        powers(1, 32, 128),
        powers(1, 4, 8),
        (shape, threads, vector) => {
          const l = blockedLayout(shape, threads, vector);
          expect(threadsOf(l)).toBe(threads);
          expectPartition(l);
        },
      ),
      { numRuns: 60 },
    ));
  it('matrix fragments', () => fc.assert(fc.property(mma, expectPartition), { numRuns: 30 }));
  it('grids', () => fc.assert(fc.property(grid, expectPartition), { numRuns: 60 }));
});

it('neighbouring threads hold neighbouring vectors of the innermost dimension', () => {
  const l = blockedLayout([4, 64], 64, 4);
  expect(held(l, 0).slice(0, 4)).toEqual([
    [0, 0],
    [0, 1],
    [0, 2],
    [0, 3],
  ]);
  expect(elementAt(l, 1, 0)).toEqual([0, 4]);
  expect(elementAt(l, 16, 0)).toEqual([1, 0]);
});

it('a vector is a power of two that divides the extent', () => {
  expect(held(blockedLayout([6], 1, 4), 0)).toEqual([0, 1, 2, 3, 4, 5].map((x) => [x]));
  expect(blockedLayout([6], 1, 4).regs[0]).toEqual(digit(0, 2, 1));
});

it('the accumulator of m16n8k16 is that of the PTX ISA', () => {
  const l = mmaLayout(16, 8, 1, 1);
  for (let lane = 0; lane < 32; lane++)
    expect(held(l, lane)).toEqual(
      // "row = groupID for c0, c1 and groupID + 8 for c2, c3; col = threadID_in_group * 2 + (i & 1)"
      [0, 1, 2, 3].map((i) => [(lane >> 2) + (i >= 2 ? 8 : 0), (lane & 3) * 2 + (i & 1)]),
    );
});

it('warps of a matrix layout have blocks of their own, rows first', () => {
  const l = mmaLayout(64, 32, 2, 2);
  expect(elementAt(l, 32, 0)).toEqual([32, 0]);
  expect(elementAt(l, 64, 0)).toEqual([0, 16]);
});

it('a grid holds pairs of columns where it can', () => {
  expect(held(gridLayout(2, 8, 2, 4, 1), 1)).toEqual([
    [0, 2],
    [0, 3],
  ]);
  expect(held(gridLayout(2, 12, 2, 4, 1), 1)).toEqual([
    [0, 1],
    [0, 5],
    [0, 9],
  ]);
});

it('a slice holds, in every thread, the elements that the thread held, without the axis', () =>
  fc.assert(
    fc.property(layouts, fc.nat(2), (l, n) => {
      const axis = n % l.shape.length;
      const s = sliceLayout(l, axis);
      expect(threadsOf(s)).toBe(threadsOf(l));
      const drop = (e: readonly number[]): number[] => e.filter((_, dim) => dim !== axis);
      for (let t = 0; t < threadsOf(l); t++) expect(setOf(held(s, t))).toEqual(setOf(held(l, t).map(drop)));
      expectPartition(s);
    }),
    { numRuns: 60 },
  ));

it('a permutation moves coordinates and nothing else', () =>
  fc.assert(
    fc.property(layouts, fc.nat(5), (l, seed) => {
      const permutation = l.shape.map((_, i) => i);
      if (seed % 2) permutation.reverse();
      else permutation.push(permutation.shift()!);
      const p = permuteLayout(l, permutation);
      expect(p.shape).toEqual(permutation.map((d) => l.shape[d]));
      for (let t = 0; t < threadsOf(l); t += 5)
        for (let reg = 0; reg < regCount(l); reg++)
          expect(elementAt(p, t, reg)).toEqual(permutation.map((d) => elementAt(l, t, reg)[d]));
    }),
    { numRuns: 60 },
  ));

it('a permutation and its inverse are nothing', () => {
  const l = blockedLayout([2, 4, 8], 32, 2);
  expect(permuteLayout(permuteLayout(l, [2, 0, 1]), [1, 2, 0])).toEqual(l);
});

it('a reshape that moves extents of 1 moves coordinates with them; others are refused', () => {
  fc.assert(
    fc.property(layouts, fc.nat(2), (l, n) => {
      const axis = n % (l.shape.length + 1);
      const shape = [...l.shape.slice(0, axis), 1, ...l.shape.slice(axis)];
      const r = reshapeLayout(l, shape)!;
      for (let t = 0; t < threadsOf(l); t += 7)
        for (let reg = 0; reg < regCount(l); reg++) {
          const e = elementAt(l, t, reg);
          expect(elementAt(r, t, reg)).toEqual([...e.slice(0, axis), 0, ...e.slice(axis)]);
        }
      expect(sameLayout(reshapeLayout(r, l.shape)!, l)).toBe(true);
    }),
    { numRuns: 60 },
  );
  const l = blockedLayout([4, 8], 32, 1);
  expect(reshapeLayout(l, [8, 4])).toBeUndefined();
  expect(reshapeLayout(l, [32])).toBeUndefined();
  expect(unitReshape([1, 4, 1, 8], [4, 8, 1])).toEqual(
    new Map([
      [1, 0],
      [3, 1],
    ]),
  );
});

it('the operand of a broadcast is held where its stretched elements are', () =>
  fc.assert(
    fc.property(matrices, fc.constantFrom(0, 1), (l, axis) => {
      const shape = l.shape.map((x, d) => (d === axis ? 1 : x));
      const c = collapseLayout(l, shape);
      const squash = (e: readonly number[]): number[] => e.map((x, d) => (d === axis ? 0 : x));
      for (let t = 0; t < threadsOf(l); t += 3)
        expect(setOf(held(c, t))).toEqual(setOf(held(l, t).map(squash)));
      expectPartition(c);
    }),
    { numRuns: 60 },
  ));

describe('two layouts are the same', () => {
  it('only where every thread holds the same elements in the same registers', () =>
    fc.assert(
      fc.property(layouts, layouts, (a, b) => {
        expect(sameLayout(a, a)).toBe(true);
        if (!sameLayout(a, b)) return;
        expect(a.shape).toEqual(b.shape);
        for (let t = 0; t < threadsOf(a); t++) expect(held(a, t)).toEqual(held(b, t));
      }),
    ));
  it('however copies are split into digits', () => {
    const one = makeLayout([8], [digit(0, 8, 1), digit(null, 4, 0)], []);
    const two = makeLayout([8], [digit(0, 8, 1), digit(null, 2, 0), digit(null, 2, 0)], []);
    const other = makeLayout([8], [digit(null, 2, 0), digit(0, 8, 1), digit(null, 2, 0)], []);
    expect(sameLayout(one, two)).toBe(true);
    expect(sameLayout(one, other)).toBe(false);
    expect(sameLayout(one, makeLayout([8], [digit(0, 8, 1), digit(null, 8, 0)], []))).toBe(false);
    expect(sameLayout(one, makeLayout([16], [digit(0, 8, 1), digit(null, 4, 0)], []))).toBe(false);
    expect(sameLayout(one, makeLayout([8, 1], [digit(0, 8, 1), digit(null, 4, 0)], []))).toBe(false);
    const strided = makeLayout([16], [digit(0, 8, 2), digit(null, 4, 0)], []);
    expect(sameLayout(strided, makeLayout([16], [digit(0, 8, 1), digit(null, 4, 0)], []))).toBe(false);
  });
});

it('a reshape that moves one extent of several is refused', () => {
  expect(unitReshape([2, 3, 4], [2, 4, 3])).toBeUndefined();
  expect(unitReshape([2, 3, 4], [2, 1, 3, 4])).toEqual(
    new Map([
      [0, 0],
      [1, 2],
      [2, 3],
    ]),
  );
});

describe('layouts compared by hand', () => {
  const of = (threads: readonly Digit[], regs: readonly Digit[] = [], shape = [8, 8]): Layout =>
    makeLayout(shape, threads, regs);
  const row = digit(0, 8, 1);
  const column = digit(1, 8, 1);
  it('are the same however copies are counted, wherever they come from', () => {
    expect(sameLayout(of([row, digit(null, 2, 0), digit(null, 4, 0)]), of([row, digit(null, 8, 0)]))).toBe(
      true,
    );
    const two = [row, column];
    const four = [digit(null, 2, 0), digit(null, 4, 0)];
    expect(sameLayout(of([...two, ...four]), of([...two, digit(null, 8, 0)]))).toBe(true);
    // What a reduction leaves still has the stride of the axis that is gone.
    expect(sameLayout(of([row, digit(null, 8, 3)]), of([row, digit(null, 8, 0)]))).toBe(true);
    const sum = sliceLayout(of([row, column]), 1);
    expect(sameLayout(sum, makeLayout([8], [row, digit(null, 8, 0)], []))).toBe(true);
  });
  it('and otherwise not', () => {
    const others: [Layout, Layout][] = [
      [of([row], [column]), of([column], [row])],
      [of([row], [column]), of([row])],
      [of([row]), of([row], [column])],
      [of([row, digit(null, 2, 0)]), of([row])],
      [of([row]), of([row, digit(null, 2, 0)])],
      [of([digit(null, 2, 0), digit(0, 4, 1)]), of([digit(null, 8, 0)])],
      [of([digit(0, 4, 1)]), of([digit(0, 4, 2)])],
      [of([digit(0, 4, 1)]), of([digit(0, 8, 1)])],
      [of([row], [], [8, 8]), of([row], [], [8, 16])],
      [of([row], [], [8]), of([row], [], [8, 1])],
    ];
    for (const [a, b] of others) expect(sameLayout(a, b), JSON.stringify([a, b])).toBe(false);
  });
});

it('a register holds the element at a point only where threads share a dimension out alike', () => {
  const [two, four] = [digit(0, 2, 1), digit(0, 4, 2)];
  const of = (...threads: Digit[]): Layout => ({ shape: [8], threads, regs: [] });
  const point = { shape: [8], coords: [constI(0)], digits: [], threads: [four, two] };
  expect(registerAt(of(four, two), point)).toEqual(constI(0));
  expect(registerAt(of(two, four), point)).toBeUndefined();
  expect(registerAt({ ...of(four, two), regs: [two] }, point)).toBeUndefined();
});
