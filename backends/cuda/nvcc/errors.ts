/** nvcc's messages about emitted code, carried back to the author's lines. */
import { PatcError, type Diagnostic, type Note } from '../../../compiler/diagnostics/error.ts';
import type { Span } from '../../../compiler/ir/span.ts';

interface Message {
  readonly line: number | undefined;
  readonly text: string;
}

/** `file.cu(12): error: …`, `file.cu(12): error #20: …`, and ptxas's `file.ptx, line 7; error   : …`, which has no line of ours. */
export function parseErrors(log: string): Message[] {
  return log.split('\n').flatMap((line): Message[] => {
    const front = /^\S.*?\((\d+)\): (?:catastrophic |fatal )?error(?: #[\w-]+)?\s*: (.*)$/.exec(line);
    if (front) return [{ line: Number(front[1]), text: front[2]! }];
    const back = /^(?:ptxas|nvlink|nvcc) .*?(?:error|fatal)\s*: (.*)$/.exec(line);
    return back ? [{ line: undefined, text: back[1]! }] : [];
  });
}

/** PAT0705 with one note per message; the first that has a place gives the diagnostic its span. */
export function rejection(
  tool: string,
  program: string,
  log: string,
  spans: readonly (Span | undefined)[],
  text: string,
): PatcError {
  const lines = text.split('\n');
  const messages = parseErrors(log);
  const notes = messages.slice(0, 8).map((m): Note => {
    const span = m.line === undefined ? undefined : spans[m.line - 1];
    const code = m.line === undefined ? '' : ` in line ${m.line}: ${(lines[m.line - 1] ?? '').trim()}`;
    return { text: `${m.text}${code}`, ...(span ? { span } : {}) };
  });
  const raw = log
    .split('\n')
    .filter((l) => l.trim() !== '')
    .slice(0, 8);
  const diagnostic: Diagnostic = {
    code: 'PAT0705',
    message: `${tool} rejected the code emitted for ${program}`,
    span: notes.find((n) => n.span)?.span,
    notes: notes.length > 0 ? notes : raw.map((l) => ({ text: l })),
    help: 'emitted code that does not compile is a bug in patc: please report it with the kernel',
  };
  return new PatcError(diagnostic);
}
