/**
 * `patc/webgpu`: run kernels on a GPUDevice that you have, in a page or in Node. Nothing here needs Node.
 *
 * const device = await (await navigator.gpu.requestAdapter()).requestDevice();
 * const { outputs } = await runOn(device, { kernels, buffers, launches, repeats: 0 });
 *
 * To keep buffers on the device between launches, use the parts: emitKernel, compileKernels, prepare.
 */
export { emitKernel, type EmitOptions, type WgslModule } from '../emit/index.ts';
export { compileKernels, type CompiledKernel } from './compile.ts';
export { prepare, type Dispatch, type Prepared } from './dispatch.ts';
export { modulesFor, runOn, type Outcome } from './run.ts';
export type { HostArray, HostBuffer, Launch, RunRequest } from '../../../compiler/backend.ts';
