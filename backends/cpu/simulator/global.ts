/** Global buffers as the threads see them: bounds, values, what was written, and races within and between blocks. */
import type { HostArray } from '../../../compiler/backend.ts';
import { decodeBf16, decodeF16, encodeBf16, encodeF16 } from '../../../compiler/ir/numeric.ts';
import type { GlobalBuffer } from '../../../compiler/thread/nodes.ts';
import type { Context } from './context.ts';
import { GlobalFindings } from './global-findings.ts';
import { GlobalShadow, type Access } from './global-shadow.ts';
import type { Site } from './site.ts';

/** What is known of one host array, however many buffers of the kernel are bound to it. */
export interface GlobalState {
  /** Per element, whether it was written; absent where everything holds data. */
  readonly written?: Uint8Array | undefined;
  /** Absent where the kernel never writes to it: then it cannot race. */
  readonly shadow?: GlobalShadow | undefined;
}

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

export class GlobalMemory {
  readonly buffer: GlobalBuffer;
  /** Elements that may be accessed. */
  readonly length: number;
  private readonly data: HostArray;
  /** The words of a 32-bit buffer, or the halves. */
  private readonly raw: Uint32Array | Uint16Array;
  private readonly half: boolean;
  /** Of an element. */
  readonly bytes: number;
  private readonly state: GlobalState;
  private readonly context: Context;
  private readonly report: GlobalFindings;

  constructor(context: Context, buffer: GlobalBuffer, data: HostArray, length: number, state: GlobalState) {
    this.context = context;
    this.buffer = buffer;
    this.data = data;
    this.length = length;
    this.state = state;
    this.half = buffer.element === 'f16' || buffer.element === 'bf16';
    this.bytes = this.half ? 2 : 4;
    this.raw =
      data instanceof Float32Array || data instanceof Int32Array
        ? new Uint32Array(data.buffer, data.byteOffset, data.length)
        : data;
    this.report = new GlobalFindings(context, this);
  }

  /** False where the access leaves the buffer or is misaligned: it then does not take place. */
  private check(
    site: Site,
    w: number,
    l: number,
    index: number,
    count: number,
    access: Access,
    unit = count,
  ): boolean {
    const thread = (w << 5) + l;
    if (index < 0 || index + count > this.length) {
      this.report.outside(site, thread, index, count);
      return false;
    }
    if (count > 1 && index % unit !== 0) {
      this.report.misaligned(site, thread, index, unit * this.bytes);
      return false;
    }
    site.counter.note(l, index * this.bytes);
    const { written, shadow } = this.state;
    if (written)
      if (access === 'write') written.fill(1, index, index + count);
      else
        for (let i = index; i < index + count; i++)
          if (written[i] === 0) this.report.uninitialised(site, thread, i);
    if (shadow)
      for (let i = index; i < index + count; i++) {
        const found = shadow.access(this.context, site, thread, i, access);
        if (found) this.report.race(site, thread, i, found, access);
      }
    return true;
  }

  /** One element in a register: halves as f32. */
  load(site: Site, w: number, l: number, index: number): number {
    if (!this.check(site, w, l, index, 1, 'read')) return 0;
    const x = this.data[index]!;
    if (!this.half) return x;
    return this.buffer.element === 'f16' ? decodeF16(x) : decodeBf16(x);
  }

  /** Checks a load of words; the words are then there through `word`. */
  loadWords(site: Site, w: number, l: number, index: number, words: number, align = 4 * words): boolean {
    return this.check(site, w, l, index, (4 * words) / this.bytes, 'read', align / this.bytes);
  }

  word(index: number, i: number): number {
    if (!this.half) return this.raw[index + i]!;
    return (this.raw[index + 2 * i]! | (this.raw[index + 2 * i + 1]! << 16)) >>> 0;
  }

  storeWords(site: Site, w: number, l: number, index: number, words: number): boolean {
    return this.check(site, w, l, index, this.half ? words * 2 : words, 'write');
  }

  setWord(index: number, i: number, value: number): void {
    if (!this.half) this.raw[index + i] = value;
    else {
      this.raw[index + 2 * i] = value & 0xffff;
      this.raw[index + 2 * i + 1] = value >>> 16;
    }
  }

  store(site: Site, w: number, l: number, index: number, value: number): void {
    if (!this.check(site, w, l, index, 1, 'write')) return;
    if (!this.half) this.data[index] = value;
    else this.data[index] = this.buffer.element === 'f16' ? encodeF16(value) : encodeBf16(value);
  }

  atomic(site: Site, w: number, l: number, index: number, value: number, fn: 'add' | 'max' | 'min'): void {
    if (!this.check(site, w, l, index, 1, 'atomic')) return;
    const old = this.data[index]!;
    // Storing to the typed array wraps or rounds.
    this.data[index] =
      fn === 'add' ? old + value : fn === 'max' ? Math.max(old, value) : Math.min(old, value);
  }

  /** The element as text, for messages. */
  show(index: number): string {
    if (this.buffer.element === 'i32' || this.buffer.element === 'u32') return String(this.data[index]);
    if (!this.half) return String(this.data[index]);
    const x = this.data[index]!;
    return String(this.buffer.element === 'f16' ? decodeF16(x) : decodeBf16(x));
  }
}

/** The bits of an f32 as u32, and back. */
export function floatBits(x: number): number {
  float[0] = x;
  return bits[0]!;
}
export function bitsFloat(x: number): number {
  bits[0] = x;
  return float[0]!;
}
