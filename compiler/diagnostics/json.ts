/** Diagnostics for editors and CI (their schema: schema.ts). */
import type { z } from 'zod';
import { catalogue } from './catalogue.ts';
import type { Diagnostic } from './error.ts';
import type { diagnosticSchema, diagnosticsSchema, placeSchema } from './schema.ts';
import type { Span } from '../ir/span.ts';

export type DiagnosticJson = z.infer<typeof diagnosticSchema>;
export type DiagnosticsJson = z.infer<typeof diagnosticsSchema>;

const place = ({ file, line, column }: Span): z.infer<typeof placeSchema> => ({ file, line, column });

export function diagnosticJson(d: Diagnostic): DiagnosticJson {
  return {
    code: d.code,
    name: catalogue[d.code].name,
    severity: 'error',
    message: d.message,
    ...(d.span && { span: place(d.span) }),
    calledFrom: (d.span?.chain ?? []).map(place),
    notes: (d.notes ?? []).map((n) => ({ text: n.text, ...(n.span && { span: place(n.span) }) })),
    ...(d.help && { help: d.help }),
  };
}

/** The document that `--json` and `--format json` print when a command fails. */
export const diagnosticsJson = (list: readonly Diagnostic[]): DiagnosticsJson => ({
  ok: false,
  diagnostics: list.map(diagnosticJson),
});
