/** The backends by family, loaded when they are asked for: a run on the CPU needs neither Dawn nor the CUDA driver. */
import type { Backend } from '../backend.ts';

export async function backendOf(family: 'cuda' | 'wgsl'): Promise<Backend> {
  return family === 'cuda'
    ? (await import('../../backends/cuda/index.ts')).cudaBackend
    : (await import('../../backends/wgsl/index.ts')).wgslBackend;
}
