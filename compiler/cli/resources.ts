/** Registers and spills of emitted kernels, from the target's own compiler where it is installed. */
import type { Target } from '../target.ts';
import type { ThreadKernel } from '../thread/nodes.ts';
import type { Output } from './output.ts';

export interface Measured {
  readonly registers: number;
  readonly spillBytes: number;
}

/**
 * By the kernels' names; empty where there is no nvcc. Kernels are compiled one by one: in parallel, and cached one by one.
 * @throws PatcError PAT0705 where nvcc rejects the code
 */
export async function resources(
  program: string,
  kernels: readonly ThreadKernel[],
  target: Target,
  out: Output,
): Promise<ReadonlyMap<string, Measured>> {
  const found = new Map<string, Measured>();
  if (target.family !== 'cuda') return found;
  const [{ emitCuda }, { compileCubin }, { findNvcc }] = await Promise.all([
    import('../../backends/cuda/index.ts'),
    import('../../backends/cuda/nvcc/compile.ts'),
    import('../../backends/cuda/nvcc/find.ts'),
  ]);
  if (!findNvcc()) return found;
  out.progress(`${target.name}: asking nvcc for registers and spills`);
  const arch = target.name.replace('cuda:', '');
  await Promise.all(
    kernels.map(async (kernel) => {
      const { text, spans } = emitCuda(program, [kernel], target.name, { launchers: false });
      const cubin = await compileCubin({ program, text, spans, arch });
      for (const r of cubin.resources.values()) {
        found.set(kernel.name, { registers: r.registers, spillBytes: r.spillStoreBytes + r.spillLoadBytes });
      }
    }),
  );
  return found;
}
