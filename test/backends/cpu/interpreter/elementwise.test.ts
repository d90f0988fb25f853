import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { erf, roundTo, type HostElement } from '../../../../compiler/ir/numeric.ts';
import type { Tile } from '../../../../dsl/index.ts';
import { run, traced } from '../../../support/interpret.ts';

const n = 16;
fc.configureGlobal({ numRuns: 25 });

/** out[i] = f(x[i], y[i]) through the interpreter. */
function through(
  element: HostElement,
  f: (x: Tile, y: Tile) => Tile,
  result: HostElement = element,
): (x: number[], y?: number[]) => number[] {
  const k = traced((k) => {
    const [a, b] = [k.input('x', element, [n]), k.input('y', element, [n])];
    const out = k.output('out', result, [n]);
    const i = k.iota(n);
    out.store([i], f(a.load([i]), b.load([i])));
  });
  return (x, y = x) => run(k, { x, y }).out.out!;
}

const arrayOf = (one: fc.Arbitrary<number>) => fc.array(one, { minLength: n, maxLength: n });
const numbersOf: Record<HostElement, fc.Arbitrary<number>> = {
  f32: fc.float({ noNaN: true }),
  f16: fc.float({ noNaN: true, min: -65504, max: 65504 }).map((x) => roundTo('f16', x)),
  bf16: fc.float({ noNaN: true }).map((x) => roundTo('bf16', x)),
  i32: fc.oneof(fc.integer(), fc.integer({ min: -9, max: 9 })),
  u32: fc.oneof(
    fc.nat().map((x) => (x * 2654435761) >>> 0),
    fc.nat(9),
  ),
};

/** What each op means, written out independently: f32 in every step, then the type. */
const float: Record<string, (x: number, y: number) => number> = {
  add: (x, y) => x + y,
  sub: (x, y) => x - y,
  mul: (x, y) => x * y,
  div: (x, y) => x / y,
  rem: (x, y) => x % y,
  min: Math.min,
  max: Math.max,
  neg: (x) => -x,
  abs: (x) => Math.abs(x),
  exp: (x) => Math.exp(x),
  exp2: (x) => Math.pow(2, x),
  log: (x) => Math.log(x),
  log2: (x) => Math.log2(x),
  sqrt: (x) => Math.sqrt(x),
  rsqrt: (x) => 1 / Math.sqrt(x),
  tanh: (x) => Math.tanh(x),
  erf: (x) => erf(x),
  sin: (x) => Math.sin(x),
  cos: (x) => Math.cos(x),
  floor: (x) => Math.floor(x),
  ceil: (x) => Math.ceil(x),
};
/** Exact 64-bit arithmetic, then wrapped to the type. */
const integer: Record<string, (x: bigint, y: bigint) => bigint> = {
  add: (x, y) => x + y,
  sub: (x, y) => x - y,
  mul: (x, y) => x * y,
  div: (x, y) => (y === 0n ? 0n : x / y),
  rem: (x, y) => (y === 0n ? 0n : x % y),
  min: (x, y) => (x < y ? x : y),
  max: (x, y) => (x > y ? x : y),
  and: (x, y) => x & y,
  or: (x, y) => x | y,
  xor: (x, y) => x ^ y,
  shl: (x, y) => x << (y & 31n),
  shr: (x, y) => x >> (y & 31n),
  neg: (x) => -x,
  abs: (x) => (x < 0n ? -x : x),
};
const call = (name: string) => (x: Tile, y: Tile) => {
  const method = x[name as 'add'] as (y?: Tile) => Tile;
  return method.length > 0 ? method.call(x, y) : method.call(x);
};

describe.each(['f32', 'f16', 'bf16'] as const)('%s', (element) => {
  test.each(Object.keys(float))('%s', (name) => {
    const all = arrayOf(numbersOf[element]);
    const got = through(element, call(name));
    fc.assert(
      fc.property(all, all, (x, y) => {
        const want = x.map((v, i) => roundTo(element, Math.fround(float[name]!(v, y[i]!))));
        expect(got(x, y)).toEqual(want);
      }),
    );
  });
});

