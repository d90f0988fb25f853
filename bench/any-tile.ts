/** The forward kernel with the tile numbers that it does not offer and the lowering reads: sweeps go beyond what is shipped. */
import type { KernelTemplate } from '../compiler/program.ts';
import { forward } from '../examples/pat/index.ts';

export const anyTile: KernelTemplate = {
  ...forward,
  trace(spec, { m, n, ...rest }, reads) {
    const kernel = forward.trace(spec, { m: m!, n: n! }, reads);
    return { ...kernel, tile: { ...kernel.tile, ...rest } };
  },
};
