/** The WGSL backend: one `.wgsl` file per kernel, and the WebGPU device of this machine. */
import type { Artifact, Backend, Device } from '../../compiler/backend.ts';
import type { Target } from '../../compiler/target.ts';
import type { ThreadKernel } from '../../compiler/thread/nodes.ts';
import { emitKernel } from './emit/index.ts';

/** `program.kernel.rows4-columns64.f16.wgsl`, with tile numbers only where kernels share a name. */
function fileName(program: string, k: ThreadKernel, all: readonly ThreadKernel[], target: Target): string {
  const tile = Object.entries(k.tile).map(([name, value]) => `${name}${value}`);
  const shared = all.some((other) => other !== k && other.name === k.name);
  const variant = target.name.includes(':') ? [target.name.replace(/^wgsl:/, '').replace(/\W+/g, '-')] : [];
  const parts = [
    program,
    ...(k.name === program ? [] : [k.name]),
    ...(shared ? [tile.join('-')] : []),
    ...variant,
  ];
  return `${parts.join('.')}.wgsl`;
}

export const wgslBackend: Backend = {
  family: 'wgsl',
  emit(program: string, kernels: readonly ThreadKernel[], target: Target): Artifact[] {
    return kernels.map((k) => ({
      path: fileName(program, k, kernels, target),
      text: emitKernel(k, { f16: target.features.f16 }).code,
      kernels: [k.name],
    }));
  },
  async open(): Promise<Device> {
    // Only here: emitting must not load Dawn.
    const { openDevice } = await import('./runtime/node.ts');
    return openDevice();
  },
};