describe.each(['i32', 'u32'] as const)('%s', (element) => {
  const names = Object.keys(integer).filter((name) => element === 'i32' || !/neg|abs/.test(name));
  test.each(names)('%s', (name) => {
    const all = arrayOf(numbersOf[element]);
    const wrap = (v: bigint) => Number(element === 'i32' ? BigInt.asIntN(32, v) : BigInt.asUintN(32, v));
    const got = through(element, call(name));
    fc.assert(
      fc.property(all, all, (x, y) => {
        expect(got(x, y)).toEqual(x.map((v, i) => wrap(integer[name]!(BigInt(v), BigInt(y[i]!)))));
      }),
    );
  });
});

describe('comparisons and choice', () => {
  const compares: Record<string, (x: number, y: number) => boolean> = {
    lt: (x, y) => x < y,
    le: (x, y) => x <= y,
    gt: (x, y) => x > y,
    ge: (x, y) => x >= y,
    eq: (x, y) => x === y,
    ne: (x, y) => x !== y,
  };
  test.each(Object.keys(compares))('%s', (name) => {
    const numbers = arrayOf(fc.oneof(fc.integer({ min: -2, max: 2 }), fc.constantFrom(NaN, Infinity, -0)));
    const compare = (a: Tile, b: Tile) => call(name)(a, b) as Tile<'bool'>;
    const asNumber = through('f32', (a, b) => compare(a, b).cast('i32'), 'i32');
    const chosen = through('f32', (a, b) => compare(a, b).where(a, b));
    fc.assert(
      fc.property(numbers, numbers, (x, y) => {
        const holds = x.map((v, i) => compares[name]!(v, y[i]!));
        expect(asNumber(x, y)).toEqual(holds.map(Number));
        expect(chosen(x, y)).toEqual(holds.map((h, i) => (h ? x[i] : y[i])));
      }),
    );
  });

  test('bool logic', () => {
    const x = Array.from({ length: n }, (_, i) => i & 1);
    const y = Array.from({ length: n }, (_, i) => (i >> 1) & 1);
    const logic = (f: (a: Tile, b: Tile) => Tile) =>
      through('i32', (a, b) => f(a.ne(0), b.ne(0)).cast('i32'))(x, y);
    expect(logic((a, b) => a.and(b))).toEqual(x.map((v, i) => v & y[i]!));
    expect(logic((a, b) => a.or(b))).toEqual(x.map((v, i) => v | y[i]!));
    expect(logic((a, b) => a.xor(b))).toEqual(x.map((v, i) => v ^ y[i]!));
    expect(logic((a) => a.not())).toEqual(x.map((v) => 1 - v));
  });
});

describe('casts', () => {
  test('float to integer truncates, saturates, and takes NaN to 0', () => {
    const x = [
      1.9,
      -1.9,
      0.5,
      -0.5,
      3e9,
      -3e9,
      5e9,
      Infinity,
      -Infinity,
      NaN,
      0,
      -0,
      1e10,
      7,
      -7,
      2147483520,
    ];
    const i32 = x.map((v) => Math.trunc(Math.max(-(2 ** 31), Math.min(2 ** 31 - 1, v))) || 0);
    const u32 = x.map((v) => Math.trunc(Math.max(0, Math.min(2 ** 32 - 1, v))) || 0);
    expect(through('f32', (a) => a.cast('i32'), 'i32')(x)).toEqual(i32);
    expect(through('f32', (a) => a.cast('u32'), 'u32')(x)).toEqual(u32);
  });

  test.each(['f16', 'bf16'] as const)('to %s rounds to nearest even', (half) => {
    const to = through('f32', (a) => a.cast(half), half);
    const from = through(half, (a) => a.cast('f32'), 'f32');
    fc.assert(
      fc.property(arrayOf(numbersOf.f32), (x) => {
        const rounded = x.map((v) => roundTo(half, v));
        expect(to(x)).toEqual(rounded);
        expect(from(rounded)).toEqual(rounded);
      }),
    );
  });

  test('integers', () => {
    const toFloat = through('i32', (a) => a.cast('f32'), 'f32');
    const toUnsigned = through('i32', (a) => a.cast('u32'), 'u32');
    const toSigned = through('u32', (a) => a.cast('i32'), 'i32');
    fc.assert(
      fc.property(arrayOf(fc.integer()), (x) => {
        const bits = x.map((v) => v >>> 0);
        expect(toFloat(x)).toEqual(x.map(Math.fround));
        expect(toUnsigned(x)).toEqual(bits);
        expect(toSigned(bits)).toEqual(x);
      }),
    );
  });
});
