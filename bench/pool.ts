/**
 * K, V and queries for many cases from one pool of memory: generating fresh normals for the tens of gigabytes of a suite would take
 * longer than measuring it. The pool repeats a block of normals whose length is prime and larger than a page, so no two
 * pages have the same content (each starts at another place of the block), and V is the pool read from elsewhere.
 */
import { Random, type HostArray, type HostElement } from '../compiler/ir/numeric.ts';
import type { InputSource } from '../compiler/program.ts';

/** Elements of the repeated block; prime. */
const period = 16_777_259;
/** Where V begins in the pool: coprime to the block, so that it is nowhere K's shifted by whole pages. */
const valueOffset = 5_000_011;
const queryOffset = 9_000_011;

export class InputPool implements InputSource {
  readonly #seed: number;
  #element: HostElement | undefined;
  #pool: HostArray | undefined;
  #block: HostArray | undefined;

  constructor(seed: number) {
    this.#seed = seed;
  }

  take(name: string, element: HostElement, length: number): HostArray | undefined {
    const offset = { k: 0, v: valueOffset, q: queryOffset }[name];
    if (offset === undefined || (element !== 'f16' && element !== 'bf16')) return undefined;
    const pool = this.#sized(element, length + offset);
    return pool.subarray(offset, offset + length);
  }

  /** Makes the pool large enough for inputs of `length` elements at once, so that it does not grow case by case. */
  reserve(element: 'f16' | 'bf16', length: number): void {
    this.#sized(element, length + valueOffset);
  }

  /** Grows by making a new pool: what was handed out before stays valid until it is let go. */
  #sized(element: HostElement, length: number): HostArray {
    if (this.#element !== element || !this.#block) {
      this.#block = new Random(this.#seed).normals(element, period);
      this.#element = element;
      this.#pool = undefined;
    }
    if (this.#pool && this.#pool.length >= length) return this.#pool;
    this.#pool = undefined;
    const pool = new Uint16Array(length);
    for (let at = 0; at < length; at += period)
      pool.set((this.#block as Uint16Array).subarray(0, Math.min(period, length - at)), at);
    this.#pool = pool;
    return pool;
  }
}
