/**
 * Tuning, in order: survey the shapes (search.ts), ask nvcc about the best, measure them where there is a device, make the
 * table of winners (table.ts), and write down all of it (document.ts).
 */
import { printKernel } from '../ir/print.ts';
import { fail } from '../diagnostics/error.ts';
import { tilesOf } from '../cli/tiles.ts';
import { Lowering } from '../cli/lowering.ts';
import { specOf } from '../cli/options.ts';
import type { KernelTemplate, Program, Spec, Tile } from '../program.ts';
import type { Target } from '../target.ts';
import type { Configuration } from './configuration.ts';
import type { DeviceDescription } from './devices.ts';
import { documentOf } from './document.ts';
import { Isolate } from './isolate.ts';
import { askNvcc } from './nvcc.ts';
import { Predictor } from './predict.ts';
import { keyOf, recordVersion, Records } from './records.ts';
import type { TuneJson } from './schemas.ts';
import { assess, measure, shuffledTiles, survey, type Candidate } from './search.ts';
import { cellTimes, makeTable, winners } from './table.ts';

export interface TuneOptions {
  readonly program: Program;
  /** As the command line names it: a child process loads it again. */
  readonly programName: string;
  readonly workload: string | undefined;
  readonly spec: Spec;
  readonly flags: Readonly<Record<string, string>>;
  readonly on: 'model' | 'webgpu' | 'cuda';
  readonly device: DeviceDescription;
  /** What the device calls itself; part of every record's key. */
  readonly deviceName: string;
  readonly target: Target;
  readonly seed: number;
  readonly budgetSeconds: number;
  /** What one candidate may take. */
  readonly limitSeconds: number | undefined;
  readonly fixed: Tile;
  readonly nvcc: boolean;
  readonly command: string;
  readonly toolchain: string;
  readonly progress: (line: string) => void;
}

/** Most shapes that are lowered; what the seed leaves out is counted. */
const mostShapes = 240;
/** How many of the best predicted ones nvcc is asked about. */
const finalists = 8;

export async function tuneProgram(o: TuneOptions): Promise<TuneJson> {
  const begin = performance.now();
  const seconds = (share: number): number => begin + share * o.budgetSeconds * 1000;
  const template = searched(o.program.kernels);
  const lowering = new Lowering(o.target);
  const options = {
    ...(o.workload === undefined ? {} : { workload: o.workload }),
    seed: o.seed,
    spec: o.spec,
    flags: o.flags,
    verify: false,
  };
  const predictor = new Predictor({ program: o.program, template, device: o.device, lowering, options });
  const spec = specOfWorkload(o, template, predictor);
  const predict = (c: Configuration): number => {
    predictor.learn(c);
    return predictor.us([c.tile]);
  };

  const tiles = shuffledTiles(template, o.seed, o.fixed);
  o.progress(`${template.name}: ${tiles.length} tile shapes for ${o.target.name} on ${o.device.name}`);
  const share = o.on === 'model' ? 0.6 : 0.3;
  const { candidates, unseen } = survey(tiles, template, spec, lowering, o.device, predict, {
    most: mostShapes,
    until: seconds(share),
  });
  if (o.nvcc && o.device.family === 'cuda') await refine(candidates, o, predict, seconds(share + 0.1));
  if (o.on !== 'model') await run(candidates, o, template, spec, seconds(1));
  const fitting = usable(candidates);
  if (fitting.length === 0) {
    fail('PAT0306', `no tile shape of ${template.name} can be used on ${o.device.name}`, {
      notes: candidates.slice(0, 4).map((c) => ({
        text: `${Object.values(c.tile).join('x')}: ${c.rejection?.arithmetic ?? c.failure?.why}`,
      })),
    });
  }
  const measured = fitting.filter((c) => c.measured);
  const factor = (c: Candidate): number => (c.measured ? c.measured.us / c.predictedUs! : 1);
  const considered = measured.length > 0 ? measured : fitting;
  const configurations = considered.map((c) => c.configuration!);
  const cells = o.program.cell ? cellTimes(configurations, o.device, (i) => factor(considered[i]!)) : [];
  const table =
    cells.length > 0
      ? makeTable(
          {
            program: o.program.name,
            kernel: template.name,
            target: o.target.name,
            device: o.device.id,
            from: measured.length > 0 ? 'measured' : 'modelled',
            spec: specOf(template, spec),
          },
          cells,
          configurations,
          fitting.map((c) => c.configuration!),
        )
      : undefined;
  return documentOf({
    options: o,
    template,
    spec,
    predictor,
    lowering,
    candidates,
    considered,
    unseen,
    cells,
    table,
    elapsedSeconds: (performance.now() - begin) / 1000,
  });
}

