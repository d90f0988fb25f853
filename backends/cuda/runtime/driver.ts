/** CUDA's driver, with errors as PatcErrors that say what was being done. */
import { fail } from '../../../compiler/diagnostics/error.ts';
import { loadDriver, type DriverFunction, type DriverLibrary } from './library.ts';

/** A handle or an address. */
export type Pointer = bigint;

/** CUresult codes after which the context is unusable (cuda.h): a kernel faulted. */
const sticky = new Set([214, 700, 702, 710, 714, 715, 716, 717, 718, 719, 721]);
const outOfMemory = 2;

export const attribute = {
  maxThreads: 1,
  multiprocessors: 16,
  l2Bytes: 38,
  major: 75,
  minor: 76,
  memoryClockKhz: 36,
  memoryBusBits: 37,
  sharedOptin: 97,
} as const;

export class Driver {
  /** For calls whose own time counts; what they return is the caller's to look at. */
  readonly functions: DriverLibrary;

  /** @throws PAT0702 where the library is not there or finds no device. */
  constructor(path?: string) {
    this.functions = open(path === undefined ? usualPlaces : [path]);
    const status = this.functions.cuInit(0);
    if (status !== 0)
      fail('PAT0702', `the CUDA driver does not start: ${this.describe(status)}`, {
        help: 'check `nvidia-smi`; in a container, the GPU has to be passed in',
      });
  }

  /** "CUDA_ERROR_NO_DEVICE: no CUDA-capable device is detected". */
  describe(status: number): string {
    const [name, text]: [(string | null)[], (string | null)[]] = [[null], [null]];
    this.functions.cuGetErrorName(status, name);
    this.functions.cuGetErrorString(status, text);
    return name[0] ? `${name[0]}: ${text[0] ?? ''}` : `error ${status}`;
  }

  /** Calls a function and throws where it fails; `doing` completes "while …". */
  call(doing: string, name: DriverFunction, ...args: unknown[]): void {
    const status = this.functions[name](...args);
    if (status !== 0) this.failed(status, name, doing);
  }

  /** The status, for release paths that must go on. */
  attempt(name: DriverFunction, ...args: unknown[]): number {
    return this.functions[name](...args);
  }

  failed(status: number, name: string, doing: string): never {
    const what = `${this.describe(status)} while ${doing}`;
    if (sticky.has(status))
      return fail('PAT0704', what, {
        notes: [{ text: `${name} returned ${status}; the device context is lost` }],
        help: 'a kernel read or wrote outside its buffers or hung; compute-sanitizer names the access',
      });
    return fail('PAT0708', what, {
      notes: [{ text: `${name} returned ${status}` }],
      ...(status === outOfMemory ? { help: 'use a smaller workload, or a GPU with more memory' } : {}),
    });
  }

  /** A function with one output argument in front. */
  out<T>(doing: string, name: DriverFunction, ...args: unknown[]): T {
    const slot: [T | null] = [null];
    this.call(doing, name, slot, ...args);
    return slot[0] as T;
  }

  attribute(device: number, which: number): number {
    return this.out<number>('asking for a device attribute', 'cuDeviceGetAttribute', which, device);
  }
}

/** By name through the loader's paths, then where containers and WSL mount it. */
const usualPlaces =
  process.platform === 'win32'
    ? ['nvcuda.dll']
    : [
        'libcuda.so.1',
        '/usr/local/nvidia/lib64/libcuda.so.1',
        '/usr/lib/x86_64-linux-gnu/libcuda.so.1',
        '/usr/lib64/libcuda.so.1',
        '/usr/lib/wsl/lib/libcuda.so.1',
      ];

function open(paths: readonly string[]): DriverLibrary {
  const reasons: string[] = [];
  for (const path of paths) {
    try {
      return loadDriver(path);
    } catch (error) {
      reasons.push(error instanceof Error ? error.message : String(error));
    }
  }
  return fail('PAT0702', `the CUDA driver's library ${paths[0]} cannot be loaded`, {
    notes: [{ text: reasons[0] ?? '' }],
    help: 'run on a machine with an NVIDIA GPU and its driver, or choose --on webgpu or --on cpu',
  });
}
