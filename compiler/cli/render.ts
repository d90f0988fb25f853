/** A diagnostic for a terminal: what is wrong, the author's line, the arithmetic, what would fix it. */
import { existsSync, readFileSync } from 'node:fs';
import { relative } from 'node:path';
import pc from 'picocolors';
import { catalogue } from '../diagnostics/catalogue.ts';
import type { Diagnostic, PatcError } from '../diagnostics/error.ts';
import type { Span } from '../ir/span.ts';

export const renderError = (error: PatcError): string => error.diagnostics.map(render).join('\n\n');

function render(d: Diagnostic): string {
  const lines = [
    `${pc.red(pc.bold(`error[${d.code}]`))} ${pc.bold(`${catalogue[d.code].name}: ${d.message}`)}`,
  ];
  if (d.span) lines.push(...frame(d.span), ...called(d.span));
  for (const note of d.notes ?? []) {
    lines.push(`  ${pc.cyan('note:')} ${note.text}`);
    if (note.span) lines.push(...frame(note.span));
  }
  if (d.help !== undefined) lines.push(`  ${pc.green('help:')} ${d.help}`);
  return lines.join('\n');
}

const shown = (s: Span): string => {
  const near = relative(process.cwd(), s.file);
  return `${near.startsWith('..') || near === '' ? s.file : near}:${s.line}:${s.column}`;
};

function frame(s: Span): string[] {
  const head = `  ${pc.dim('-->')} ${shown(s)}`;
  const text = existsSync(s.file) ? readFileSync(s.file, 'utf8').split('\n')[s.line - 1] : undefined;
  if (text === undefined) return [head];
  const number = String(s.line);
  const margin = ' '.repeat(number.length);
  // A tab before the column stays a tab, so that the caret stands under its character.
  const before = text.slice(0, Math.max(0, s.column - 1)).replace(/[^\t]/g, ' ');
  const bar = pc.dim('|');
  return [
    head,
    `  ${margin} ${bar}`,
    `  ${pc.dim(number)} ${bar} ${text}`,
    `  ${margin} ${bar} ${before}${pc.red('^')}`,
  ];
}

const called = (s: Span): string[] => (s.chain ?? []).map((c) => `  ${pc.dim('called from')} ${shown(c)}`);
