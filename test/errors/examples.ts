/** The example of each error that the language and textual Tile IR raise: a program with the mistake, and what patc says. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Code } from '../../compiler/diagnostics/catalogue.ts';
import { PatcError, type Diagnostic } from '../../compiler/diagnostics/error.ts';
import { renderDiagnostics } from '../../compiler/diagnostics/terminal.ts';
import { parseKernel } from '../../compiler/ir/parse.ts';
import { lintProgram } from '../../compiler/lint/index.ts';
import type { KernelTemplate, Spec, Tile } from '../../compiler/program.ts';

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
}

const given: Partial<Record<Code, Given>> = {
  PAT0105: { spec: { colums: 128 }, flags: '--spec colums=128' },
  PAT0106: { spec: { dtype: 'fp16' }, flags: '--spec dtype=fp16' },
  PAT0107: { tile: { rows: 48 }, flags: '--tile rows=48' },
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
];

export async function errorExample(code: Code): Promise<ErrorExample> {
  const path = (extension: string): string =>
    fileURLToPath(new URL(`programs/${code}.${extension}`, import.meta.url));
  const language = existsSync(path('ts')) ? 'ts' : 'tile';
  const file = path(language);
  const text = readFileSync(file, 'utf8');
  const { spec = {}, tile = {}, flags } = given[code] ?? {};
  const diagnostics = await diagnosticsOf(async () => {
    if (language === 'tile') parseKernel(text, file);
    else if (code === 'PAT0103') raise(lintProgram([file]));
    else ((await import(file)) as { default: KernelTemplate }).default.trace(spec, tile);
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
