import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Device } from '../../../compiler/backend.ts';
import { roundBf16, roundF16 } from '../../../compiler/ir/numeric.ts';
import { erf as exactErf } from '../../../compiler/ir/erf.ts';
import * as b from '../../../compiler/thread/build.ts';
import type { Expr, Stmt, UnaryName } from '../../../compiler/thread/nodes.ts';
import { openDevice } from '../../../backends/wgsl/runtime/node.ts';
import { emitKernel } from '../../../backends/wgsl/emit/index.ts';
import { validateModule } from '../../../backends/wgsl/runtime/validator.ts';
import { at, buffer, kernel, launch } from './kernels.ts';

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

const count = 64;
const store = (name: ReturnType<typeof buffer>, value: Expr): Stmt => ({
  s: 'storeGlobal',
  span: at(2),
  buffer: name,
  index: b.threadId(),
  value,
});

/** f(x[i]) on the device, for 64 values. */
async function f32Map(values: readonly number[], f: (x: Expr) => Expr): Promise<number[]> {
  const [x, y] = [buffer('x', 'f32', 'read'), buffer('y', 'f32', 'write')];
  const k = kernel(count, [x, y], [store(y, f(b.loadGlobal(x, b.threadId())))]);
  for (const f16 of [false, true]) await validateModule(emitKernel(k, { f16 }));
  const out = await launch(device, k, { x: Float32Array.from(values), y: new Float32Array(count).fill(NaN) });
  return [...out.get('y')!];
}

async function i32Map(values: readonly number[], f: (x: Expr) => Expr): Promise<number[]> {
  const [x, y] = [buffer('x', 'i32', 'read'), buffer('y', 'i32', 'write')];
  const k = kernel(count, [x, y], [store(y, f(b.loadGlobal(x, b.threadId())))]);
  for (const f16 of [false, true]) await validateModule(emitKernel(k, { f16 }));
  return [...(await launch(device, k, { x: Int32Array.from(values), y: new Int32Array(count) })).get('y')!];
}

const spread = (lo: number, hi: number): number[] =>
  Array.from({ length: count }, (_, i) => Math.fround(lo + ((hi - lo) * i) / (count - 1)));
const some = (seed: number): number[] =>
  Array.from({ length: count }, (_, i) => (Math.imul(i * 2654435761 + seed, 0x9e3779b1) >> (i % 28)) | 0);

describe('floats', () => {
  const functions: Record<Exclude<UnaryName, 'not'>, [(x: number) => number, number, number]> = {
    neg: [(x) => -x, -9, 9],
    abs: [Math.abs, -9, 9],
    exp: [Math.exp, -20, 20],
    exp2: [(x) => 2 ** x, -20, 20],
    log: [Math.log, 0.01, 90],
    log2: [Math.log2, 0.01, 90],
    sqrt: [Math.sqrt, 0, 90],
    rsqrt: [(x) => 1 / Math.sqrt(x), 0.01, 90],
    tanh: [Math.tanh, -90, 90],
    erf: [exactErf, -5, 5],
    // WGSL asks no more of these two than 2^-11.
    sin: [Math.sin, -3, 3],
    cos: [Math.cos, -3, 3],
    floor: [Math.floor, -9, 9],
    ceil: [Math.ceil, -9, 9],
  };
  it.each(Object.entries(functions))('%s', async (name, [exact, lo, hi]) => {
    const tolerance = name === 'sin' || name === 'cos' ? 2 ** -11 : 4e-6;
    const values = spread(lo, hi);
    const got = await f32Map(values, (x) => b.unary(name as UnaryName, x));
    got.forEach((y, i) =>
      expect(Math.abs(y - exact(values[i]!))).toBeLessThan(tolerance * (1 + Math.abs(exact(values[i]!)))),
    );
  });

  it('binary operators, fma, select and compare', async () => {
    const values = spread(-7, 7.5);
    const f = (x: Expr): Expr =>
      b.select(
        b.or(b.lt(x, b.constF(-1)), b.gt(x, b.constF(2))),
        b.fma(x, x, b.sub(b.div(b.constF(1), x), b.rem(x, b.constF(1.5)))),
        b.min(b.max(b.mul(x, b.constF(-3)), b.constF(-0.5)), b.neg(b.neg(x))),
      );
    const exact = (x: number): number =>
      x < -1 || x > 2 ? x * x + (1 / x - (x % 1.5)) : Math.min(Math.max(-3 * x, -0.5), x);
    (await f32Map(values, f)).forEach((y, i) => expect(y).toBeCloseTo(exact(values[i]!), 3));
  });

  it('infinities are values, and exp of minus infinity is 0', async () => {
    const values = spread(-3, 3);
    const f = (x: Expr): Expr => b.add(b.max(b.constF(-Infinity), x), b.unary('exp', b.constF(-Infinity)));
    expect(await f32Map(values, f)).toEqual(values);
    expect((await f32Map(values, () => b.constF(-Infinity)))[0]).toBe(-Infinity);
    const least = (x: Expr): Expr => b.unary('exp2', b.sub(b.constF(-Infinity), x));
    expect((await f32Map(values, least)).every((y) => y === 0)).toBe(true);
  });

  it('odd constants', async () => {
    const values = spread(0, 1);
    for (const c of [1e-30, 1.5e30, -0.1, 16777216, 1e7, 1e21])
      expect((await f32Map(values, () => b.constF(c)))[0]).toBe(Math.fround(c));
  });
});

