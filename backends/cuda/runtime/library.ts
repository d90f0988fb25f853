/** Shared libraries through koffi, and the C functions that patc calls in CUDA's driver. */
import { createRequire } from 'node:module';
import { fail } from '../../../compiler/diagnostics/error.ts';

type Native = (...args: unknown[]) => unknown;

/** The part of koffi that is used here. Pointers are bigint. */
export interface Koffi {
  load(path: string): { func(prototype: string): Native };
  alloc(type: string, length: number): bigint;
  free(pointer: bigint): void;
  view(pointer: bigint, bytes: number): ArrayBuffer;
  decode(pointer: bigint, type: string, length: number): unknown;
}

/** koffi is loaded when a library is first asked for: it brings native code. */
export const koffi = (): Koffi => createRequire(import.meta.url)('koffi') as Koffi;

/**
 * Prototypes from the CUDA driver API reference. Handles (contexts, modules, functions, streams, events, graphs) are opaque
 * pointers, device addresses 64-bit integers. Versioned names are the ones that cuda.h maps the plain names to.
 */
const prototypes = {
  cuInit: 'int cuInit(unsigned int flags)',
  cuDriverGetVersion: 'int cuDriverGetVersion(_Out_ int *version)',
  cuGetErrorName: 'int cuGetErrorName(int error, _Out_ const char **text)',
  cuGetErrorString: 'int cuGetErrorString(int error, _Out_ const char **text)',
  cuDeviceGetCount: 'int cuDeviceGetCount(_Out_ int *count)',
  cuDeviceGet: 'int cuDeviceGet(_Out_ int *device, int ordinal)',
  cuDeviceGetName: 'int cuDeviceGetName(_Out_ uint8_t *name, int length, int device)',
  cuDeviceGetAttribute: 'int cuDeviceGetAttribute(_Out_ int *value, int attribute, int device)',
  cuDeviceTotalMem: 'int cuDeviceTotalMem_v2(_Out_ size_t *bytes, int device)',
  cuDevicePrimaryCtxRetain: 'int cuDevicePrimaryCtxRetain(_Out_ void **context, int device)',
  cuDevicePrimaryCtxRelease: 'int cuDevicePrimaryCtxRelease_v2(int device)',
  cuCtxSetCurrent: 'int cuCtxSetCurrent(void *context)',
  cuCtxSynchronize: 'int cuCtxSynchronize()',
  cuMemGetInfo: 'int cuMemGetInfo_v2(_Out_ size_t *free, _Out_ size_t *total)',
  cuMemAlloc: 'int cuMemAlloc_v2(_Out_ uint64_t *address, size_t bytes)',
  cuMemFree: 'int cuMemFree_v2(uint64_t address)',
  cuMemcpyHtoD: 'int cuMemcpyHtoD_v2(uint64_t to, const void *from, size_t bytes)',
  cuMemcpyDtoH: 'int cuMemcpyDtoH_v2(_Out_ void *to, uint64_t from, size_t bytes)',
  cuMemcpyDtoD: 'int cuMemcpyDtoD_v2(uint64_t to, uint64_t from, size_t bytes)',
  cuMemsetD8: 'int cuMemsetD8_v2(uint64_t address, unsigned char value, size_t count)',
  cuMemsetD8Async: 'int cuMemsetD8Async(uint64_t address, unsigned char value, size_t count, void *stream)',
  cuModuleLoadData: 'int cuModuleLoadData(_Out_ void **module, const void *image)',
  cuModuleUnload: 'int cuModuleUnload(void *module)',
  cuModuleGetFunction: 'int cuModuleGetFunction(_Out_ void **function, void *module, const char *name)',
  cuFuncSetAttribute: 'int cuFuncSetAttribute(void *function, int attribute, int value)',
  cuFuncGetAttribute: 'int cuFuncGetAttribute(_Out_ int *value, int attribute, void *function)',
  cuOccupancyMaxActiveBlocksPerMultiprocessor:
    'int cuOccupancyMaxActiveBlocksPerMultiprocessor(_Out_ int *blocks, void *function, int threads, size_t shared)',
  cuLaunchKernelEx: 'int cuLaunchKernelEx(void *config, void *function, void *params, void *extra)',
  cuTensorMapEncodeTiled:
    'int cuTensorMapEncodeTiled(void *map, int type, unsigned int rank, uint64_t base, const uint64_t *extents, const uint64_t *strides, const uint32_t *box, const uint32_t *steps, int interleave, int swizzle, int promotion, int fill)',
  cuStreamCreate: 'int cuStreamCreate(_Out_ void **stream, unsigned int flags)',
  cuStreamDestroy: 'int cuStreamDestroy_v2(void *stream)',
  cuStreamSynchronize: 'int cuStreamSynchronize(void *stream)',
  cuStreamBeginCapture: 'int cuStreamBeginCapture_v2(void *stream, int mode)',
  cuStreamEndCapture: 'int cuStreamEndCapture(void *stream, _Out_ void **graph)',
  cuGraphInstantiate: 'int cuGraphInstantiateWithFlags(_Out_ void **executable, void *graph, uint64_t flags)',
  cuGraphLaunch: 'int cuGraphLaunch(void *executable, void *stream)',
  cuGraphExecDestroy: 'int cuGraphExecDestroy(void *executable)',
  cuGraphDestroy: 'int cuGraphDestroy(void *graph)',
  cuEventCreate: 'int cuEventCreate(_Out_ void **event, unsigned int flags)',
  cuEventDestroy: 'int cuEventDestroy_v2(void *event)',
  cuEventRecord: 'int cuEventRecord(void *event, void *stream)',
  cuEventSynchronize: 'int cuEventSynchronize(void *event)',
  cuEventElapsedTime: 'int cuEventElapsedTime(_Out_ float *milliseconds, void *start, void *end)',
} as const;

export type DriverFunction = keyof typeof prototypes;
export type DriverLibrary = Readonly<Record<DriverFunction, (...args: unknown[]) => number>>;

/** Binds every function on first use: a driver that lacks one of them fails only where it is called, with PAT0702. */
export function loadDriver(path: string): DriverLibrary {
  const library = koffi().load(path);
  const driver = {} as Record<DriverFunction, (...args: unknown[]) => number>;
  for (const [name, prototype] of Object.entries(prototypes) as [DriverFunction, string][])
    Object.defineProperty(driver, name, {
      configurable: true,
      get() {
        const value = find(library, name, prototype);
        Object.defineProperty(driver, name, { value });
        return value;
      },
    });
  return driver;
}

function find(library: { func(prototype: string): Native }, name: string, prototype: string) {
  try {
    return library.func(prototype) as (...args: unknown[]) => number;
  } catch {
    return fail('PAT0702', `the CUDA driver has no function ${name}`, {
      help: 'install a driver of CUDA 11.8 or newer',
    });
  }
}
