/** The documents of devices, explain, tune, cache and report, as zod schemas; docs/schemas has them as JSON Schema. */
import { z } from 'zod';
import { deviceSchema } from './devices.ts';

const tile = z.record(z.string(), z.number());
const spec = z.record(z.string(), z.union([z.number(), z.string()]));

export const devices = z.object({
  ok: z.literal(true),
  devices: z.array(deviceSchema),
  present: z.array(
    z.union([
      z.object({
        place: z.enum(['cuda', 'webgpu']),
        description: z.string(),
        target: z.string(),
        units: z.number().int(),
        known: z.string().nullable().describe('id of the description that stands for it'),
      }),
      z.object({ place: z.enum(['cuda', 'webgpu']), missing: z.string() }),
    ]),
  ),
});

const budgetLine = z.object({
  name: z.string(),
  need: z.number(),
  limit: z.number(),
  unit: z.string(),
  ok: z.boolean(),
  hard: z.boolean().describe('a hard line cannot be crossed; a soft one costs time'),
  arithmetic: z.string(),
});

const rejection = z.object({
  reason: z.string().describe('what rejected configurations are grouped by'),
  arithmetic: z.string(),
  fix: z.string().describe('what would make it fit'),
});

export const explain = z.object({
  ok: z.literal(true),
  program: z.string(),
  explained: z.array(
    z.object({
      target: z.string(),
      device: z.string(),
      kernel: z.string(),
      tile,
      fits: z.boolean(),
      rejection: rejection.optional(),
      binding: z.string(),
      blocksPerUnit: z.number().int(),
      residencyBound: z.string(),
      budget: z.array(budgetLine),
      neighbours: z.array(z.object({ tile, changed: z.string(), us: z.number().optional() })),
      model: z.record(z.string(), z.number()).optional().describe('terms of the cost model, microseconds'),
    }),
  ),
});

const cell = z.object({ rows: z.number().int(), tokens: z.number().int() });

/** The winning shape of each (rows, tokens) region: what a planner may take its shapes from. */
export const tableSchema = z.object({
  version: z.literal(1),
  program: z.string(),
  kernel: z.string(),
  target: z.string(),
  device: z.string(),
  from: z.enum(['modelled', 'measured']),
  spec,
  rows: z.array(z.number().int()).min(1).describe('upper ends of the row regions, ascending'),
  tokens: z.array(z.number().int()).min(1).describe('upper ends of the token regions, ascending'),
  tiles: z
    .array(tile)
    .min(1)
    .describe('the winners, most cells first; the last may be there for its rows alone'),
  winner: z.array(z.array(z.number().int())).describe('[rows][tokens] index into tiles'),
});

const configuration = z.object({
  kernel: z.string(),
  tile,
  state: z.enum(['rejected', 'modelled', 'measured', 'failed']),
  threads: z.number().int().optional(),
  sharedBytes: z.number().int().optional(),
  registers: z.number().int().optional(),
  registersFrom: z.enum(['nvcc', 'estimate']).optional(),
  spillBytes: z.number().int().optional(),
  blocksPerUnit: z.number().int().optional(),
  bytesInFlight: z.number().optional(),
  binding: z.string().optional(),
  predictedUs: z.number().optional().describe('of the whole workload in this one shape'),
  measuredUs: z.number().optional(),
  checked: z.boolean().optional().describe('against the interpreter, before it was timed'),
  cached: z.boolean().optional().describe('known from an earlier run; this one may have run it longer'),
  error: z.string().optional(),
  rejection: rejection.optional(),
});

export const tune = z.object({
  ok: z.literal(true),
  version: z.literal(1),
  program: z.string(),
  kernel: z.string().describe('the kernel whose shape matters most; the report is about it'),
  command: z.string().describe('what reproduces this report'),
  on: z.enum(['model', 'webgpu', 'cuda']),
  seed: z.number().int(),
  budgetSeconds: z.number(),
  elapsedSeconds: z.number(),
  toolchain: z.string(),
  workload: z.string().nullable(),
  spec,
  target: z.string(),
  device: z.object({
    id: z.string(),
    name: z.string(),
    units: z.number().int(),
    bandwidth: z.number(),
    matrixFlops: z.number(),
  }),
  floorUs: z.number(),
  flops: z.number(),
  bytes: z.number(),
  best: z.object({ tile, predictedUs: z.number(), measuredUs: z.number().optional() }),
  tuned: z
    .object({ predictedUs: z.number(), tiles: z.array(tile) })
    .describe('a plan that may use every winning shape'),
  comparisons: z.array(z.object({ name: z.string(), us: z.number(), measured: z.boolean() })),
  table: tableSchema.optional(),
  cells: z.array(cell.extend({ us: z.array(z.object({ configuration: z.number().int(), us: z.number() })) })),
  configurations: z.array(configuration),
  unseen: z.number().int().describe('shapes that the budget or the limit left out'),
  sensitivity: z.array(
    z.object({ parameter: z.string(), points: z.array(z.object({ value: z.number(), us: z.number() })) }),
  ),
  timeline: z.array(
    z.object({
      unit: z.number().int().describe('a row of the drawing: one of the places that blocks can have'),
      begin: z.number(),
      end: z.number(),
      rows: z.number(),
      tokens: z.number(),
      launch: z.number().int(),
    }),
  ),
  model: z.object({
    source: z.string(),
    runs: z.number().int().describe('measured runs that it was fitted to'),
    rmsPercent: z.number(),
    heldOutRmsPercent: z.number(),
    spearman: z.number(),
    regretPercent: z.number(),
    heldOutSpearman: z.number(),
    heldOutRegretPercent: z.number(),
    here: z
      .object({ runs: z.number().int(), rmsPercent: z.number(), spearman: z.number().nullable() })
      .optional()
      .describe('predicted against measured in this very run'),
  }),
  code: z.object({
    path: z.string(),
    lines: z.array(z.object({ text: z.string(), from: z.number().int().optional() })),
    source: z.object({ file: z.string(), first: z.number().int(), lines: z.array(z.string()) }).optional(),
  }),
});

export const cache = z.object({
  ok: z.literal(true),
  action: z.enum(['list', 'clear', 'export', 'import']),
  folder: z.string(),
  records: z.array(
    z.object({
      key: z.string(),
      program: z.string(),
      kernel: z.string(),
      target: z.string(),
      device: z.string(),
      tile,
      state: z.string(),
      us: z.number().nullable(),
    }),
  ),
  warnings: z.array(z.string()),
});

export const report = z.object({
  ok: z.literal(true),
  a: z.string(),
  b: z.string(),
  bestUs: z.object({ a: z.number(), b: z.number(), ratio: z.number() }),
  sameTable: z.boolean(),
  movedCells: z.array(cell.extend({ a: z.string(), b: z.string() })),
  configurations: z.array(
    z.object({ kernel: z.string(), tile, a: z.number().nullable(), b: z.number().nullable() }),
  ),
});

export type DevicesJson = z.infer<typeof devices>;
export type ExplainJson = z.infer<typeof explain>;
export type TunedTable = z.infer<typeof tableSchema>;
export type TuneJson = z.infer<typeof tune>;
export type ConfigurationJson = z.infer<typeof configuration>;
export type CacheJson = z.infer<typeof cache>;
export type ReportJson = z.infer<typeof report>;
