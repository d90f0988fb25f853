/** The model's coefficients by family of device, with what they were fitted to and how well they fit. */
import { z } from 'zod';
import cuda from './fits/cuda.json' with { type: 'json' };
import wgsl from './fits/wgsl.json' with { type: 'json' };

const coefficients = z.strictObject({
  matrix: z.number(),
  shared: z.number(),
  vector: z.number(),
  warps: z.number(),
  overlap: z.number(),
  /** Cache bandwidth as a multiple of memory bandwidth. */
  cache: z.number(),
  /** Share of memory bandwidth that launches without products reach. */
  scatter: z.number(),
  syncNs: z.number(),
  syncProducersNs: z.number(),
  packNs: z.number(),
  startUs: z.number(),
});

export const fitSchema = z.strictObject({
  family: z.enum(['cuda', 'wgsl']),
  coefficients,
  source: z.string().describe('the measured runs'),
  runs: z.number().int(),
  rmsPercent: z.number().describe('of the logarithm of predicted over measured, after a common factor'),
  heldOutRmsPercent: z.number().describe('the same for workloads left out of the fit, one after another'),
  spearman: z
    .number()
    .describe('of predicted against measured over the tile shapes of a workload; mean over workloads'),
  regretPercent: z
    .number()
    .describe(
      'how much slower the shape is that the model would choose than the best measured one; geometric mean',
    ),
});

export type Coefficients = z.infer<typeof coefficients>;
export type Fit = z.infer<typeof fitSchema>;

const fits: readonly Fit[] = [cuda, wgsl].map((f) => fitSchema.parse(f));

export const fitOf = (family: 'cuda' | 'wgsl'): Fit => fits.find((f) => f.family === family)!;
