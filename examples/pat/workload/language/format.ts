/** The formatter: one statement a line, two spaces a level, comments kept where they were. */
import type { IToken } from 'chevrotain';
import type { Block, Statement, WorkFile } from './ast.ts';

export function formatStatements({ statements, comments }: WorkFile, text: string): string {
  const lines: string[] = [];
  const pending = [...comments];
  let indent = 0;
  let lastLine = 0;
  const put = (line: string) => lines.push(line === '' ? '' : '  '.repeat(indent) + line);
  const lineOf = (offset: number) => text.slice(0, offset).split('\n').length;
  const gap = (line: number) => {
    if (lastLine > 0 && line > lastLine + 1 && lines.at(-1) !== '' && !lines.at(-1)?.endsWith('{')) put('');
  };
  const leading = (offset: number): void => {
    while (pending.length > 0 && pending[0]!.startOffset < offset) {
      const comment = pending.shift()!;
      if (comment.startLine === lastLine) lines[lines.length - 1] += ` ${image(comment)}`;
      else {
        gap(comment.startLine!);
        put(image(comment));
        lastLine = comment.startLine!;
      }
    }
  };
  const statement = (s: Statement): void => {
    leading(s.offset);
    gap(s.span.line);
    const body = s.kind === 'group' || s.kind === 'node' ? s.body : undefined;
    put(head(s) + (body ? ' {' : ''));
    lastLine = s.span.line;
    if (body) block(body);
  };
  const block = (body: Block): void => {
    indent++;
    body.statements.forEach(statement);
    leading(body.endOffset);
    indent--;
    put('}');
    lastLine = lineOf(body.endOffset);
  };
  statements.forEach(statement);
  leading(Infinity);
  return lines.join('\n') + (lines.length > 0 ? '\n' : '');
}

const image = (comment: IToken): string => comment.image.trimEnd().replace(/^#(?=[^\s#!])/, '# ');

function head(s: Statement): string {
  const times = 'times' in s && s.times !== 1 ? ` * ${s.times}` : '';
  switch (s.kind) {
    case 'setting':
      return `${s.name} ${s.value}`;
    case 'group':
      return `group ${s.name}`;
    case 'decode':
      return `decode ${s.steps}`;
    case 'leave':
    case 'use':
      return `${s.kind} ${s.name}${times}`;
    case 'stop':
      return `stop${times}`;
    case 'node': {
      const { from, to } = s.tokens;
      const tokens = `${from}${to === from ? '' : `..${to}`} tokens`;
      return `${s.name} ${tokens}${s.inPlace ? ' in-place' : ''}${s.queries === 1 ? '' : ` queries ${s.queries}`}${times}`;
    }
  }
}
