/**
 * Kernel arguments in memory that the driver can read: one 8-byte slot per argument, then the pointers to the slots and to
 * the tensor maps, then the maps.
 */
import { fail } from '../../../compiler/diagnostics/error.ts';
import type { RegType, ThreadKernel } from '../../../compiler/thread/nodes.ts';
import { tensorMapsOf } from '../../../compiler/thread/walk.ts';
import type { Driver } from './driver.ts';
import { koffi } from './library.ts';
import { encodeMap } from './maps.ts';

export type ScalarValue = { readonly type: RegType; readonly value: number };

/** A scalar as it lies in a little-endian argument slot. @throws PAT0708 where it does not fit its type. */
export function writeScalar(view: DataView, at: number, name: string, { type, value }: ScalarValue): void {
  const whole = type === 'i32' || type === 'u32';
  const [lo, hi] = type === 'u32' ? [0, 2 ** 32 - 1] : [-(2 ** 31), 2 ** 31 - 1];
  if (whole && (!Number.isInteger(value) || value < lo || value > hi))
    fail('PAT0708', `argument ${name} = ${value} does not fit ${type}`);
  if (type === 'f32') view.setFloat32(at, value, true);
  else if (type === 'u32') view.setUint32(at, value, true);
  else if (type === 'i32') view.setInt32(at, value, true);
  else view.setUint8(at, value ? 1 : 0);
}

export class Arguments {
  /** `void **kernelParams` of cuLaunchKernelEx. */
  readonly pointer: bigint;
  readonly #block: bigint;

  /** `addresses` by kernel buffer name, `scalars` by parameter name. */
  constructor(
    driver: Driver,
    kernel: ThreadKernel,
    addresses: Readonly<Record<string, bigint>>,
    scalars: Readonly<Record<string, number>>,
  ) {
    const count = kernel.buffers.length + kernel.params.length;
    const library = koffi();
    const maps = tensorMapsOf(kernel.body);
    const words = 2 * count + maps.length;
    // Maps take 128 bytes each, aligned to 64.
    this.#block = library.alloc('uint64_t', Math.max(1, words + 16 * maps.length + 8));
    const firstMap = ((this.#block + BigInt(8 * words) + 63n) / 64n) * 64n;
    const view = new DataView(library.view(this.#block, Math.max(8, 8 * words)));
    try {
      kernel.buffers.forEach((b, i) => {
        const address = addresses[b.name];
        if (address === undefined)
          fail('PAT0708', `kernel ${kernel.name} is launched without buffer ${b.name}`);
        view.setBigUint64(8 * i, address, true);
      });
      kernel.params.forEach((p, i) => {
        const value = scalars[p.name];
        if (value === undefined)
          fail('PAT0708', `kernel ${kernel.name} is launched without argument ${p.name}`);
        writeScalar(view, 8 * (kernel.buffers.length + i), p.name, { type: p.type, value });
      });
      maps.forEach((m, i) => {
        const to = firstMap + BigInt(128 * i);
        encodeMap(driver, to, m, addresses[m.buffer.name]!, scalars);
        view.setBigUint64(8 * (2 * count + i), to, true);
      });
    } catch (error) {
      library.free(this.#block);
      throw error;
    }
    for (let i = 0; i < count; i++) view.setBigUint64(8 * (count + i), this.#block + BigInt(8 * i), true);
    this.pointer = this.#block + BigInt(8 * count);
  }

  free(): void {
    koffi().free(this.#block);
  }
}
