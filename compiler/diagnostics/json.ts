/** Diagnostics for editors and CI, with their schema. */
import { z } from 'zod';
import { catalogue, type Code } from './catalogue.ts';
import type { Diagnostic } from './error.ts';
import type { Span } from '../ir/span.ts';

export const placeSchema = z.strictObject({
  file: z.string(),
  /** Both start at 1. */
  line: z.int().nonnegative(),
  column: z.int().nonnegative(),
});

export const diagnosticSchema = z.strictObject({
  code: z.enum(Object.keys(catalogue) as [Code, ...Code[]]),
  name: z.string(),
  severity: z.literal('error'),
  message: z.string(),
  span: placeSchema.optional(),
  /** Author frames from the call site outwards. */
  calledFrom: z.array(placeSchema),
  notes: z.array(z.strictObject({ text: z.string(), span: placeSchema.optional() })),
  help: z.string().optional(),
});

export const diagnosticsSchema = z.strictObject({
  ok: z.literal(false),
  diagnostics: z.array(diagnosticSchema),
});

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
