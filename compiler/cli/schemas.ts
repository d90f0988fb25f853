/** The JSON documents that `--json` prints, as zod schemas; docs/schemas/ has them as JSON Schema (scripts/schemas.ts). */
import { z } from 'zod';
import { resultSchema } from '../../bench/results.ts';
import { cache, devices, explain, report, tune } from '../tune/schemas.ts';
import { diagnosticSchema, placeSchema } from '../diagnostics/schema.ts';

const diagnostic = diagnosticSchema.extend({
  code: z.string().describe('PATnnnn, stable; docs/errors.md explains each. "internal" is a bug in patc'),
});

export const errors = z
  .strictObject({ ok: z.literal(false), diagnostics: z.array(diagnostic).min(1) })
  .describe('What every command prints with --json when it cannot do what it was asked');

const spec = z.record(z.string(), z.union([z.number(), z.string()]));
const tile = z.record(z.string(), z.number());

export const compile = z.object({
  ok: z.literal(true),
  program: z.string(),
  spec,
  out: z.string().nullable().describe('the folder written to; null when nothing was written'),
  artifacts: z.array(
    z.object({
      target: z.string(),
      path: z.string().describe('the file that defines the kernel'),
      kernel: z.string(),
      symbol: z.string().describe('the name of the entry point in the file'),
      tile,
      threads: z.number().int(),
      sharedBytes: z.number().int().describe('per block'),
      registers: z.number().int().optional().describe('per thread, from nvcc where it is present'),
      spillBytes: z.number().int().optional(),
    }),
  ),
  files: z.array(z.string()).describe('every file written'),
  rejected: z
    .array(z.object({ target: z.string(), kernel: z.string(), tile, diagnostic }))
    .describe('tile shapes that do not fit the target, and why'),
});

const planSummary = z.looseObject({
  packs: z.number().int(),
  splits: z.number().int(),
  uniqueKvBytes: z.number(),
  readKvBytes: z.number(),
  planUs: z.number(),
});

export const plan = z.looseObject({
  ok: z.literal(true),
  program: z.string(),
  plan: planSummary,
  coverage: z.literal('exact'),
  parts: z.array(z.array(z.number().int())).describe('partial slots by sequence'),
  packs: z.array(
    z.looseObject({
      sequences: z.array(z.number().int()),
      tile: z.looseObject({}),
      slots: z.array(z.number().int()).describe('-1 where the pack writes the output itself'),
      entries: z.array(
        z.object({
          first: z.number().int(),
          count: z.number().int(),
          from: z.number().int(),
          to: z.number().int(),
        }),
      ),
    }),
  ),
});

export const run = z.looseObject({
  ok: z.boolean().describe('everything that was asked held; with --verify also the result'),
  program: z.string(),
  device: z.string(),
  driver: z.string().optional(),
  seed: z.number().int(),
  spec,
  verified: z.boolean(),
  relError: z.number().nullable(),
  maxAbsError: z.number().nullable(),
  tolerance: z.number().nullable(),
  unwritten: z.number().int().nullable(),
  launches: z.number().int(),
  timeUs: z.number().optional().describe('median of all launches together, where the device can time'),
  floorUs: z
    .number()
    .optional()
    .describe('what any implementation needs on this device, where its figures are known'),
  plan: planSummary.optional(),
});

const finding = diagnostic.extend({
  severity: z.enum(['error', 'warning']),
  count: z.number().int().describe('how often; the text tells the first time'),
});

export const check = z.object({
  ok: z.boolean().describe('no lint, no error of the simulator, and the numbers are right'),
  program: z.string(),
  lint: z.array(diagnostic),
  targets: z.array(
    z.object({
      target: z.string(),
      sharedLimit: z.number().int().describe('bytes of shared memory that a block may use'),
      kernels: z.array(
        z.object({
          kernel: z.string(),
          tile,
          threads: z.number().int(),
          sharedBytes: z.number().int(),
          buffers: z.array(
            z.object({ name: z.string(), bytes: z.number().int(), note: z.string(), span: placeSchema }),
          ),
        }),
      ),
      refused: z.array(
        z.object({
          kernel: z.string(),
          tile: tile.describe('the first candidate of every tile number'),
          diagnostic: diagnostic.describe('why it does not fit, with the bytes of every buffer'),
          fits: tile.describe('the nearest shape that does; the budget is its'),
        }),
      ),
      simulated: z.array(
        z.object({
          tile: z.string(),
          launches: z.number().int(),
          sharedPeak: z.number().int(),
          ok: z.boolean(),
          relError: z.number().nullable(),
          errors: z.array(finding),
          warnings: z.array(finding).describe('bank conflicts and uncoalesced access: slow, not wrong'),
          accesses: z
            .array(
              z.object({
                kernel: z.string(),
                buffer: z.string(),
                space: z.enum(['shared', 'global']),
                kind: z.enum(['load', 'store', 'copy', 'ldmatrix', 'atomic']),
                width: z.number().int().describe('bytes per lane'),
                requests: z.number().int().describe('warps that executed it'),
                spent: z.number().int().describe('wavefronts of shared, sectors of global memory'),
                ideal: z.number().int().describe('the fewest that could do'),
                worst: z.number().describe('degree of the worst bank conflict; sectors over ideal'),
                span: placeSchema,
              }),
            )
            .describe('every access of the kernels, with what it cost'),
        }),
      ),
    }),
  ),
});

export const opt = z.object({
  ok: z.literal(true),
  kernel: z.string(),
  passes: z.array(z.string()).describe('what ran, in order'),
  text: z.string().describe('the kernel after them'),
});

export const bench = resultSchema.extend({
  ok: z.boolean().describe('every case that was run is verified'),
  file: z.string().describe('where the result was written'),
});

export const schemas = {
  bench,
  cache,
  check,
  errors,
  compile,
  devices,
  explain,
  opt,
  plan,
  report,
  run,
  tune,
} as const;
export type BenchJson = z.infer<typeof bench>;
export type OptJson = z.infer<typeof opt>;
export type CheckJson = z.infer<typeof check>;
export type CompileJson = z.infer<typeof compile>;
export type RunJson = z.infer<typeof run>;
