/** Devices as data: what a GPU can hold and how fast it is, each figure with where it comes from (devices/*.json). */
import { z } from 'zod';
import { closest } from '../diagnostics/closest.ts';
import { fail } from '../diagnostics/error.ts';
import { findTarget, type Target } from '../target.ts';
import a100 from './devices/a100.json' with { type: 'json' };
import b200 from './devices/b200.json' with { type: 'json' };
import h100 from './devices/h100.json' with { type: 'json' };
import h200 from './devices/h200.json' with { type: 'json' };
import l4 from './devices/l4.json' with { type: 'json' };
import rtx4090 from './devices/rtx4090.json' with { type: 'json' };
import rtx5090 from './devices/rtx5090.json' with { type: 'json' };
import software from './devices/software.json' with { type: 'json' };
import webgpu from './devices/webgpu.json' with { type: 'json' };

const figure = z.object({ value: z.number().positive(), source: z.string().min(8) });

/** Sizes in bytes, rates per second. A "unit" is an SM or a compute unit, a "block" a workgroup. */
export const deviceSchema = z.strictObject({
  id: z.string().regex(/^[a-z0-9]+$/),
  name: z.string(),
  match: z.string().describe("a regular expression on the device's own description"),
  family: z.enum(['cuda', 'wgsl']),
  targets: z.array(z.string()).min(1).describe('what patc compiles for it, best first'),
  capability: z.string().optional().describe('CUDA compute capability'),
  features: z.array(z.string()).optional().describe('WebGPU features that patc uses'),
  subgroups: z.string().optional(),
  figures: z.strictObject({
    units: figure,
    sharedPerUnit: figure,
    sharedPerBlock: figure,
    registersPerUnit: figure,
    registersPerThread: figure,
    threadsPerUnit: figure,
    threadsPerBlock: figure,
    blocksPerUnit: figure,
    warpSize: figure,
    bandwidth: figure.describe('bytes per second from device memory'),
    matrixFlops: figure.describe('f16 multiply-adds with f32 sums, two operations each, dense'),
    warpMatrixFlops: figure
      .optional()
      .describe('the same through instructions of one warp, where they reach less'),
    vectorFlops: figure.describe('f32'),
    cacheBytes: figure.describe('last-level cache'),
    clockMHz: figure,
    latencyNs: figure.describe('from asking device memory to having the data'),
  }),
  measured: z
    .strictObject({ bandwidth: figure.optional(), matrixFlops: figure.optional() })
    .optional()
    .describe('what kernels reach, where somebody measured it; models use it instead of the data sheet'),
});

export type DeviceDescription = z.infer<typeof deviceSchema>;
export type FigureName = Exclude<keyof DeviceDescription['figures'], 'warpMatrixFlops'>;

/** Most particular first: `match` of the WebGPU default takes anything. */
const files: readonly unknown[] = [a100, h100, h200, l4, rtx4090, rtx5090, b200, software, webgpu];

export const devices: readonly DeviceDescription[] = files.map((file) => deviceSchema.parse(file));

/** A figure as models use it: measured where it was measured. */
export function figureOf(device: DeviceDescription, name: FigureName): number {
  const measured = name === 'bandwidth' || name === 'matrixFlops' ? device.measured?.[name] : undefined;
  return (measured ?? device.figures[name]).value;
}

/** Operations per second of all units' matrix instructions of a kind. */
export function matrixRate(device: DeviceDescription, kind: 'mma' | 'wgmma'): number {
  const best = figureOf(device, 'matrixFlops');
  return kind === 'mma' ? Math.min(best, device.figures.warpMatrixFlops?.value ?? best) : best;
}

/** @throws PatcError PAT0601 for a name that no description has */
export function findDevice(id: string): DeviceDescription {
  const known = devices.map((d) => d.id);
  const found = devices.find((d) => d.id === id.toLowerCase());
  if (found) return found;
  const near = closest(id, known);
  fail('PAT0601', `--device: there is no description of '${id}'`, {
    notes: [{ text: `devices: ${known.join(', ')}` }],
    help: near ? `did you mean '${near}'?` : '`patc devices` lists them with their figures',
  });
}

/** The description of a device that says of itself that it is `description`, with its own number of units. */
export function describedBy(
  family: 'cuda' | 'wgsl',
  description: string,
  units?: number,
): DeviceDescription | undefined {
  const found = devices.find((d) => d.family === family && new RegExp(d.match, 'i').test(description));
  if (!found || units === undefined || units === found.figures.units.value) return found;
  return {
    ...found,
    figures: { ...found.figures, units: { value: units, source: 'as the device reports itself' } },
  };
}

/** The usual card of a target: what is planned and modelled for where none is named. */
export const usualDevice = (target: Target): DeviceDescription =>
  findDevice(target.name === 'cuda:sm_90a' ? 'h100' : target.family === 'cuda' ? 'a100' : 'webgpu');

/** The target within what the device has. */
export function targetOn(device: DeviceDescription, name?: string): Target {
  const target = findTarget(name ?? device.targets[0]!)!;
  if (!device.targets.includes(target.name)) {
    fail('PAT0601', `${device.name} does not run ${target.name}`, {
      notes: [{ text: `it runs ${device.targets.join(', ')}` }],
    });
  }
  return {
    ...target,
    sharedBytes: Math.min(target.sharedBytes, figureOf(device, 'sharedPerBlock')),
    maxThreads: Math.min(target.maxThreads, figureOf(device, 'threadsPerBlock')),
  };
}
