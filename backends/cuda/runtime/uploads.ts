/** Host arrays that are on the device already. The least recently used go when memory runs short. */
import type { HostBuffer } from '../../../compiler/backend.ts';
import type { Allocation, Gpu } from './gpu.ts';

/** Smaller ones are copied again: that costs microseconds. */
const worthKeeping = 1 << 20;
/** Share of the device's memory that may be held. */
const share = 0.5;

interface Kept {
  readonly array: ArrayBufferLike;
  readonly from: number;
  readonly allocation: Allocation;
}

export class Uploads {
  readonly #gpu: Gpu;
  /** Least recently used first. */
  #kept: Kept[] = [];

  constructor(gpu: Gpu) {
    this.#gpu = gpu;
  }

  /**
   * The allocation that holds the buffer's data, copied there if need be; undefined where it is not worth keeping or
   * there is no room beside `inUse`.
   */
  get({ name, data }: HostBuffer, inUse: ReadonlySet<Allocation>): Allocation | undefined {
    if (data.byteLength < worthKeeping || data.byteLength > this.#gpu.facts.memoryBytes * share)
      return undefined;
    const same = (k: Kept): boolean => k.array === data.buffer && k.from === data.byteOffset;
    const found = this.#kept.find((k) => same(k) && k.allocation.bytes >= data.byteLength);
    if (found) {
      this.#kept = [...this.#kept.filter((k) => k !== found), found];
      return found.allocation;
    }
    const free = (k: Kept): boolean => !inUse.has(k.allocation);
    // A longer view of the same data replaces the shorter one.
    for (const k of this.#kept.filter((k) => same(k) && free(k))) this.#release(k);
    const fits = (): boolean =>
      this.#kept.reduce((sum, k) => sum + k.allocation.bytes, data.byteLength) <=
      this.#gpu.facts.memoryBytes * share;
    for (const k of this.#kept.filter(free)) if (!fits()) this.#release(k);
    if (!fits()) return undefined;
    const allocation = this.#gpu.allocate(data.byteLength, `buffer ${name}`);
    try {
      this.#gpu.upload(allocation, data, `buffer ${name}`);
    } catch (error) {
      this.#gpu.free(allocation);
      throw error;
    }
    this.#kept.push({ array: data.buffer, from: data.byteOffset, allocation });
    return allocation;
  }

  #release(k: Kept): void {
    this.#kept = this.#kept.filter((other) => other !== k);
    this.#gpu.free(k.allocation);
  }
}
