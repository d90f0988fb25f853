/** Textual Tile IR to Tile IR; print.ts is its inverse. */
import type { IToken } from 'chevrotain';
import { PatcError, type Diagnostic } from '../diagnostics/error.ts';
import { closest } from '../diagnostics/closest.ts';
import type { Kernel } from './nodes.ts';
import type { Span } from './span.ts';
import { Elaborator } from './text/elaborate.ts';
import { tileParser } from './text/grammar.ts';
import { opWords, tileLexer } from './text/tokens.ts';
import { verifyKernel } from './verify.ts';

export interface ParseOptions {
  /** Whether the kernel is verified; default true. Tests of the verifier turn it off. */
  readonly verify?: boolean;
}

/**
 * @param file the name that positions carry.
 * @throws PatcError PAT0201 with every syntax error and unknown name found, or PAT0202 from the verifier.
 */
export function parseKernel(text: string, file: string, options: ParseOptions = {}): Kernel {
  const lexed = tileLexer.tokenize(text);
  const found: Diagnostic[] = lexed.errors.map((e) => ({
    code: 'PAT0201',
    message: `unexpected ${JSON.stringify(text.slice(e.offset, e.offset + Math.min(e.length, 20)))}`,
    span: { file, line: e.line ?? 1, column: e.column ?? 1 },
  }));
  const deep = tooDeep(lexed.tokens);
  if (deep)
    raise([
      { code: 'PAT0201', message: `regions are nested more than ${deepest} deep`, span: spanOf(deep, file) },
    ]);
  const parser = tileParser();
  parser.input = lexed.tokens;
  const syntax = parser.kernelFile();
  for (const e of parser.errors) {
    // At the end of the file the token has no position: point behind the last one.
    const last = lexed.tokens.at(-1);
    const at = e.token.startLine !== undefined && e.token.startLine > 0 ? e.token : undefined;
    const near =
      found.length < most && e.message.startsWith('expected an op,') && closest(e.token.image, opWords);
    found.push({
      code: 'PAT0201',
      message: e.message,
      ...(near && { help: `did you mean \`${near}\`?` }),
      span: {
        file,
        line: at?.startLine ?? last?.endLine ?? 1,
        column: at?.startColumn ?? (last?.endColumn ?? 0) + 1,
      },
    });
  }
  parser.input = [];
  raise(found);
  const elaborator = new Elaborator(file);
  const kernel = elaborator.kernel(syntax);
  raise(elaborator.found);
  if (options.verify !== false) verifyKernel(kernel);
  return kernel;
}

const deepest = 256;

/** The brace that opens one region too many: the parser recurses, and must not run out of stack. */
function tooDeep(tokens: readonly IToken[]): IToken | undefined {
  let depth = 0;
  return tokens.find(({ image }) => {
    if (image === '{') depth++;
    if (image === '}') depth--;
    return depth > deepest;
  });
}

const spanOf = (token: IToken, file: string): Span => ({
  file,
  line: token.startLine ?? 1,
  column: token.startColumn ?? 1,
});

/** More errors than these are of no use to anybody. */
const most = 50;

/** One error per line, in order: a line that is wrong once is often wrong again for the same reason. */
function raise(found: readonly Diagnostic[]): void {
  const lines = new Map<number, Diagnostic>();
  for (const d of found) if (!lines.has(d.span!.line)) lines.set(d.span!.line, d);
  const [first, ...rest] = [...lines.entries()]
    .sort(([a], [b]) => a - b)
    .slice(0, most)
    .map(([, d]) => d);
  if (first) throw new PatcError(first, ...rest);
}
