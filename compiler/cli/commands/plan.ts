/** patc plan: what a program's host side would do with a workload: packs, splits, bytes read against the minimum. */
import { writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { fail } from '../../diagnostics/error.ts';
import { loadRunnable } from '../loader.ts';
import { parseTargets } from '../options.ts';
import type { Output } from '../output.ts';
import { addProgramFlags, settle, type ProgramFlags } from '../program-flags.ts';
import { planningShape } from '../units.ts';

interface Flags extends ProgramFlags {
  target: string;
  html?: string;
}

export const addPlan = (
  cli: Command,
  action: (work: (out: Output) => Promise<number>) => Promise<void>,
): void => {
  const command = cli
    .command('plan')
    .description('packs, splits and bytes read for a workload')
    .argument('[program]', 'a program that plans', 'pat');
  addProgramFlags(command)
    .option('--target <name>', 'the machine to plan for', 'cuda:sm_90a')
    .option('--html <file>', 'write the plan as a page of pictures')
    .action((program: string, extra: string[], flags: Flags) => {
      // Without a program's name the first unknown option stands in its place.
      const named = !program.startsWith('-');
      return action((out) =>
        plan(command, named ? program : 'pat', named ? extra : [program, ...extra], flags, out),
      );
    });
};

async function plan(
  command: Command,
  name: string,
  extra: string[],
  given: Flags,
  out: Output,
): Promise<number> {
  const [target, ...more] = parseTargets(given.target);
  if (more.length) fail('PAT0601', '--target: a plan is for one target');
  const program = await loadRunnable(name);
  if (!program.plan) fail('PAT0601', `${program.name} has no host planning`);
  const { spec, flags } = settle(command, program, given, extra);
  const { Lowering } = await import('../lowering.ts');
  const device = planningShape(new Lowering(target!));
  const workload = given.workload === undefined ? {} : { workload: given.workload };
  const report = program.plan({ ...workload, seed: 1, spec, flags, verify: true, device });
  if (given.html !== undefined) {
    if (!report.html) fail('PAT0601', `${program.name} draws no pictures of its plans`);
    try {
      writeFileSync(given.html, report.html());
    } catch (error) {
      fail('PAT0605', `cannot write ${given.html}`, { notes: [{ text: (error as Error).message }] });
    }
    out.progress(`wrote ${given.html}`);
  }
  out.result({ ok: true, program: program.name, ...report.document }, () => report.text());
  return 0;
}
