/** The CUDA backend: Thread IR to `.cu` and header (emit/), through nvcc (nvcc/), onto a GPU (runtime/). */
import type { Artifact, Backend } from '../../compiler/backend.ts';
import type { Target } from '../../compiler/target.ts';
import type { ThreadKernel } from '../../compiler/thread/nodes.ts';
import { emitCuda, type EmitOptions } from './emit/index.ts';

/** The `.cu` and the C header of a program for one target. */
export function emitArtifacts(
  program: string,
  kernels: readonly ThreadKernel[],
  target: Target,
  options: EmitOptions = {},
): Artifact[] {
  const source = emitCuda(program, kernels, target.name, options);
  const names = source.kernels.map((k) => k.signature.symbol);
  return [
    { path: `${program}.cu`, text: source.text, kernels: names },
    { path: `${program}.h`, text: source.header, kernels: names },
  ];
}

export const cudaBackend: Backend = {
  family: 'cuda',
  emit: (program, kernels, target, options) => emitArtifacts(program, kernels, target, options),
  // The driver's library is opened only when a device is asked for.
  open: async () => (await import('./runtime/index.ts')).openCudaDevice(),
};

export { emitCuda, type EmitOptions, type EmittedSource } from './emit/index.ts';
