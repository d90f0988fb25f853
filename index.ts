/** patc: the language, and the compiler as a library. `patc/dsl` has the language alone. */
export * from './dsl/index.ts';
export { findTarget, targets, type Target } from './compiler/target.ts';
export type {
  Artifact,
  Backend,
  Device,
  HostArray,
  HostBuffer,
  RunRequest,
  RunResult,
} from './compiler/backend.ts';
export type { DeviceShape, PlanReport } from './compiler/program.ts';
export type { Kernel } from './compiler/ir/nodes.ts';
export type { ThreadKernel } from './compiler/thread/nodes.ts';
export { printKernel } from './compiler/ir/print.ts';
export { parseKernel } from './compiler/ir/parse.ts';
export { verifyKernel } from './compiler/ir/verify.ts';
export { printThread } from './compiler/thread/print.ts';
export { lowerKernel } from './compiler/lower/index.ts';
export { interpret } from './backends/cpu/interpreter/index.ts';
export { cudaBackend } from './backends/cuda/index.ts';
export { wgslBackend } from './backends/wgsl/index.ts';
