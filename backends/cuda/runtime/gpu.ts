/** One GPU: its context, memory, streams and events. Everything made here is released by close(). */
import { readFileSync } from 'node:fs';
import { fail } from '../../../compiler/diagnostics/error.ts';
import { attribute, Driver, type Pointer } from './driver.ts';

export interface GpuFacts {
  readonly name: string;
  /** Compute capability, e.g. 90. */
  readonly capability: number;
  readonly multiprocessors: number;
  readonly l2Bytes: number;
  readonly memoryBytes: number;
  /** Shared memory that one block may ask for. */
  readonly sharedBytes: number;
  readonly maxThreads: number;
  /** The kernel driver where it says its version, and the CUDA version it supports: "580.95.05, CUDA 13.0". */
  readonly driver: string;
}

export interface Allocation {
  readonly address: Pointer;
  readonly bytes: number;
}

export class Gpu {
  readonly driver: Driver;
  readonly facts: GpuFacts;
  readonly stream: Pointer;
  readonly #device: number;
  readonly #allocations = new Map<Pointer, number>();
  #open = true;

  /** @throws PAT0702 where there is no device with this ordinal. */
  constructor(driver: Driver, ordinal = 0) {
    this.driver = driver;
    const count = driver.out<number>('counting devices', 'cuDeviceGetCount');
    if (ordinal >= count)
      fail('PAT0702', `there is no CUDA device ${ordinal}: the driver lists ${count}`, {
        help: 'check `nvidia-smi` and CUDA_VISIBLE_DEVICES',
      });
    this.#device = driver.out<number>('opening a device', 'cuDeviceGet', ordinal);
    this.facts = factsOf(driver, this.#device);
    const context = driver.out<Pointer>('making a context', 'cuDevicePrimaryCtxRetain', this.#device);
    driver.call('making a context', 'cuCtxSetCurrent', context);
    // Non-blocking: nothing waits for the default stream.
    this.stream = driver.out<Pointer>('making a stream', 'cuStreamCreate', 1);
  }

  allocate(bytes: number, what: string): Allocation {
    const address = this.driver.out<Pointer | number>(
      `allocating ${bytes} bytes for ${what}`,
      'cuMemAlloc',
      Math.max(bytes, 16),
    );
    const allocation = { address: BigInt(address), bytes };
    this.#allocations.set(allocation.address, bytes);
    return allocation;
  }

  free(allocation: Allocation): void {
    if (!this.#allocations.delete(allocation.address)) return;
    this.driver.attempt('cuMemFree', allocation.address);
  }

  upload(to: Allocation, data: ArrayBufferView, what: string, offset = 0): void {
    if (data.byteLength === 0) return;
    this.driver.call(
      `copying ${what} to the device`,
      'cuMemcpyHtoD',
      to.address + BigInt(offset),
      data,
      data.byteLength,
    );
  }

  /** Fills `into` from the start of the allocation. Waits for the stream. */
  download(from: Allocation, into: ArrayBufferView, what: string, offset = 0): void {
    if (into.byteLength === 0) return;
    this.driver.call(
      `copying ${what} from the device`,
      'cuMemcpyDtoH',
      into,
      from.address + BigInt(offset),
      into.byteLength,
    );
  }

  fill(allocation: Allocation, byte: number): void {
    if (allocation.bytes > 0)
      this.driver.call('filling memory', 'cuMemsetD8', allocation.address, byte, allocation.bytes);
  }

  synchronize(doing: string): void {
    this.driver.call(doing, 'cuCtxSynchronize');
  }

  get allocatedBytes(): number {
    return [...this.#allocations.values()].reduce((a, b) => a + b, 0);
  }

  /** Safe after a fault, and twice. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    for (const address of this.#allocations.keys()) this.driver.attempt('cuMemFree', address);
    this.#allocations.clear();
    this.driver.attempt('cuStreamDestroy', this.stream);
    this.driver.attempt('cuDevicePrimaryCtxRelease', this.#device);
  }
}

/** Linux: what the NVIDIA kernel module says of itself. */
function kernelDriver(): string {
  try {
    const found = /Kernel Module\s.*?(\d+(?:\.\d+)+)/.exec(
      readFileSync('/proc/driver/nvidia/version', 'utf8'),
    );
    return found ? `${found[1]}, ` : '';
  } catch {
    return '';
  }
}

function factsOf(driver: Driver, device: number): GpuFacts {
  const name = new Uint8Array(256);
  driver.call('asking for the device name', 'cuDeviceGetName', name, name.length, device);
  const ask = (which: number): number => driver.attribute(device, which);
  const version = driver.out<number>('asking for the driver version', 'cuDriverGetVersion');
  return {
    name: Buffer.from(name.subarray(0, name.indexOf(0))).toString('utf8'),
    capability: ask(attribute.major) * 10 + ask(attribute.minor),
    multiprocessors: ask(attribute.multiprocessors),
    l2Bytes: ask(attribute.l2Bytes),
    memoryBytes: Number(driver.out<number | bigint>('asking for memory', 'cuDeviceTotalMem', device)),
    sharedBytes: ask(attribute.sharedOptin),
    maxThreads: ask(attribute.maxThreads),
    driver: `${kernelDriver()}CUDA ${Math.floor(version / 1000)}.${Math.floor((version % 1000) / 10)}`,
  };
}
