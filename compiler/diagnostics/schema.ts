/** The schema of diagnostics as JSON, apart from json.ts: every command may print one, and few need zod for it. */
import { z } from 'zod';
import { catalogue, type Code } from './catalogue.ts';

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
