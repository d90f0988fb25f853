/** The files of one target: emitted code, and the IR before it where it was asked for. */
import { writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fail } from '../diagnostics/error.ts';
import type { Target } from '../target.ts';
import type { ThreadKernel } from '../thread/nodes.ts';
import { backendOf } from './backends.ts';
import { makeFolder } from './folders.ts';
import { specOf, type Stage } from './options.ts';
import type { Variant } from './variants.ts';

export interface EmittedFile {
  readonly path: string;
  readonly text: string;
  readonly kernels: readonly string[];
  /** Whether the file defines its kernels for a target (a header, say, does not). */
  readonly source: boolean;
}

/** With `after`, the IR is what that pass leaves, and what is lowered from that; code is always of the whole pipeline. `lines`: `#line` directives. */
export async function filesOf(
  program: string,
  variants: readonly Variant[],
  stages: readonly Stage[],
  target: Target,
  after?: string,
  lines = false,
): Promise<EmittedFile[]> {
  const files: EmittedFile[] = [];
  for (const { template, spec, tile, kernel } of variants) {
    const text = { kernels: [kernel.name], source: false };
    const lowered = async (): Promise<ThreadKernel> => {
      if (after === undefined) return kernel;
      const { lowerKernel } = await import('../lower/index.ts');
      const traced = template.trace(specOf(template, spec), tile);
      return { ...lowerKernel(traced, target, { until: after }), name: kernel.name };
    };
    if (stages.includes('tile')) {
      const { printKernel } = await import('../ir/print.ts');
      const traced = template.trace(specOf(template, spec), tile);
      const { runPasses } = await import('../passes/index.ts');
      const shown = after === undefined ? traced : runPasses(traced, { until: after });
      files.push({ ...text, path: `${kernel.name}.tile`, text: printKernel(shown) });
    }
    if (stages.includes('thread')) {
      const { printThread } = await import('../thread/print.ts');
      const path = `${kernel.name}.${target.name.replace(/\W+/g, '_')}.thread`;
      files.push({ ...text, path, text: printThread(await lowered()) });
    }
  }
  if (stages.includes('code')) {
    const emitted = (await backendOf(target.family)).emit(
      program,
      variants.map((v) => v.kernel),
      target,
      { lines },
    );
    files.push(...emitted.map((a) => ({ ...a, source: /\.(cu|wgsl)$/.test(a.path) })));
  }
  return files;
}

export function write(path: string, text: string): void {
  makeFolder(dirname(path));
  try {
    writeFileSync(path, text);
  } catch (error) {
    fail('PAT0605', `cannot write ${path}`, { notes: [{ text: (error as Error).message }] });
  }
}
