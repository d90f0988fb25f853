/** What `patc check` looks at, one target at a time: budgets of every kernel, then its behaviour on a small instance. */
import { simulateRequest, type Finding } from '../../backends/cpu/simulator/index.ts';
import type { Instance, KernelTemplate, Program, RunOptions, Spec, Tile } from '../program.ts';
import type { Span } from '../ir/span.ts';
import type { ThreadKernel } from '../thread/nodes.ts';
import { Lowering } from './lowering.ts';
import { showTile } from './output.ts';
import type { Settled } from './program-flags.ts';
import { tilesOf } from './tiles.ts';
import { planningShape } from './units.ts';
import type { Target } from '../target.ts';

export interface Budget {
  readonly kernel: string;
  readonly tile: Tile;
  readonly threads: number;
  readonly sharedBytes: number;
  /** Largest first; buffers whose lifetimes do not meet share bytes, so the sum may be more than `sharedBytes`. */
  readonly buffers: readonly { name: string; bytes: number; note: string; span: Span }[];
}

export interface Simulated {
  readonly tile: string;
  readonly launches: number;
  readonly sharedPeak: number;
  readonly ok: boolean;
  readonly relError: number | null;
  readonly errors: readonly Finding[];
  readonly warnings: readonly Finding[];
}

export interface Checked {
  readonly target: Target;
  readonly budgets: readonly Budget[];
  /** Empty for kernels without a program: there is nothing to launch. */
  readonly simulated: readonly Simulated[];
}

export interface CheckOptions {
  readonly workload: string | undefined;
  readonly settled: Settled;
  readonly tile: Tile;
  readonly seed: number;
  /** Simulate every tile shape that fits, not only the one that the program would choose. */
  readonly everyTile: boolean;
}

/** @throws PatcError when no tile shape of a kernel can be lowered for the target */
export function checkTarget(
  kernels: readonly KernelTemplate[],
  program: Program | undefined,
  target: Target,
  options: CheckOptions,
  progress: (line: string) => void,
): Checked {
  const lowering = new Lowering(target);
  const spec: Spec = { ...(program?.small?.spec ?? {}), ...options.settled.spec };
  const budgets: Budget[] = [];
  const simulated: Simulated[] = [];
  const choices = kernels.flatMap((template) => {
    const own = Object.fromEntries(Object.entries(options.tile).filter(([name]) => name in template.tile));
    const tiles = lowering.feasible(template, spec, own);
    // Nothing fits: say what is wrong with the first.
    if (tiles.length === 0) lowering.lower(template, spec, tilesOf(template, own)[0]!);
    return (options.everyTile ? tiles : tiles.slice(0, 1)).map((tile) => ({ template, tile }));
  });
  for (const { template, tile } of choices) budgets.push(budget(lowering.lower(template, spec, tile)));
  if (program) {
    const forced = options.everyTile || Object.keys(options.tile).length > 0;
    for (const choice of forced ? choices : [undefined]) {
      const what = choice ? `${choice.template.name} ${showTile(choice.tile)}` : program.name;
      progress(`${target.name}: simulating ${what}`);
      simulated.push(simulate(program, lowering, spec, options, choice, what));
    }
  }
  return { target, budgets, simulated };
}

const budget = (k: ThreadKernel): Budget => ({
  kernel: k.name,
  tile: k.tile,
  threads: k.threads,
  sharedBytes: k.sharedBytes,
  buffers: [...k.shared]
    .sort((a, b) => b.bytes - a.bytes)
    .map(({ name, bytes, note, span }) => ({ name, bytes, note, span })),
});

function simulate(
  program: Program,
  lowering: Lowering,
  spec: Spec,
  { workload, settled, seed }: CheckOptions,
  choice: { template: KernelTemplate; tile: Tile } | undefined,
  what: string,
): Simulated {
  const usual = planningShape(lowering);
  const given = workload ?? program.small?.workload;
  const options: RunOptions = {
    ...(given === undefined ? {} : { workload: given }),
    seed,
    spec,
    flags: { ...program.small?.flags, ...settled.flags },
    verify: true,
    device: {
      ...usual,
      feasible: (template, spec) =>
        choice && template === choice.template ? [choice.tile] : usual.feasible(template, spec),
    },
  };
  const instance = program.instantiate(options);
  const { outputs, reports } = simulateRequest(requestOf(instance, lowering));
  const errors = reports.flatMap((r) => r.errors);
  // After an error the numbers mean nothing.
  const verified = errors.length === 0 ? instance.verify(outputs) : undefined;
  return {
    tile: what,
    launches: instance.launches.length,
    sharedPeak: Math.max(0, ...reports.map((r) => r.statistics.sharedPeak)),
    ok: verified?.ok ?? false,
    relError: verified?.relError ?? null,
    errors,
    warnings: reports.flatMap((r) => r.warnings),
  };
}

function requestOf(instance: Instance, lowering: Lowering) {
  const kernels: ThreadKernel[] = [];
  const launches = instance.launches.map((launch) => {
    const kernel = lowering.lower(launch.template, instance.spec, launch.tile);
    let index = kernels.indexOf(kernel);
    if (index < 0) index = kernels.push(kernel) - 1;
    return { kernel: index, grid: launch.grid, buffers: launch.buffers, scalars: launch.scalars };
  });
  return { kernels, buffers: instance.buffers, launches, repeats: 0 };
}
