/** Where a command's words go: one JSON document or text on stdout, progress on stderr. */
import type { z } from 'zod';
import { PatcError } from '../diagnostics/error.ts';
import { diagnosticsJson } from '../diagnostics/json.ts';
import type { errors } from './schemas.ts';

export interface Output {
  readonly json: boolean;
  /** The result: exactly one document with `--json`, otherwise `text()`. */
  result(document: object, text: () => string): void;
  progress(line: string): void;
}

export function terminal(json: boolean): Output {
  // An author's file may print while it is imported; with --json stdout belongs to the document.
  if (json) console.log = console.info = console.debug = console.error;
  return {
    json,
    result(document, text) {
      process.stdout.write(json ? `${JSON.stringify(document, null, 2)}\n` : `${text().trimEnd()}\n`);
    },
    progress(line) {
      process.stderr.write(`${line}\n`);
    },
  };
}

export const errorDocument = (error: unknown): z.infer<typeof errors> =>
  error instanceof PatcError
    ? diagnosticsJson(error.diagnostics)
    : { ok: false, diagnostics: [{ ...internal, message: describe(error) }] };

const internal = {
  code: 'internal',
  name: 'internal-error',
  severity: 'error' as const,
  calledFrom: [],
  notes: [],
};

export const describe = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : String(error);

/** Columns padded to their widest cell; numbers to the right. */
export function table(rows: readonly (readonly (string | number)[])[], indent = '  '): string {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((r) => String(r[i] ?? '').length)));
  return rows
    .map((r) =>
      (
        indent +
        r
          .map((c, i) => (typeof c === 'number' ? String(c).padStart(widths[i]!) : c.padEnd(widths[i]!)))
          .join('  ')
      ).trimEnd(),
    )
    .join('\n');
}

export function bytes(n: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  for (; n >= 1024 && unit < units.length - 1; unit++) n /= 1024;
  return `${unit === 0 ? n : n.toFixed(n < 10 ? 2 : 1)} ${units[unit]}`;
}

export const showTile = (tile: Readonly<Record<string, number>>): string =>
  Object.entries(tile)
    .map(([name, value]) => `${name}=${value}`)
    .join(',') || '-';
