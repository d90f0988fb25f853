/** patc run: a program on real input, on the interpreter or a device, checked against its own reference. */
import type { Command } from 'commander';
import { fail } from '../../diagnostics/error.ts';
import { floorUs } from '../floor.ts';
import { makeFolder } from '../folders.ts';
import { loadRunnable } from '../loader.ts';
import { parseCount } from '../options.ts';
import { bytes, type Output } from '../output.ts';
import { addProgramFlags, settle, type ProgramFlags } from '../program-flags.ts';
import { openRunner, places } from '../runners.ts';
import type { RunJson } from '../schemas.ts';

interface Flags extends ProgramFlags {
  on: string;
  seed: string;
  repeats?: string;
  target?: string;
  tuned: boolean;
  verify?: boolean;
  dump?: string;
}

export const addRun = (
  cli: Command,
  action: (work: (out: Output) => Promise<number>) => Promise<void>,
): void => {
  const command = cli
    .command('run')
    .argument('<program>', 'a shipped program or a file')
    .description('run a program on real input');
  addProgramFlags(command)
    .option('--on <place>', places.join(', '), 'webgpu')
    .option('--seed <n>', 'of the random inputs', '1')
    .option('--repeats <n>', 'timed repetitions after the first run (default: 20 on a GPU)')
    .option('--target <name>', 'what the simulator simulates (default: cuda:sm_80)')
    .option('--no-tuned', 'let the planner choose among every shape that fits, not the tuned ones')
    .option('--verify', 'compare with a float64 reference')
    .option('--dump <dir>', 'write inputs and outputs there')
    .action((program: string, extra: string[], flags: Flags) =>
      action((out) => run(command, program, extra, flags, out)),
    );
};

async function run(
  command: Command,
  name: string,
  extra: string[],
  given: Flags,
  out: Output,
): Promise<number> {
  const seed = parseCount('--seed', given.seed, 0, 2 ** 32 - 1);
  const asked =
    given.repeats === undefined ? undefined : parseCount('--repeats', given.repeats, 0, 1_000_000);
  const program = await loadRunnable(name);
  const { spec, flags } = settle(command, program, given, extra);
  const verify = given.verify ?? false;
  const runner = await openRunner(given.on, given.target, given.tuned);
  try {
    out.progress(`${program.name} on ${runner.description}`);
    const workload = given.workload === undefined ? {} : { workload: given.workload };
    const instance = program.instantiate({ ...workload, seed, spec, flags, verify, device: runner.shape });
    const result = await runner.run(instance, asked ?? runner.usualRepeats);
    if (given.dump !== undefined) {
      if (!instance.dump) fail('PAT0601', `${program.name} has nothing to dump`);
      makeFolder(given.dump);
      instance.dump(given.dump, result.outputs);
    }
    const checked = verify ? instance.verify(result.outputs) : undefined;
    const floor = floorUs(result.device, instance.bytes, instance.flops);
    const document: RunJson = {
      ok: checked?.ok ?? true,
      program: program.name,
      device: result.device,
      ...(result.driver === undefined ? {} : { driver: result.driver }),
      seed,
      spec: { ...instance.spec },
      verified: checked !== undefined,
      relError: checked?.relError ?? null,
      maxAbsError: checked?.maxAbsError ?? null,
      tolerance: checked?.tolerance ?? null,
      unwritten: checked?.unwritten ?? null,
      launches: instance.launches.length,
      ...(result.timeUs === undefined ? {} : { timeUs: result.timeUs }),
      ...(floor === undefined ? {} : { floorUs: floor }),
      ...instance.report,
    };
    out.result(document, () => summary(document));
    return document.ok ? 0 : 1;
  } finally {
    await runner.close();
  }
}

const micro = (us: number): string => (us >= 1000 ? `${(us / 1000).toFixed(2)} ms` : `${us.toFixed(1)} us`);

function summary(r: RunJson): string {
  const lines = [`${r.program}: ${r.launches} launch${r.launches === 1 ? '' : 'es'} on ${r.device}`];
  if (r.plan) {
    const { packs, splits, readKvBytes, uniqueKvBytes } = r.plan;
    lines.push(
      `plan: ${packs} packs, ${splits} splits, reads ${bytes(readKvBytes)} of KV; each byte once would be ${bytes(uniqueKvBytes)}`,
    );
  }
  if (r.timeUs !== undefined) {
    lines.push(`time: ${micro(r.timeUs)}${r.floorUs === undefined ? '' : `, floor ${micro(r.floorUs)}`}`);
  }
  if (r.verified) {
    const against = `relative error ${r.relError?.toExponential(2)} (at most ${r.tolerance}), largest ${r.maxAbsError?.toExponential(2)}`;
    lines.push(
      `${r.ok ? 'verified' : 'error[PAT0606] verification-failed'}: ${against}, ${r.unwritten} elements not written`,
    );
  }
  return lines.join('\n');
}
