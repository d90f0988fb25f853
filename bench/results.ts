/** Recorded measurements: one JSON file per target, device and suite. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { makeFolder } from '../compiler/cli/folders.ts';

const launch = z.object({ kernel: z.string(), us: z.number() });

export const rowSchema = z.object({
  tree: z.string(),
  heads: z.string(),
  dtype: z.string(),
  headDim: z.number(),
  page: z.number(),
  /** Median between two events around the launches; the device is idle before. */
  timeUs: z.number().nullable(),
  /** Median around one graph replay. */
  graphUs: z.number().nullable(),
  /** One of ten repetitions in one graph. */
  chainedUs: z.number().nullable(),
  /** As timeUs, with other memory swept through L2 before. */
  coldUs: z.number().nullable(),
  /** max(bytesUs, matrixUs) on this device. */
  floorUs: z.number().nullable(),
  bytesUs: z.number().nullable(),
  matrixUs: z.number().nullable(),
  verified: z.boolean(),
  relError: z.number().nullable(),
  /** Query rows (sequence x head) that were compared with float64, of all. */
  sampledRows: z.number(),
  rows: z.number(),
  launches: z.array(launch),
  kernels: z.array(
    z.object({
      kernel: z.string(),
      tile: z.record(z.string(), z.number()),
      registers: z.number(),
      spillBytes: z.number(),
      sharedBytes: z.number(),
      blocksPerUnit: z.number(),
    }),
  ),
  plan: z.record(z.string(), z.unknown()),
  error: z.string().optional(),
});

export const resultSchema = z.object({
  suite: z.string(),
  target: z.string(),
  device: z.string(),
  driver: z.string().nullable(),
  commit: z.string(),
  command: z.string(),
  measured: z.string(),
  units: z.number(),
  /** Read bandwidth of this device, measured in the same run, in TB/s; and how. */
  readTbPerS: z.number().nullable(),
  bandwidthMethod: z.string(),
  /** Dense f16 matrix throughput that floors assume, in TFLOP/s; and where it comes from. */
  matrixTflops: z.number(),
  matrixMethod: z.string(),
  repeats: z.number(),
  seed: z.number(),
  /** Whether every case of the suite was run. */
  complete: z.boolean(),
  rows: z.array(rowSchema),
});

export type BenchRow = z.infer<typeof rowSchema>;
export type BenchResult = z.infer<typeof resultSchema>;

/** `h100`, `h200`, `l4` … : the first word of the device's name that has a digit in it. */
export const deviceSlug = (device: string): string =>
  (
    /\b([A-Za-z]*\d+[A-Za-z]*)\b/.exec(device.replace(/NVIDIA|GeForce|RTX/gi, ''))?.[1] ??
    device.replace(/\W+/g, '-')
  ).toLowerCase();

export const resultName = (r: Pick<BenchResult, 'target' | 'device' | 'suite'>): string =>
  `${r.target.replace(/^cuda:sm_90a$/, 'cuda').replace(/[:_+]/g, '')}-${deviceSlug(r.device)}-${r.suite}.json`;

/** Rows are written one a line, so that two runs compare line by line. */
export function resultText(result: BenchResult): string {
  const { rows, ...head } = resultSchema.parse(result);
  const lines = rows.map((row) => `  ${JSON.stringify(row)}`);
  return `${JSON.stringify(head, null, 1).replace(/\n\}$/, '')},\n "rows": [\n${lines.join(',\n')}\n ]\n}\n`;
}

/** Writes the file and returns its path. */
export function writeResult(folder: string, result: BenchResult): string {
  makeFolder(folder);
  const file = path.join(folder, resultName(result));
  writeFileSync(file, resultText(result));
  return file;
}