/** Those that run and are right, best first. */
export const usable = (candidates: readonly Candidate[]): Candidate[] =>
  candidates
    .filter((c) => c.predictedUs !== undefined && !c.rejection && !c.failure)
    .sort((a, b) => timeOf(a) - timeOf(b));

export const timeOf = (c: Candidate): number => c.measured?.us ?? c.predictedUs!;

/** The kernel with most shapes to choose from. */
const searched = (kernels: readonly KernelTemplate[]): KernelTemplate =>
  kernels.reduce((a, b) => (tilesOf(b).length > tilesOf(a).length ? b : a));

/** The facts that workload and flags amount to: the program says, when asked with any shape that it can plan with. */
function specOfWorkload(o: TuneOptions, template: KernelTemplate, predictor: Predictor): Spec {
  let problem: unknown;
  for (const tile of tilesOf(template, o.fixed).slice(0, 12)) {
    try {
      return { ...template.spec, ...predictor.works([tile]).spec };
    } catch (error) {
      // A shape that holds too few rows; any other will do to learn the facts.
      problem ??= error;
    }
  }
  throw problem;
}

function winnersOf(fitting: readonly Candidate[], device: DeviceDescription): Candidate[] {
  const cells = cellTimes(
    fitting.map((c) => c.configuration!),
    device,
    () => 1,
  );
  return [...new Set(winners(cells))].map((i) => fitting[i]!);
}

/** The best predicted again with nvcc's registers; a shape that spills is rejected, and the next best is asked about. */
async function refine(
  candidates: Candidate[],
  o: TuneOptions,
  predict: (c: Configuration) => number,
  until: number,
): Promise<void> {
  const asked = new Set<Candidate>();
  for (let round = 0; round < 3 && performance.now() < until; round++) {
    const fitting = usable(candidates);
    const winning = o.program.cell ? winnersOf(fitting, o.device) : [];
    const best = [...new Set([...fitting.slice(0, finalists), ...winning])].filter((c) => !asked.has(c));
    if (best.length === 0) return;
    o.progress(`asking nvcc about ${best.length} shapes`);
    const real = await askNvcc(
      best.map((c) => c.configuration!),
      until,
    );
    best.forEach((c, i) => {
      asked.add(c);
      const { rejection: _, ...rest } = c;
      const again = assess({ tile: c.tile, configuration: real[i]! }, o.device, predict);
      Object.assign(c, rest, again);
    });
  }
}

async function run(
  candidates: readonly Candidate[],
  o: TuneOptions,
  template: KernelTemplate,
  spec: Spec,
  until: number,
): Promise<void> {
  const place = o.on as 'webgpu' | 'cuda';
  const isolate = new Isolate({ program: o.programName, on: place });
  const records = new Records(o.progress);
  const shapes = JSON.stringify([o.programName, o.workload ?? null, o.flags, o.spec, o.seed]);
  const software = o.device.id === 'software';
  try {
    await isolate.open();
    const known = {
      target: o.target.name,
      toolchain: o.toolchain,
      device: o.deviceName,
      shapes,
    };
    const keys = new Map<Candidate, string>();
    await measure(candidates, {
      isolate,
      records,
      keyOf: (c) => {
        let key = keys.get(c);
        if (key === undefined) {
          const traced = template.trace(specOf(template, spec), c.tile);
          key = keyOf({ ...known, text: `${printKernel(traced)}\n${JSON.stringify(c.tile)}` });
          keys.set(c, key);
        }
        return key;
      },
      record: (c, key, outcome) => ({
        version: recordVersion,
        key,
        program: o.program.name,
        kernel: template.name,
        ...known,
        tile: { ...c.tile },
        outcome,
      }),
      ask: (c, repeats, check) => ({
        kernel: template.name,
        tile: c.tile,
        spec: o.spec,
        flags: o.flags,
        ...(o.workload === undefined ? {} : { workload: o.workload }),
        seed: o.seed,
        repeats,
        check,
      }),
      repeats: software ? 1 : 5,
      until,
      limitMs: 1000 * (o.limitSeconds ?? (software ? 60 : 30)),
      progress: o.progress,
    });
  } finally {
    isolate.close();
  }
}
