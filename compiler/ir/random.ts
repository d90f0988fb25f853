/**
 * Seeded random numbers for tests and for the inputs of programs: the same seed gives the same numbers everywhere.
 *
 * The generator is xoshiro128** 1.1 (Blackman and Vigna, "Scrambled linear pseudorandom number generators", 2018),
 * its state filled by splitmix32 from the seed. Normals are Box and Muller's, one pair at a time.
 */
import { encodeArray, type HostArray, type HostElement } from './numeric.ts';

export class Random {
  private a: number;
  private b: number;
  private c: number;
  private d: number;
  private spare: number | undefined;

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
    if (this.spare !== undefined) {
      const value = this.spare;
      this.spare = undefined;
      return value;
    }
    // 1 - u is in (0, 1]: its logarithm is finite.
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    const angle = 2 * Math.PI * this.uniform();
    this.spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }

  /** `length` normals of that standard deviation, as storage of the element. */
  normals(element: HostElement, length: number, deviation = 1): HostArray {
    const values = new Float64Array(length);
    for (let i = 0; i < length; i++) values[i] = this.normal() * deviation;
    return encodeArray(element, values);
  }

  /** `length` uniforms in [lo, hi), as storage of the element. */
  uniforms(element: HostElement, length: number, lo = 0, hi = 1): HostArray {
    const values = new Float64Array(length);
    for (let i = 0; i < length; i++) values[i] = this.uniform(lo, hi);
    return encodeArray(element, values);
  }
}
