/** A program's instance on everything that runs kernels here, judged by the program's own float64 reference. */
import { interpretRequest } from '../../backends/cpu/interpreter/index.ts';
import { simulateRequest } from '../../backends/cpu/simulator/index.ts';
import { wgslBackend } from '../../backends/wgsl/index.ts';
import type { Device, HostArray } from '../../compiler/backend.ts';
import { lowerKernel } from '../../compiler/lower/index.ts';
import type { Instance, Program, Spec, Tile, Verification } from '../../compiler/program.ts';
import { findTarget, type Target } from '../../compiler/target.ts';

export interface Small {
  readonly spec?: Spec;
  readonly tile?: Tile;
  readonly workload?: string;
  readonly flags: Readonly<Record<string, string>>;
}

export const places = ['interpreter', 'cuda:sm_80', 'cuda:sm_90a', 'webgpu'] as const;
export type Place = (typeof places)[number];

export interface Ran {
  readonly instance: Instance;
  readonly outputs: ReadonlyMap<string, HostArray>;
  readonly verdict: Verification;
}

/** `cuda:…` is the simulator of that lowering, and anything that it reports is thrown. */
export async function runAt(place: Place, program: Program, small: Small): Promise<Ran> {
  const instance = program.instantiate({
    seed: 11,
    spec: small.spec ?? {},
    flags: small.flags,
    ...(small.workload !== undefined && { workload: small.workload }),
    verify: true,
    device: {
      family: place === 'interpreter' ? 'cpu' : place === 'webgpu' ? 'wgsl' : 'cuda',
      units: 4,
      feasible: ({ tile }) => {
        const standard = Object.entries(tile).map(([name, values]) => [name, values[0]!]);
        const own = Object.entries(small.tile ?? {}).filter(([name]) => name in tile);
        return [Object.fromEntries([...standard, ...own]) as Tile];
      },
    },
  });
  const outputs = await run(place, instance);
  return { instance, outputs, verdict: instance.verify(outputs) };
}

async function run(place: Place, instance: Instance): Promise<ReadonlyMap<string, HostArray>> {
  const launches = instance.launches.map((l, kernel) => ({ ...l, kernel }));
  const traced = instance.launches.map(({ template, tile }) => {
    const own = Object.entries(instance.spec).filter(([name]) => name in template.spec);
    const known = Object.entries(tile).filter(([name]) => name in template.tile);
    return template.trace(Object.fromEntries(own), Object.fromEntries(known));
  });
  const { buffers } = instance;
  if (place === 'interpreter') return interpretRequest({ kernels: traced, buffers, launches }).outputs;
  const lowered = (target: Target) => traced.map((k) => lowerKernel(k, target));
  if (place === 'webgpu') {
    const device: Device = await wgslBackend.open();
    try {
      return (await device.run({ kernels: lowered(device.target), buffers, launches, repeats: 0 })).outputs;
    } finally {
      await device.close();
    }
  }
  const kernels = lowered(findTarget(place)!);
  const result = simulateRequest({ kernels, buffers, launches, repeats: 0 }, { maxStatements: 50_000_000 });
  const errors = result.reports.flatMap((r) => r.errors);
  if (errors.length > 0) throw new Error(errors.map((e) => `${e.code} ${e.message}`).join('; '));
  return result.outputs;
}
