/**
 * Diagnostics for a person at a terminal:
 *
 *     error[PAT0101 shape-mismatch]: dot: inner extents differ, 128 and 64
 *       --> kernels/gemm.ts:14:15
 *        |
 *     14 |   const s = k.dot(a, b);
 *        |               ^^^
 *        = note: tile<64x128xf16> times tile<64x32xf16>; [m, k] times [k, n] needs one k
 *        = called from kernels/gemm.ts:30:7
 *        = help: the right operand fits when transposed: .T
 */
import pc from 'picocolors';
import { showSpan, type Span } from '../ir/span.ts';
import { catalogue } from './catalogue.ts';
import type { Diagnostic } from './error.ts';
import { readFromDisk, type ReadSource } from './source.ts';

export interface RenderOptions {
  /** Default: whether stderr is a colour terminal (picocolors decides). */
  readonly color?: boolean;
  readonly readSource?: ReadSource;
}

type Colors = ReturnType<typeof pc.createColors>;

/** One diagnostic, without a newline at the end. */
export function renderDiagnostic(d: Diagnostic, options: RenderOptions = {}): string {
  const colors = options.color === undefined ? pc : pc.createColors(options.color);
  const read = options.readSource ?? readFromDisk;
  const head = `${colors.red(colors.bold(`error[${d.code} ${catalogue[d.code].name}]`))}: ${colors.bold(d.message)}`;
  const lines = [head];
  const spans = [d.span, ...(d.notes ?? []).map((n) => n.span)].filter((s) => s !== undefined);
  const gutter = Math.max(2, ...spans.map((s) => String(s.line).length));
  const pad = ' '.repeat(gutter);
  if (d.span && d.span.line > 0) lines.push(...frame(d.span, '^', gutter, colors.red, colors, read));
  for (const note of d.notes ?? []) {
    lines.push(`${pad} ${colors.blue('=')} ${colors.bold('note')}: ${note.text}`);
    if (note.span && note.span.line > 0)
      lines.push(...frame(note.span, '-', gutter, colors.blue, colors, read));
  }
  for (const caller of d.span?.chain ?? [])
    lines.push(`${pad} ${colors.blue('=')} called from ${showSpan(caller)}`);
  if (d.help) lines.push(`${pad} ${colors.blue('=')} ${colors.bold('help')}: ${d.help}`);
  return lines.join('\n');
}

/** Several diagnostics, separated by empty lines, and their count when there is more than one. */
export function renderDiagnostics(list: readonly Diagnostic[], options: RenderOptions = {}): string {
  const parts = list.map((d) => renderDiagnostic(d, options));
  if (list.length > 1) parts.push(`${list.length} errors`);
  return `${parts.join('\n\n')}\n`;
}

const widest = 160;

/** The line that a span points at, underlined; only the position when the source cannot be read. */
function frame(
  span: Span,
  mark: string,
  gutter: number,
  color: (text: string) => string,
  colors: Colors,
  read: ReadSource,
): string[] {
  const pad = ' '.repeat(gutter);
  const bar = colors.blue('|');
  const place = `${pad.slice(1)} ${colors.blue('-->')} ${showSpan(span)}`;
  const line = read(span.file)?.split('\n')[span.line - 1];
  if (line === undefined || span.column < 1 || span.column > line.length + 1) return [place];
  const text = line.replace(/\r$/, '').replaceAll('\t', ' ');
  const start = span.column - 1;
  const length = Math.max(1, /^%?[\w$]+/.exec(text.slice(start))?.[0].length ?? 1);
  // A long line is cut so that the marked place stays in sight.
  const from = start > widest - 40 ? start - 40 : 0;
  const shown = `${from > 0 ? '…' : ''}${text.slice(from, from + widest)}`;
  const offset = start - from + (from > 0 ? 1 : 0);
  return [
    place,
    `${pad} ${bar}`,
    `${colors.blue(String(span.line).padStart(gutter))} ${bar} ${shown}`,
    `${pad} ${bar} ${' '.repeat(offset)}${color(mark.repeat(Math.min(length, widest)))}`,
  ];
}
