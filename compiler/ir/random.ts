/**
 * Seeded random numbers for tests and for the inputs of programs: the same seed gives the same numbers everywhere.
 *
 * The generator is xoshiro128** 1.1 (Blackman and Vigna, "Scrambled linear pseudorandom number generators", 2018),
 * its state filled by splitmix32 from the seed. A normal is one of 65536 equally likely quantiles of the normal
 * distribution, up to 4.3 standard deviations: two table look-ups a draw fill gigabytes of inputs in seconds.
 */
import { erf } from './erf.ts';
import { allocate, encodeArray, type HostArray, type HostElement } from './numeric.ts';

let quantileTable: Float64Array | undefined;

/** The normal quantiles of (i + 1/2) / 65536, outwards from the median, each by Newton's method from the one before. */
function quantiles(): Float64Array {
  if (quantileTable) return quantileTable;
  const half = 32768;
  const table = new Float64Array(2 * half);
  let x = 0;
  for (let i = 0; i < half; i++) {
    // The probability between -x and x.
    const wanted = (i + 0.5) / half;
    for (let step = 0; step < 4; step++)
      x -= (erf(x * Math.SQRT1_2) - wanted) / (Math.sqrt(2 / Math.PI) * Math.exp((-x * x) / 2));
    table[half + i] = x;
    table[half - 1 - i] = -x;
  }
  return (quantileTable = table);
}

export class Random {
  private a: number;
  private b: number;
  private c: number;
  private d: number;

  constructor(seed: number) {
    let state = seed | 0;
    const next = (): number => {
      state = (state + 0x9e3779b9) | 0;
      let z = state;
      z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
      z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
      return z ^ (z >>> 15);
    };
    this.a = next();
    this.b = next();
    this.c = next();
    this.d = next();
  }

  /** 32 random bits, as an unsigned number. */
  bits(): number {
    const scrambled = Math.imul(this.b, 5);
    const result = Math.imul((scrambled << 7) | (scrambled >>> 25), 9);
    const t = this.b << 9;
    this.c ^= this.a;
    this.d ^= this.b;
    this.b ^= this.c;
    this.a ^= this.d;
    this.c ^= t;
    this.d = (this.d << 11) | (this.d >>> 21);
    return result >>> 0;
  }

  /** Uniform in [lo, hi). */
  uniform(lo = 0, hi = 1): number {
    return lo + (hi - lo) * (this.bits() * 2 ** -32);
  }

  /** Uniform among lo, lo+1, … hi-1. */
  integer(lo: number, hi: number): number {
    return lo + Math.floor(this.bits() * 2 ** -32 * (hi - lo));
  }

  pick<T>(items: readonly T[]): T {
    return items[this.integer(0, items.length)]!;
  }

  /** Standard normal. */
  normal(): number {
    return quantiles()[this.bits() >>> 16]!;
  }

  /** `length` normals of that standard deviation, as storage of the element. */
  normals(element: HostElement, length: number, deviation = 1): HostArray {
    const encoded = encodeArray(
      element,
      quantiles().map((x) => x * deviation),
    );
    const out = allocate(element, length);
    for (let i = 0; i < length; i += 2) {
      const bits = this.bits();
      out[i] = encoded[bits >>> 16]!;
      // Past the end nothing is stored.
      out[i + 1] = encoded[bits & 0xffff]!;
    }
    return out;
  }

  /** `length` uniforms in [lo, hi), as storage of the element. */
  uniforms(element: HostElement, length: number, lo = 0, hi = 1): HostArray {
    const values = new Float64Array(length);
    for (let i = 0; i < length; i++) values[i] = this.uniform(lo, hi);
    return encodeArray(element, values);
  }
}
