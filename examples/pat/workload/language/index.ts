/** The workload language (docs/workloads.md): text to batches, and back to tidy text. */
import { PatcError, type Diagnostic } from '../../../../compiler/diagnostics/error.ts';
import type { BatchInput } from '../../batch.ts';
import type { Workload, WorkloadOptions } from '../index.ts';
import type { Setting, WorkFile } from './ast.ts';
import { Builder } from './build.ts';
import { checkStatements } from './check.ts';
import { evaluate } from './evaluate.ts';
import { formatStatements } from './format.ts';
import { parseTokens } from './parser.ts';
import { workLexer } from './tokens.ts';

/** Throws PAT0501 with every error of the file, in order. */
export function parseWork(text: string, file: string): WorkFile {
  const lexed = workLexer.tokenize(text);
  const faults: Diagnostic[] = lexed.errors.map((e) => ({
    code: 'PAT0501',
    message: `unexpected ${JSON.stringify(text.slice(e.offset, e.offset + Math.min(e.length, 20)))}`,
    span: { file, line: e.line ?? 1, column: e.column ?? 1 },
  }));
  const { cst, errors } = parseTokens(lexed.tokens);
  for (const { message, token, previous } of errors) {
    // The end of the file has no position of its own: point behind the last token.
    const real = token.startLine !== undefined && token.startLine > 0;
    const line = real ? token.startLine! : (previous?.endLine ?? 1);
    const column = real ? token.startColumn! : (previous?.endColumn ?? 0) + 1;
    faults.push({ code: 'PAT0501', message, span: { file, line, column } });
  }
  const statements = new Builder(file).statements(cst);
  faults.push(...checkStatements(statements));
  faults.sort((a, b) => a.span!.line - b.span!.line || a.span!.column - b.span!.column);
  const [first, ...rest] = faults;
  if (first) throw new PatcError(first, ...rest);
  return { file, statements, comments: lexed.groups.comments ?? [] };
}

/** The tidy form of a workload file. Throws PAT0501 like parseWork. */
export const formatWork = (text: string, file: string): string =>
  formatStatements(parseWork(text, file), text);

const settingOf = (work: WorkFile, name: Setting['name']): string | undefined =>
  work.statements.find((s): s is Setting => s.kind === 'setting' && s.name === name)?.value;

/** Every batch that the file goes through; at least one. */
export function workStates(work: WorkFile, page: number): BatchInput[] {
  const states = evaluate(work.statements, page, Number(settingOf(work, 'seed') ?? 1));
  return states.length > 0 ? states : [{ page, sequences: [] }];
}

/** The file's last batch and settings; `options.page` counts where the file sets none. */
export function workFileBatch(
  text: string,
  file: string,
  options: WorkloadOptions,
  defaultPage: number,
): Workload {
  const work = parseWork(text, file);
  const page = Number(settingOf(work, 'page') ?? options.page ?? defaultPage);
  const headDim = settingOf(work, 'head-dim');
  return {
    input: workStates(work, page).at(-1)!,
    where: file,
    heads: settingOf(work, 'heads'),
    headDim: headDim === undefined ? undefined : Number(headDim),
    dtype: settingOf(work, 'dtype'),
  };
}