describe('halves', () => {
  const values = [
    0,
    -0,
    1,
    65504,
    65519,
    65520,
    -70000,
    1e30,
    Infinity,
    -Infinity,
    6e-8,
    3e-8,
    2 ** -25,
    1.001 * 2 ** -25,
    1e-5,
    -1e-7,
    1 + 1 / 2048,
    1 + 3 / 2048,
    2 ** -14,
    2 ** -14 - 2 ** -26,
    0.1,
    -0.3,
    1e-37,
  ];
  while (values.length < count) values.push((values.length - 40) * 1.2345 ** (values.length - 40));
  const near = values.map(Math.fround);

  it.each([
    ['f16', roundF16],
    ['bf16', roundBf16],
  ] as const)('%s rounds to nearest even, whatever the magnitude', async (to, exact) => {
    const expected = near.map(exact);
    expect((await f32Map(near, (x) => b.round(to, x))).map((x) => x + 0)).toEqual(expected.map((x) => x + 0));
    const packed = (half: 0 | 1) => (x: Expr) => {
      const word: Expr = {
        e: 'pack',
        type: 'u32',
        to,
        lo: half === 0 ? x : b.constF(1),
        hi: half === 0 ? b.constF(1) : x,
      };
      return { e: 'unpack', type: 'f32', from: to, a: word, half } as Expr;
    };
    for (const half of [0, 1] as const) {
      const got = await f32Map(near, packed(half));
      expect(got.map((x) => x + 0)).toEqual(expected.map((x) => x + 0));
    }
  });

  it.each(['f16', 'bf16'] as const)('a NaN in %s stays a NaN', async (to) => {
    const got = await f32Map(
      Array.from({ length: count }, () => NaN),
      (x) => b.round(to, x),
    );
    expect(got.every(Number.isNaN)).toBe(true);
  });
});

describe('integers', () => {
  it('divide and take remainders as C does', async () => {
    const values = some(1);
    for (const c of [1, 3, 8, 80, -5]) {
      expect(await i32Map(values, (x) => b.div(x, c))).toEqual(values.map((x) => Math.trunc(x / c) | 0));
      expect((await i32Map(values, (x) => b.rem(x, c))).map((x) => x + 0)).toEqual(
        values.map((x) => (x % c) + 0),
      );
    }
  });

  it('divide thread ids without signed division', async () => {
    const body = (c: number): Expr => b.add(b.mul(b.div(b.threadId(), c), 1000), b.rem(b.threadId(), c));
    for (const c of [4, 6, 16])
      expect(await i32Map(some(2), () => body(c))).toEqual(
        Array.from({ length: count }, (_, i) => Math.floor(i / c) * 1000 + (i % c)),
      );
  });

  it('bits, shifts, conversions and nested precedence', async () => {
    const values = some(3);
    const f = (x: Expr): Expr =>
      b.xor(
        b.shl(b.and(b.shr(x, 3), b.or(x, 0x55)), b.convert('i32', b.lt(x, 0))),
        b.sub(
          b.sub(b.not(x), b.sub(b.constI(5), x)),
          b.neg(b.convert('i32', b.convert('f32', b.rem(x, 1000)))),
        ),
      );
    const exact = (x: number): number =>
      (((x >> 3) & (x | 0x55)) << (x < 0 ? 1 : 0)) ^ ((~x - ((5 - x) | 0) - -(x % 1000)) | 0);
    expect(await i32Map(values, f)).toEqual(values.map(exact));
    const u = (x: Expr): Expr => b.bitcast('i32', b.shr(b.bitcast('u32', x), 7));
    expect(await i32Map(values, u)).toEqual(values.map((x) => (x >>> 7) | 0));
    const t = (x: Expr): Expr => b.convert('i32', b.mul(b.convert('f32', b.rem(x, 99)), b.constF(0.5)));
    expect((await i32Map(values, t)).map((x) => x + 0)).toEqual(
      values.map((x) => Math.trunc((x % 99) * 0.5) + 0),
    );
    const least = b.constI(-(2 ** 31));
    expect(await i32Map(values, (x) => b.max(b.min(x, least), x))).toEqual(values);
  });

  it('booleans', async () => {
    const values = some(4);
    const f = (x: Expr): Expr => {
      const [p, q] = [b.lt(x, 100), b.gt(x, -100)];
      const odd = b.eq(b.and(x, 1), 1);
      return b.convert('i32', b.xor(b.and(p, q), b.or(b.not(odd), b.xor(p, odd))));
    };
    const exact = (x: number): boolean => {
      const [p, q, odd] = [x < 100, x > -100, (x & 1) === 1];
      return (p && q) !== (!odd || p !== odd);
    };
    expect(await i32Map(values, f)).toEqual(values.map((x) => Number(exact(x))));
  });

  it('guards give the other value where the condition does not hold, even with a wild index', async () => {
    const [x, y] = [buffer('x', 'i32', 'read'), buffer('y', 'i32', 'write')];
    const wild = b.loadGlobal(x, b.mul(b.threadId(), 100_000));
    const k = kernel(count, [x, y], [store(y, b.guard(b.lt(b.threadId(), 1), wild, b.constI(-7)))]);
    const out = await launch(device, k, { x: Int32Array.from(some(5)), y: new Int32Array(count) });
    expect([...out.get('y')!]).toEqual(some(5).map((v, i) => (i === 0 ? v : -7)));
  });
});
