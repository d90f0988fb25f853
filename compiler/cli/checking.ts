/** What `patc check` looks at, one target at a time: budgets of every kernel, then its behaviour on a small instance. */
import { simulateRequest, type AccessStatistics, type Finding } from '../../backends/cpu/simulator/index.ts';
import { PatcError } from '../diagnostics/error.ts';
import type { Instance, KernelTemplate, Program, RunOptions, Spec, Tile } from '../program.ts';
import type { Span } from '../ir/span.ts';
import type { ThreadKernel } from '../thread/nodes.ts';
import { aroundTile, changes, nearestFit, type Refused } from './fitting.ts';
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
  readonly accesses: readonly (AccessStatistics & { kernel: string })[];
}

export interface Checked {
  readonly target: Target;
  readonly budgets: readonly Budget[];
  /** The shape that the author would get by default, where it does not fit. */
  readonly refused: readonly Refused[];
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
  const simulated: Simulated[] = [];
  const refused: Refused[] = [];
  const choices = kernels.flatMap((template) => {
    const own = Object.fromEntries(Object.entries(options.tile).filter(([name]) => name in template.tile));
    if (options.everyTile) {
      const tiles = lowering.feasible(template, spec, own);
      if (tiles.length > 0) return tiles.map((tile) => ({ template, tile }));
    }
    return [{ template, tile: chooseTile(template, spec, own, lowering, refused) }];
  });
  const budgets = choices.map(({ template, tile }) => budget(lowering.lower(template, spec, tile)));
  if (program) {
    for (const group of options.everyTile ? choices.map((c) => [c]) : [choices]) {
      const what = group.map((c) => `${c.template.name} ${showTile(c.tile)}`).join('; ');
      progress(`${target.name}: simulating ${what}`);
      simulated.push(simulate(program, lowering, spec, options, group, what));
    }
  }
  return { target, budgets, refused, simulated };
}

type Choice = { readonly template: KernelTemplate; readonly tile: Tile };

/**
 * The first candidate of every number, or the nearest shape that fits.
 * @throws PatcError the first shape's error where nothing fits, with what would fit if `--tile` left more open
 */
function chooseTile(
  template: KernelTemplate,
  spec: Spec,
  fixed: Tile,
  lowering: Lowering,
  refused: Refused[],
): Tile {
  const wanted = tilesOf(template, fixed)[0]!;
  try {
    lowering.lower(template, spec, wanted);
    return wanted;
  } catch (error) {
    if (!(error instanceof PatcError) || !/^PAT03/.test(error.code)) throw error;
    const fits = nearestFit(template, spec, fixed, lowering);
    if (fits) {
      refused.push({ kernel: template.name, tile: wanted, error, fits });
      return fits;
    }
    const open = Object.keys(fixed).length > 0 ? nearestFit(template, spec, {}, lowering) : undefined;
    if (!open) throw error;
    const [first, ...rest] = error.diagnostics;
    const help = `with ${changes(wanted, open)} it fits ${lowering.target.name}`;
    throw new PatcError({ ...first!, help }, ...rest);
  }
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
  { workload, settled, seed, tile, everyTile }: CheckOptions,
  choices: readonly Choice[],
  what: string,
): Simulated {
  const usual = planningShape(lowering);
  const exact = everyTile || Object.keys(tile).length > 0;
  const given = workload ?? program.small?.workload;
  const options: RunOptions = {
    ...(given === undefined ? {} : { workload: given }),
    seed,
    spec,
    flags: { ...program.small?.flags, ...settled.flags },
    verify: true,
    device: {
      ...usual,
      // Small, for lowering every shape of a kernel takes longer than all the rest.
      feasible: (template, spec) => {
        const choice = choices.find((c) => c.template === template);
        if (!choice) return usual.feasible(template, spec).slice(0, 1);
        const { tile } = choice;
        return exact ? [tile] : aroundTile(template, spec, tile, lowering);
      },
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
    accesses: reports.flatMap((r) =>
      r.statistics.accesses.filter((a) => a.requests > 0).map((a) => ({ ...a, kernel: r.kernel })),
    ),
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
