/** Registers and spills of emitted kernels, from the target's own compiler where it is installed. */
import type { Target } from '../target.ts';
import type { Rejected } from './lowering.ts';
import type { Output } from './output.ts';
import type { Variant } from './variants.ts';

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
  variants: readonly Variant[],
  target: Target,
  out: Output,
): Promise<ReadonlyMap<string, Measured>> {
  const found = new Map<string, Measured>();
  if (target.family !== 'cuda') return found;
  if (!(await import('../../backends/cuda/nvcc/find.ts')).findNvcc()) return found;
  const [{ emitCuda }, { compileCubin }] = await Promise.all([
    import('../../backends/cuda/index.ts'),
    import('../../backends/cuda/nvcc/compile.ts'),
  ]);
  out.progress(`${target.name}: asking nvcc for registers and spills`);
  const arch = target.name.replace('cuda:', '');
  await Promise.all(
    variants.map(async ({ kernel }) => {
      const { text, spans } = emitCuda(program, [kernel], target.name, { launchers: false });
      const cubin = await compileCubin({ program, text, spans, arch });
      for (const r of cubin.resources.values()) {
        found.set(kernel.name, { registers: r.registers, spillBytes: r.spillStoreBytes + r.spillLoadBytes });
      }
    }),
  );
  return found;
}

/** A shape that spills does not fit the registers; a kernel all of whose shapes spill keeps the one that spills least. */
export function withoutSpills(
  candidates: readonly Variant[],
  measured: ReadonlyMap<string, Measured>,
): { variants: Variant[]; spilled: Rejected[] } {
  const spills = (v: Variant): number => measured.get(v.kernel.name)?.spillBytes ?? 0;
  const kept = (v: Variant): boolean => {
    const family = candidates.filter((c) => c.template === v.template);
    return spills(v) <= Math.min(...family.map(spills));
  };
  const [variants, rest] = [candidates.filter(kept), candidates.filter((v) => !kept(v))];
  return {
    variants,
    spilled: rest.map((v) => ({
      kernel: v.template.name,
      tile: v.tile,
      diagnostic: {
        code: 'PAT0308',
        message: `nvcc spills ${spills(v)} bytes of registers at ${measured.get(v.kernel.name)!.registers} registers a thread`,
        span: v.kernel.span,
        help: 'smaller tiles need fewer registers; --tile compiles this one all the same',
      },
    })),
  };
}
