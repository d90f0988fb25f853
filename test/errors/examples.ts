/** Examples of errors: a program with the mistake, and what patc says. Every error of the language and of Tile IR has one. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { interpret } from '../../backends/cpu/interpreter/index.ts';
import type { Code } from '../../compiler/diagnostics/catalogue.ts';
import { PatcError, type Diagnostic } from '../../compiler/diagnostics/error.ts';
import { renderDiagnostics } from '../../compiler/diagnostics/terminal.ts';
import { parseKernel } from '../../compiler/ir/parse.ts';
import type { HostArray } from '../../compiler/ir/numeric.ts';
import { lintProgram } from '../../compiler/lint/index.ts';
import { lowerKernel } from '../../compiler/lower/index.ts';
import type { KernelTemplate, Spec, Tile } from '../../compiler/program.ts';
import { findTarget } from '../../compiler/target.ts';

export interface ErrorExample {
  readonly code: Code;
  readonly language: 'ts' | 'tile';
  /** The program as an author would write it. */
  readonly source: string;
  /** Flags of the command, where the mistake is on the command line. */
  readonly flags?: string;
  readonly diagnostics: readonly Diagnostic[];
  /** What the terminal shows. */
  readonly output: string;
}

interface Given {
  readonly spec?: Spec;
  readonly tile?: Tile;
  readonly flags?: string;
  /** Lower it for this target. */
  readonly target?: string;
  /** Interpret two instances of it. */
  readonly launch?: { buffers: Record<string, HostArray>; scalars: Record<string, number> };
}

const given: Partial<Record<Code, Given>> = {
  PAT0105: { spec: { colums: 128 }, flags: '--spec colums=128' },
  PAT0106: { spec: { dtype: 'fp16' }, flags: '--spec dtype=fp16' },
  PAT0107: { tile: { rows: 48 }, flags: '--tile rows=48' },
  PAT0301: { target: 'wgsl' },
  PAT0402: {
    launch: {
      buffers: { bins: Int32Array.from({ length: 128 }, (_, i) => i % 5), counts: new Int32Array(16) },
      scalars: { n: 128 },
    },
  },
  PAT0405: { launch: { buffers: { x: new Float32Array(200) }, scalars: { n: 200 } } },
};

export const exampleCodes: readonly Code[] = [
  'PAT0101',
  'PAT0102',
  'PAT0103',
  'PAT0104',
  'PAT0105',
  'PAT0106',
  'PAT0107',
  'PAT0108',
  'PAT0109',
  'PAT0110',
  'PAT0111',
  'PAT0201',
  'PAT0202',
  'PAT0301',
  'PAT0402',
  'PAT0405',
];

export async function errorExample(code: Code): Promise<ErrorExample> {
  const path = (extension: string): string =>
    fileURLToPath(new URL(`programs/${code}.${extension}`, import.meta.url));
  const language = existsSync(path('ts')) ? 'ts' : 'tile';
  const file = path(language);
  const text = readFileSync(file, 'utf8');
  const { spec = {}, tile = {}, flags, target, launch } = given[code] ?? {};
  const diagnostics = await diagnosticsOf(async () => {
    if (language === 'tile') parseKernel(text, file);
    else if (code === 'PAT0103') raise(lintProgram([file]));
    else {
      const kernel = ((await import(file)) as { default: KernelTemplate }).default.trace(spec, tile);
      if (target) lowerKernel(kernel, findTarget(target)!);
      if (launch) interpret(kernel, [2, 1, 1], new Map(Object.entries(launch.buffers)), launch.scalars);
    }
  });
  const rendered = renderDiagnostics(diagnostics, { color: false });
  const output = rendered.replace(/[^\s]*test\/errors\/programs\/\w+\.(ts|tile)/g, 'kernel.$1').trimEnd();
  const source = text.replace('../../../dsl/index.ts', 'patc').trimEnd();
  return { code, language, source, ...(flags && { flags }), diagnostics, output };
}

function raise([first, ...rest]: readonly Diagnostic[]): void {
  if (first) throw new PatcError(first, ...rest);
}

async function diagnosticsOf(run: () => Promise<void>): Promise<readonly Diagnostic[]> {
  try {
    await run();
  } catch (error) {
    if (error instanceof PatcError) return error.diagnostics;
    throw error;
  }
  return [];
}
