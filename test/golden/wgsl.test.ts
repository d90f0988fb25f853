/**
 * Emitted WGSL of small tiles, kept as text so that a change of the emitter shows as a diff. Every golden passes Dawn's
 * validator. Regenerate with `npm run golden`.
 */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { emitKernel } from '../../backends/wgsl/emit/index.ts';
import { validateModule } from '../../backends/wgsl/runtime/validator.ts';
import { lowerKernel } from '../../compiler/lower/index.ts';
import type { KernelTemplate, Spec, Tile } from '../../compiler/program.ts';
import { findTarget } from '../../compiler/target.ts';
import { linearGelu } from '../../examples/gemm/kernel.ts';
import { forward } from '../../examples/pat/forward.ts';
import { merge } from '../../examples/pat/merge.ts';
import { prefill } from '../../examples/prefill/kernel.ts';
import { pieceSums } from '../../examples/reduction/kernel.ts';
import { rmsNorm } from '../../examples/rmsnorm/kernel.ts';
import { rowSoftmax } from '../../examples/softmax/kernel.ts';

const pat = { headDim: 64, group: 4, kvHeads: 2, page: 16 };
const small: [string, KernelTemplate, Spec, Tile][] = [
  ['softmax', rowSoftmax, { columns: 256 }, { rows: 1 }],
  ['rmsnorm', rmsNorm, { columns: 256 }, { rows: 1 }],
  ['gemm', linearGelu, { columns: 128, depth: 64 }, { rows: 16, width: 32, step: 16 }],
  ['prefill', prefill, { headDim: 64, group: 2 }, { m: 16, n: 16 }],
  ['reduction', pieceSums, {}, { width: 512, steps: 4 }],
  ['pat-forward', forward, pat, { m: 8, n: 16 }],
  ['pat-forward-bf16', forward, { ...pat, dtype: 'bf16' }, { m: 8, n: 16 }],
  ['pat-merge', merge, { headDim: 64, group: 4, kvHeads: 2 }, {}],
];

const cases = small.flatMap(([name, template, spec, tile]) =>
  ['wgsl', 'wgsl:f16'].map((target) => ({ name, template, spec, tile, target })),
);

it.each(cases)('$name for $target', async ({ name, template, spec, tile, target }) => {
  const defaults = Object.fromEntries(Object.entries(template.tile).map(([key, values]) => [key, values[0]!]));
  const kernel = template.trace({ ...template.spec, ...spec }, { ...defaults, ...tile });
  const f16 = target === 'wgsl:f16';
  const module = emitKernel(lowerKernel(kernel, findTarget(target)!), { f16 });
  await validateModule(module);
  // Without halves the text is that of the other target, but for its head.
  const halves = kernel.params.some((p) => p.kind === 'tensor' && p.element === 'f16');
  if (f16 && !halves) return;
  const file = `${name}${f16 ? '.f16' : ''}.wgsl`;
  await expect(module.code).toMatchFileSnapshot(join(import.meta.dirname, 'wgsl', file));
});
