/** The model's coefficients by family of device, with what they were fitted to and how well they fit. */
import { z } from 'zod';
import cuda from './fits/cuda.json' with { type: 'json' };
import wgsl from './fits/wgsl.json' with { type: 'json' };

const coefficients = z.strictObject({
  issue: z.number().describe('issue slots per counted instruction'),
  matrix: z.number().describe('matrix work over what the warp instructions could do at best'),
  groupMatrix: z.number().describe('the same for instructions of four warps'),
  chain: z.number().describe('clocks that one warp takes per instruction'),
  syncNs: z.number().describe('of every step, beside its instructions'),
  latency: z.number().describe("of a step's copies, over the device's memory latency"),
  lacking: z.number().describe('more work for each part of the registers that the code lacks'),
  sharpness: z.number(),
  packNs: z.number(),
  pieceNs: z.number(),
  pieceBusyNs: z.number(),
  bandwidth: z.number().describe("over the device's"),
  crowd: z.number().describe('exponent: bytes in flight over what the latency asks for'),
  cache: z.number().describe('cache bandwidth over memory bandwidth'),
  cached: z.number().describe('share of the bytes that still come from memory when all fit the cache'),
  scatter: z.number().describe('share of memory bandwidth that launches without products reach'),
  startUs: z.number(),
});

export const fitSchema = z.strictObject({
  family: z.enum(['cuda', 'wgsl']),
  coefficients,
  source: z.string().describe('the measured runs'),
  runs: z.number().int(),
  rmsPercent: z.number().describe('of the logarithm of predicted over measured, after a common factor'),
  heldOutRmsPercent: z
    .number()
    .describe('the same for workloads left out of the fit, one tree after another'),
  spearman: z
    .number()
    .describe('of predicted against measured over the tile shapes of a workload; mean over workloads'),
  regretPercent: z
    .number()
    .describe(
      'how much slower the shape is that the model would choose than the best measured one; geometric mean',
    ),
  heldOutSpearman: z.number(),
  heldOutRegretPercent: z.number(),
});

export type Coefficients = z.infer<typeof coefficients>;
export type Fit = z.infer<typeof fitSchema>;

const fits: readonly Fit[] = [cuda, wgsl].map((f) => fitSchema.parse(f));

export const fitOf = (family: 'cuda' | 'wgsl'): Fit => fits.find((f) => f.family === family)!;
