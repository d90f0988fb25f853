/**
 * What `--on` names: something that runs an instance's launches. The interpreter runs Tile IR; a device runs what the
 * lowering for its target gives.
 */
import type { Device, HostArray, HostBuffer, RunResult } from '../backend.ts';
import { fail } from '../diagnostics/error.ts';
import type { Kernel } from '../ir/nodes.ts';
import type { DeviceShape, Instance, KernelTemplate, ProgramLaunch } from '../program.ts';
import type { ThreadKernel } from '../thread/nodes.ts';
import { backendOf } from './backends.ts';
import { parseTargets, specOf } from './options.ts';
import { tilesOf } from './tiles.ts';
import { closest } from '../diagnostics/closest.ts';

export interface Runner {
  readonly description: string;
  readonly shape: DeviceShape;
  /** Timed runs where the command line does not say: none where a run takes seconds. */
  readonly usualRepeats: number;
  run(instance: Instance, repeats: number): Promise<RunResult>;
  close(): Promise<void>;
}

export const places = ['cpu', 'simulator', 'webgpu', 'cuda'] as const;

/** @throws PatcError PAT0601 for an unknown place, PAT07xx when the device or what it needs is missing */
/** `tuned`: plan with the winners of the present device's table where there is one, not with every shape that fits. */
export async function openRunner(on: string, simulated = 'cuda:sm_80', tuned = false): Promise<Runner> {
  if (on === 'cpu') return interpreterRunner();
  if (on === 'webgpu') return deviceRunner(await (await backendOf('wgsl')).open(), tuned);
  if (on === 'cuda') return deviceRunner(await (await backendOf('cuda')).open(), tuned);
  if (on === 'simulator') {
    const { openSimulator } = await import('../../backends/cpu/simulator/index.ts');
    return deviceRunner(openSimulator(parseTargets(simulated)[0]!));
  }
  const near = closest(on, places);
  fail('PAT0601', `--on: there is no '${on}'`, {
    notes: [{ text: `places: ${places.join(', ')}` }],
    ...(near ? { help: `did you mean '${near}'?` } : {}),
  });
}

/** The interpreter has no blocks to fill; the planner gets the same number on every machine. */
const interpreterUnits = 8;

async function interpreterRunner(): Promise<Runner> {
  const { interpret } = await import('../../backends/cpu/interpreter/index.ts');
  const description = 'CPU (Tile IR interpreter)';
  return {
    description,
    usualRepeats: 0,
    shape: { family: 'cpu', units: interpreterUnits, feasible: (template) => tilesOf(template) },
    async run(instance) {
      const memory = new Map(instance.buffers.map((b): [string, HostArray] => [b.name, b.data.slice()]));
      for (const launch of instance.launches) {
        const kernel = launch.template.trace(specOf(launch.template, instance.spec), launch.tile);
        interpret(kernel, [...launch.grid], bind(kernel, launch, memory), launch.scalars);
      }
      return { device: description, outputs: outputsOf(instance.buffers, memory) };
    },
    async close() {},
  };
}

function bind(kernel: Kernel, launch: ProgramLaunch, memory: Map<string, HostArray>): Map<string, HostArray> {
  const tensors = kernel.params.filter((p) => p.kind === 'tensor');
  return new Map(tensors.map((p) => [p.name, memory.get(launch.buffers[p.name] ?? '')!]));
}

const outputsOf = (buffers: readonly HostBuffer[], memory: Map<string, HostArray>): Map<string, HostArray> =>
  new Map(buffers.filter((b) => b.output).map((b) => [b.name, memory.get(b.name)!]));

async function deviceRunner(device: Device, tuned = false): Promise<Runner> {
  const { Lowering } = await import('./lowering.ts');
  const lowering = new Lowering(device.target);
  const winners = tuned ? (await import('../tune/defaults.ts')).winnersOn(device, lowering) : undefined;
  return {
    description: device.description,
    usualRepeats: /software|simulator/i.test(device.description) ? 0 : 20,
    shape: {
      family: device.target.family,
      units: device.units,
      feasible: (template: KernelTemplate, spec) =>
        winners?.(template, spec) ?? lowering.feasible(template, spec),
    },
    run(instance, repeats) {
      const kernels: ThreadKernel[] = [];
      const launches = instance.launches.map((launch) => {
        const kernel = lowering.lower(launch.template, instance.spec, launch.tile);
        let index = kernels.indexOf(kernel);
        if (index < 0) index = kernels.push(kernel) - 1;
        return { kernel: index, grid: launch.grid, buffers: launch.buffers, scalars: launch.scalars };
      });
      return device.run({ kernels, buffers: instance.buffers, launches, repeats });
    },
    close: () => device.close(),
  };
}
