/**
 * Passes: text in, text out. A case is a file in the folder of its pass: what it shows, a kernel, and behind the line
 * `// after PASS` what the pass makes of it. `npx vitest run test/compiler/passes -u` rewrites what stands behind that line.
 * Whatever the text, the interpreter must compute the same from both.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { interpret } from '../../../backends/cpu/interpreter/index.ts';
import type { Kernel } from '../../../compiler/ir/nodes.ts';
import { allocate, decodeArray, Random, type HostArray } from '../../../compiler/ir/numeric.ts';
import { parseKernel } from '../../../compiler/ir/parse.ts';
import { printKernel } from '../../../compiler/ir/print.ts';
import { verifyKernel } from '../../../compiler/ir/verify.ts';
import { passes, pipeline, runPasses } from '../../../compiler/passes/index.ts';

const here = import.meta.dirname;
const folders = readdirSync(here, { withFileTypes: true }).filter((f) => f.isDirectory());
const show = (k: Kernel): string => printKernel(k, { locations: false }).trimEnd();

/** What is expected stands in comments, so that `patc opt` takes the file as it is. */
const comment = (text: string): string => text.replace(/^/gm, '// ').replace(/ +$/gm, '');

interface PassCase {
  readonly file: string;
  readonly input: string;
}

const casesOf = (pass: string): PassCase[] =>
  readdirSync(join(here, pass))
    .filter((f) => f.endsWith('.tile'))
    .map((f) => {
      const file = join(here, pass, f);
      return {
        file,
        input: readFileSync(file, 'utf8')
          .split(/^\/\/ after .*$/m)[0]!
          .trimEnd(),
      };
    });

/** Outputs of one instance for seeded inputs; scalars that are not given are 3. */
function run(kernel: Kernel, scalars: Readonly<Record<string, number>>): Map<string, Float64Array> {
  const random = new Random(5);
  const arrays = new Map<string, HostArray>();
  const numbers: Record<string, number> = {};
  for (const p of kernel.params) {
    if (p.kind === 'scalar') {
      numbers[p.name] = scalars[p.name] ?? 3;
      continue;
    }
    const size = p.dims.reduce<number>((n, d) => n * Number(d), 1);
    const float = p.element !== 'i32' && p.element !== 'u32';
    const data = float && p.access !== 'write' ? random.normals(p.element, size) : allocate(p.element, size);
    arrays.set(p.name, data);
  }
  interpret(kernel, [1, 1, 1], arrays, numbers);
  const outputs = kernel.params.filter((p) => p.kind === 'tensor' && p.access !== 'read');
  return new Map(
    outputs.map((p) => [p.name, decodeArray(p.kind === 'tensor' ? p.element : 'f32', arrays.get(p.name)!)]),
  );
}

const ranges: readonly Readonly<Record<string, number>>[] = [
  { lo: 0, hi: 8 },
  { lo: 2, hi: 5 },
  { lo: 4, hi: 4 },
  { lo: -3, hi: 1 },
  { lo: 7, hi: 20 },
];

it('every pass of the pipeline has cases', () =>
  expect(new Set(folders.map((f) => f.name))).toEqual(
    new Set(pipeline.map((p) => p.name.replace(/-again$/, ''))),
  ));

describe.each(folders.map((f) => f.name))('%s', (name) => {
  const pass = passes.get(name)!;

  it.each(casesOf(name).map((c) => [basename(c.file, '.tile'), c] as const))('%s', async (_, c) => {
    const kernel = parseKernel(c.input, c.file);
    verifyKernel(kernel);
    const after = pass.run(kernel);
    verifyKernel(after);
    expect(show(pass.run(after)), 'a second time it finds nothing to do').toBe(show(after));
    for (const scalars of ranges) expect(run(after, scalars)).toEqual(run(kernel, scalars));
    await expect(`${c.input}\n\n// after ${name}\n//\n${comment(show(after))}\n`).toMatchFileSnapshot(c.file);
  });
});

it('the pipeline stops after the pass that is asked for and tells what it leaves', () => {
  const { input, file } = casesOf('predicate-rows')[0]!;
  const seen: string[] = [];
  const after = runPasses(parseKernel(input, file), { until: 'hoist-from-rows', after: (p) => seen.push(p) });
  expect(seen).toEqual(['eliminate-dead', 'hoist-from-rows']);
  expect(show(after)).not.toContain('predicated');
  const all: string[] = [];
  expect(show(runPasses(after, { after: (p) => all.push(p) }))).toContain('predicated');
  expect(all).toEqual(pipeline.map((p) => p.name));
});
