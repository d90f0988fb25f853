import { describe, expect, test } from 'vitest';
import fc from 'fast-check';
import {
  countUnwritten,
  decodeArray,
  decodeBf16,
  decodeF16,
  encodeArray,
  encodeBf16,
  encodeF16,
  erf,
  poisoned,
  Random,
  roundBf16,
  roundF16,
  roundTo,
  type HostElement,
} from '../../../compiler/ir/numeric.ts';

const halves = [
  { name: 'f16', encode: encodeF16, decode: decodeF16, round: roundF16, infinity: 0x7c00 },
  { name: 'bf16', encode: encodeBf16, decode: decodeBf16, round: roundBf16, infinity: 0x7f80 },
] as const;

describe.each(halves)('$name', ({ encode, decode, round, infinity }) => {
  test('every pattern survives decode and encode', () => {
    for (let bits = 0; bits < 65536; bits++) {
      const x = decode(bits);
      if ((bits & 0x7fff) > infinity) {
        if (!Number.isNaN(x) || !Number.isNaN(decode(encode(x)))) expect.fail(`NaN lost at ${bits}`);
      } else if (encode(x) !== bits || !Object.is(round(x), x))
        expect.fail(`${bits} -> ${x} -> ${encode(x)}`);
    }
  });

  test('values between neighbours go to the nearer one, ties to the even one', () => {
    // Next to each midpoint in f64, so that rounding through f32 first would show.
    for (let bits = 0; bits < infinity; bits++) {
      const low = decode(bits);
      const high = bits + 1 === infinity ? 2 * low - decode(bits - 1) : decode(bits + 1);
      const middle = (low + high) / 2;
      const nudge = (high - low) * 2 ** -40;
      const even = bits & 1 ? bits + 1 : bits;
      const got = [encode(middle - nudge), encode(middle), encode(middle + nudge), encode(-middle)];
      const want = [bits, even, bits + 1, even | 0x8000];
      if (got.some((g, i) => g !== want[i])) expect.fail(`at ${bits}: got ${got}, want ${want}`);
      if (round(middle) !== decode(even)) expect.fail(`round at ${bits}`);
    }
  });

  test('round is decode of encode', () => {
    fc.assert(fc.property(fc.double(), (x) => Object.is(round(x), decode(encode(x)))));
    fc.assert(fc.property(fc.float(), (x) => Object.is(round(x), decode(encode(x)))));
  });
});

test('f16 agrees with the engine', (context) => {
  const engine = (Math as { f16round?: (x: number) => number }).f16round;
  if (!engine) return context.skip();
  fc.assert(fc.property(fc.double(), (x) => Object.is(roundF16(x), engine(x))));
  fc.assert(fc.property(fc.double({ min: -7e4, max: 7e4 }), (x) => Object.is(roundF16(x), engine(x))));
  fc.assert(fc.property(fc.double({ min: -1e-4, max: 1e-4 }), (x) => Object.is(roundF16(x), engine(x))));
});

test('roundTo', () => {
  expect(roundTo('f32', 0.1)).toBe(Math.fround(0.1));
  expect(roundTo('i32', -2.7)).toBe(-2);
  expect(roundTo('i32', 2 ** 31)).toBe(-(2 ** 31));
  expect(roundTo('u32', -1)).toBe(2 ** 32 - 1);
  expect(roundTo('bf16', 1 + 2 ** -8)).toBe(1);
});

test('erf', () => {
  // DLMF table 7.1 and independent high-precision values.
  const known: [number, number][] = [
    [0, 0],
    [0.5, 0.5204998778130465],
    [1, 0.8427007929497149],
    [2, 0.9953222650189527],
    [2.5, 0.999593047982555],
    [3, 0.9999779095030014],
    [4, 0.9999999845827421],
    [7, 1],
    [Infinity, 1],
  ];
  for (const [x, y] of known) {
    expect(Math.abs(erf(x) - y)).toBeLessThan(1e-15);
    expect(erf(-x)).toBeCloseTo(-y, 14);
  }
  expect(erf(NaN)).toBeNaN();
  expect(Math.abs(erf(2.4999999999) - erf(2.5000000001))).toBeLessThan(1e-12);
});

const elements: HostElement[] = ['f32', 'f16', 'bf16', 'i32', 'u32'];

test.each(elements)('%s arrays round trip and show what nobody wrote', (element) => {
  const values = [0, 1, 2, 3, 100];
  expect([...decodeArray(element, encodeArray(element, values))]).toEqual(values);
  const output = poisoned(element, 6);
  expect(countUnwritten(element, output)).toBe(6);
  output.set(encodeArray(element, values));
  expect(countUnwritten(element, output)).toBe(1);
});

describe('random', () => {
  test('is a function of the seed', () => {
    const first = (seed: number) =>
      Array.from(
        { length: 8 },
        (
          (r) => () =>
            r.bits()
        )(new Random(seed)),
      );
    expect(first(7)).toEqual(first(7));
    expect(first(7)).not.toEqual(first(8));
  });

  test('has the moments it says', () => {
    const random = new Random(3);
    const normals = decodeArray('f32', random.normals('f32', 20000));
    const uniforms = decodeArray('f32', random.uniforms('f32', 20000, -1, 3));
    const mean = (v: Float64Array) => v.reduce((a, b) => a + b, 0) / v.length;
    expect(Math.abs(mean(normals))).toBeLessThan(0.03);
    expect(mean(normals.map((x) => x * x))).toBeCloseTo(1, 1);
    expect(mean(normals.map((x) => x ** 4))).toBeCloseTo(3, 0);
    expect(mean(uniforms)).toBeCloseTo(1, 1);
    expect(uniforms.every((x) => x >= -1 && x < 3)).toBe(true);
  });

  test('integers fill their range', () => {
    const random = new Random(1);
    const seen = new Set(Array.from({ length: 500 }, () => random.integer(-2, 5)));
    expect([...seen].sort((a, b) => a - b)).toEqual([-2, -1, 0, 1, 2, 3, 4]);
  });
});
