/** Registers and spills of configurations from nvcc, where it is installed: in parallel, and cached by content. */
import type { Configuration } from './configuration.ts';
import { withRegisters } from './configuration.ts';

export async function haveNvcc(): Promise<boolean> {
  return (await import('../../backends/cuda/nvcc/find.ts')).findNvcc() !== undefined;
}

/** Each configuration with nvcc's figures. `until` (a time of performance.now) leaves the rest as they are. */
export async function askNvcc(
  configurations: readonly Configuration[],
  until = Infinity,
): Promise<Configuration[]> {
  if (!(await haveNvcc())) return [...configurations];
  const [{ emitCuda }, { compileCubin, Limiter }] = await Promise.all([
    import('../../backends/cuda/index.ts'),
    import('../../backends/cuda/nvcc/compile.ts'),
  ]);
  const { availableParallelism } = await import('node:os');
  const limiter = new Limiter(Math.max(1, availableParallelism()));
  return Promise.all(
    configurations.map((c) =>
      limiter.run(async () => {
        if (!c.kernel.target.startsWith('cuda:') || performance.now() >= until) return c;
        const { text, spans } = emitCuda(c.template.name, [c.kernel], c.kernel.target, { launchers: false });
        const arch = c.kernel.target.replace('cuda:', '');
        const { resources } = await compileCubin({ program: c.template.name, text, spans, arch });
        const found = [...resources.values()][0];
        return found ? withRegisters(c, found.registers, found.spillStoreBytes + found.spillLoadBytes) : c;
      }),
    ),
  );
}
