/**
 * Running on a GPU. In reading order: library.ts binds the driver, driver.ts turns its errors into messages, gpu.ts owns a
 * device's memory, code.ts compiles and loads kernels, arguments.ts packs what they are launched with, launch.ts is one launch,
 * stream.ts times sequences of them, device.ts puts these together behind compiler/backend.ts.
 */
import { fail } from '../../../compiler/diagnostics/error.ts';
import { compileCubin } from '../nvcc/compile.ts';
import { findNvcc } from '../nvcc/find.ts';
import type { Compiler } from './code.ts';
import { CudaDevice } from './device.ts';
import { Driver } from './driver.ts';
import { Gpu } from './gpu.ts';
import { compileWithNvrtc } from './nvrtc.ts';

/** nvcc where it is there, else NVRTC; PATC_CUDA_COMPILER=nvcc|nvrtc insists on one. */
const compilerOf = (env: NodeJS.ProcessEnv): Compiler => {
  const wanted = env['PATC_CUDA_COMPILER'] || (findNvcc(env) ? 'nvcc' : 'nvrtc');
  return async (request) => (wanted === 'nvcc' ? compileCubin(request) : compileWithNvrtc(request));
};

/**
 * The first GPU, or the one that PATC_CUDA_DEVICE numbers. PATC_CUDA_LIBRARY names another driver library.
 * @throws PAT0702 where there is none.
 */
export function openCudaDevice(env: NodeJS.ProcessEnv = process.env): CudaDevice {
  const driver = new Driver(env['PATC_CUDA_LIBRARY'] || undefined);
  const ordinal = Number(env['PATC_CUDA_DEVICE'] ?? 0);
  if (!Number.isInteger(ordinal) || ordinal < 0)
    fail('PAT0601', `PATC_CUDA_DEVICE=${env['PATC_CUDA_DEVICE']}: expected the number of a device`);
  return new CudaDevice(new Gpu(driver, ordinal), compilerOf(env));
}

export { CudaDevice } from './device.ts';
