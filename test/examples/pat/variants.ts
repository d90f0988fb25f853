/**
 * Variants of attention as edits of a few lines of examples/pat/forward.ts, and of nothing else: their kernels, requests and
 * float64 reference, for the tests and for bench/variants.ts, which runs them on a GPU.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { HostArray, RunRequest } from '../../../compiler/backend.ts';
import { decodeArray } from '../../../compiler/ir/numeric.ts';
import { lowerKernel } from '../../../compiler/lower/index.ts';
import type { Instance, KernelTemplate, Tile } from '../../../compiler/program.ts';
import type { Target } from '../../../compiler/target.ts';
import { loadWorkload } from '../../../examples/pat/index.ts';
import { merge } from '../../../examples/pat/merge.ts';
import { makeProgram } from '../../../examples/pat/program.ts';

const source = resolve('examples/pat/forward.ts');

/** A variant: edits of the forward kernel's text, and what it computes. */
export interface Variant {
  readonly name: string;
  /** Text that stands once in the example -> what stands there instead. */
  readonly edits: readonly (readonly [string, string])[];
  readonly scalars: Readonly<Record<string, number>>;
  /** A row's score in float64 from the scaled product, or undefined where the token is not seen. */
  score(product: number, token: number, length: number): number | undefined;
}

export const variants: readonly Variant[] = [
  {
    name: 'softcap',
    edits: [
      [
        "const scale = k.scalar('scale', 'f32');",
        "const scale = k.scalar('scale', 'f32');\n    const cap = k.scalar('cap', 'f32');",
      ],
      ['scale.mul(Math.LOG2E)', 'cap.mul(Math.LOG2E)'],
      ['k.dot(queries, keys.T)', 'k.dot(queries, keys.T).mul(scale.div(cap)).tanh()'],
    ],
    scalars: { cap: 1.5 },
    score: (product) => 1.5 * Math.tanh(product / 1.5),
  },
  {
    name: 'sliding window',
    edits: [
      [
        "const scale = k.scalar('scale', 'f32');",
        `const scale = k.scalar('scale', 'f32');
    const lengths = k.input('lengths', 'i32', ['sequences']);`,
      ],
      [
        'const feature =',
        "const oldest = lengths.load([sequence], { mask: live }).sub(k.scalar('window', 'i32'));\n    const feature =",
      ],
      [
        'const scores = reads.where(',
        'const seen = reads.and(at.expand(0).ge(oldest.expand(1)));\n          const scores = seen.where(',
      ],
    ],
    scalars: { window: 21 },
    score: (product, token, length) => (token >= length - 21 ? product : undefined),
  },
];

const changedLines = (before: string, after: string): number => {
  const old = new Set(before.split('\n'));
  const now = new Set(after.split('\n'));
  const gone = [...old].filter((l) => !now.has(l)).length;
  const come = [...now].filter((l) => !old.has(l)).length;
  return Math.max(gone, come);
};

/** The edited kernel, as a module in `folder`. Throws where an edit does not apply, or there are too many lines of them. */
export async function edited(v: Variant, folder: string): Promise<KernelTemplate> {
  const before = readFileSync(source, 'utf8');
  let after = before;
  for (const [from, to] of v.edits) {
    if (after.split(from).length !== 2) throw new Error(`'${from}' does not stand once in the example`);
    after = after.replace(from, to);
  }
  if (changedLines(before, after) > 10) throw new Error(`${v.name} changes more than ten lines`);
  const file = join(folder, `${v.name.replace(' ', '-')}.ts`);
  const at = (path: string): string => pathToFileURL(resolve(path)).pathname;
  const moved = after.replace('../../dsl/index.ts', at('dsl/index.ts'));
  writeFileSync(file, moved.replace('./lanes.ts', at('examples/pat/lanes.ts')));
  const made = (await import(/* @vite-ignore */ file)) as { forward: KernelTemplate };
  return made.forward;
}

const workload = '1,2,5_30,14,19';
const flags = { heads: '6/2', headDim: '64', page: '8', dtype: 'f16' };

export function instanceFor(
  v: Variant,
  forward: KernelTemplate,
  family: 'cuda' | 'wgsl' | 'cpu',
  packing: string,
  tile: Tile = { m: 16, n: 16, stages: 2 },
): Instance {
  const program = makeProgram({ forward, merge }, { name: v.name, scalars: () => v.scalars });
  return program.instantiate({
    workload,
    seed: 11,
    spec: {},
    flags: { ...flags, packing },
    verify: true,
    device: {
      family,
      units: 4,
      feasible: (t) => (t.name === 'pat_merge' ? [{ parts: 4, warps: 1 }] : [tile]),
    },
  });
}

export function requestFor(instance: Instance, target: Target): RunRequest {
  const kernels = instance.launches.map(({ template, tile }) => {
    const spec = Object.fromEntries(Object.keys(template.spec).map((key) => [key, instance.spec[key]!]));
    return lowerKernel(template.trace(spec, tile), target);
  });
  const launches = instance.launches.map(({ grid, buffers, scalars }, kernel) => ({
    kernel,
    grid,
    buffers,
    scalars,
  }));
  return { kernels, launches, buffers: instance.buffers, repeats: 0 };
}

/** ||out - reference|| / ||reference||, the reference straight from the definition. */
export function relativeError(
  v: Variant,
  instance: Instance,
  outputs: ReadonlyMap<string, HostArray>,
): number {
  const batch = loadWorkload(workload, { heads: flags.heads, headDim: 64, page: 8, dtype: 'f16' });
  const data = (name: string): Float64Array =>
    decodeArray('f16', instance.buffers.find((b) => b.name === name)!.data);
  const [q, key, value] = ['q', 'k', 'v'].map(data) as [Float64Array, Float64Array, Float64Array];
  const out = decodeArray('f16', outputs.get('out')!);
  const [heads, kvHeads, dim, page] = [6, 2, 64, 8];
  const scale = Math.fround(1 / Math.sqrt(dim));
  let [error, norm] = [0, 0];
  batch.lengths.forEach((length, s) => {
    for (let h = 0; h < heads; h++) {
      const kvHead = Math.floor(h / (heads / kvHeads));
      const sum = new Float64Array(dim);
      let total = 0;
      for (let t = 0; t < length; t++) {
        const at =
          ((batch.pages[batch.tableBegin[s]! + Math.floor(t / page)]! * page + (t % page)) * kvHeads +
            kvHead) *
          dim;
        let product = 0;
        for (let d = 0; d < dim; d++) product += q[(s * heads + h) * dim + d]! * key[at + d]!;
        const score = v.score(product * scale, t, length);
        if (score === undefined) continue;
        const weight = Math.exp(score);
        total += weight;
        for (let d = 0; d < dim; d++) sum[d]! += weight * value[at + d]!;
      }
      for (let d = 0; d < dim; d++) {
        const want = sum[d]! / total;
        error += (out[(s * heads + h) * dim + d]! - want) ** 2;
        norm += want ** 2;
      }
    }
  });
  return Math.sqrt(error / norm);
}
