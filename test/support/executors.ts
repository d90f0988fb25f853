/** Everything that can run a kernel, behind one interface, so that their results can be held against each other. */
import { interpret, type Grid } from '../../backends/cpu/interpreter/index.ts';
import { simulate } from '../../backends/cpu/simulator/index.ts';
import { wgslBackend } from '../../backends/wgsl/index.ts';
import type { HostBuffer } from '../../compiler/backend.ts';
import { PatcError } from '../../compiler/diagnostics/error.ts';
import type { Kernel } from '../../compiler/ir/nodes.ts';
import { parseKernel } from '../../compiler/ir/parse.ts';
import { printKernel } from '../../compiler/ir/print.ts';
import type { HostArray } from '../../compiler/ir/numeric.ts';
import { lowerKernel } from '../../compiler/lower/index.ts';
import { runPasses } from '../../compiler/passes/index.ts';
import { findTarget, targets } from '../../compiler/target.ts';
import { difference, roughestRoundoff } from './compare.ts';

/** One launch: a buffer for every tensor parameter, under its name. */
export interface Case {
  readonly kernel: Kernel;
  readonly grid: Grid;
  readonly buffers: readonly HostBuffer[];
  readonly scalars: Readonly<Record<string, number>>;
  /** How far an executor may be off in a buffer, where that is known better than `difference` guesses it. */
  readonly tolerance?: Readonly<Record<string, number>>;
}

export interface Executor {
  readonly name: string;
  /** The case's arrays after the launch; throws what the executor has against the kernel. */
  run(c: Case): Promise<ReadonlyMap<string, HostArray>>;
}

const arraysOf = (c: Case): Map<string, HostArray> => new Map(c.buffers.map((b) => [b.name, b.data.slice()]));

const onInterpreter = (name: string, prepare: (k: Kernel) => Kernel): Executor => ({
  name,
  async run(c) {
    const arrays = arraysOf(c);
    interpret(prepare(c.kernel), c.grid, arrays, c.scalars);
    return arrays;
  },
});

/** The definition. */
export const interpreter = onInterpreter('interpreter', (k) => k);

export const afterPasses = onInterpreter('interpreter after passes', (k) => runPasses(k));
export const afterText = onInterpreter('interpreter after print and parse', (k) =>
  parseKernel(printKernel(k), 'printed.tile'),
);

/** The lowering for a target, run thread by thread; whatever the simulator finds is a failure. */
export const simulator = (target: string): Executor => ({
  name: `simulator of ${target}`,
  async run(c) {
    const lowered = lowerKernel(c.kernel, findTarget(target)!);
    const arrays = arraysOf(c);
    const report = simulate(lowered, c.grid, arrays, c.scalars);
    if (!report.ok) throw new Error(report.errors.map((e) => `${e.code} ${e.message}`).join('; '));
    return arrays;
  },
});

/** The lowering for the WebGPU device that is here, in Dawn. Throws a PatcError with exit code 3 where there is none. */
export async function openWebGpu(): Promise<Executor & { close(): Promise<void> }> {
  const device = await wgslBackend.open();
  return {
    name: `${device.target.name} on ${device.description}`,
    async run(c) {
      const lowered = lowerKernel(c.kernel, device.target);
      const buffers = c.buffers.map((b) => ({ ...b, output: true }));
      const names = Object.fromEntries(c.buffers.map((b) => [b.name, b.name]));
      const launch = { kernel: 0, grid: c.grid, buffers: names, scalars: c.scalars };
      const result = await device.run({ kernels: [lowered], buffers, launches: [launch], repeats: 0 });
      return result.outputs;
    },
    close: () => device.close(),
  };
}

export interface Verdict {
  readonly executor: string;
  /** `refused`: the executor says that the kernel does not fit it (a PAT03xx error), which no kernel is owed. */
  readonly outcome: 'agreed' | 'refused' | 'failed';
  readonly message: string;
}

/** Runs the case everywhere and compares with the interpreter, whose own errors are thrown. */
export async function judge(c: Case, executors: readonly Executor[]): Promise<Verdict[]> {
  const want = await interpreter.run(c);
  const roundoff = roughestRoundoff(c.kernel);
  const verdicts: Verdict[] = [];
  for (const executor of executors) {
    const verdict = (outcome: Verdict['outcome'], message: string) =>
      verdicts.push({ executor: executor.name, outcome, message });
    try {
      const got = await executor.run(c);
      const wrong = c.buffers.flatMap(
        (b) => difference(b, got.get(b.name)!, want.get(b.name)!, roundoff, c.tolerance?.[b.name]) ?? [],
      );
      verdict(wrong.length > 0 ? 'failed' : 'agreed', wrong.join('; '));
    } catch (error) {
      const refused = error instanceof PatcError && /^PAT03/.test(error.code) && error.code !== 'PAT0305';
      verdict(refused ? 'refused' : 'failed', error instanceof Error ? error.message : String(error));
    }
  }
  return verdicts;
}

/** What is wrong, one line an executor; to be refused is wrong too. */
export async function disagreements(c: Case, executors: readonly Executor[]): Promise<string[]> {
  const verdicts = await judge(c, executors);
  return verdicts.filter((v) => v.outcome !== 'agreed').map((v) => `${v.executor}: ${v.message}`);
}

/** What runs anywhere: passes, text and the lowering for every target, the last watched by the simulator. */
export const everywhere: readonly Executor[] = [
  afterPasses,
  afterText,
  ...targets.map((t) => simulator(t.name)),
];
