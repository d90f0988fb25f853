/** patc tune: the best tile shapes of a program for a workload, modelled or measured, and a report of it. */
import { writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { closest } from '../../diagnostics/closest.ts';
import { fail } from '../../diagnostics/error.ts';
import { manifest } from '../loader-hooks.ts';
import { loadRunnable } from '../loader.ts';
import { checkTile, parseCount, parseTile } from '../options.ts';
import type { Output } from '../output.ts';
import { addProgramFlags, settle, type ProgramFlags } from '../program-flags.ts';

interface Flags extends ProgramFlags {
  on: string;
  device?: string;
  target?: string;
  tile?: string;
  budget: string;
  limit?: string;
  seed: string;
  nvcc: boolean;
  report?: string;
  table?: string;
}

const places = ['model', 'webgpu', 'cuda'] as const;
export type TuningPlace = (typeof places)[number];

export const addTune = (
  cli: Command,
  action: (work: (out: Output) => Promise<number>) => Promise<void>,
): void => {
  const command = cli
    .command('tune')
    .argument('<program>', 'a shipped program or a file')
    .description('find the best tile shapes for a workload');
  addProgramFlags(command)
    .option('--on <place>', places.join(', '), 'model')
    .option('--device <id>', 'with --on model: of `patc devices` (default: the usual card of the target)')
    .option('--target <name>', 'cuda:sm_80, cuda:sm_90a, wgsl, wgsl:f16 (default: the best of the device)')
    .option('--tile <a=b,...>', 'tile numbers that are settled')
    .option('--budget <seconds>', 'for the whole search, as 60s or 2m', '15s')
    .option('--limit <seconds>', 'for one candidate (default: 30s, on the software GPU 60s)')
    .option('--seed <n>', 'of the order of the search and of random inputs', '1')
    .option('--no-nvcc', 'estimate registers even where nvcc is installed')
    .option('--report <file.html>', 'write the report there, and FILE.json beside it')
    .option('--table <file.json>', 'write the table of winners there')
    .action((program: string, extra: string[], flags: Flags) =>
      action((out) => tune(command, program, extra, flags, out)),
    );
};

async function tune(
  command: Command,
  name: string,
  extra: string[],
  given: Flags,
  out: Output,
): Promise<number> {
  const on = parsePlace(given.on);
  const seed = parseCount('--seed', given.seed, 0, 2 ** 32 - 1);
  const budgetSeconds = parseTime('--budget', given.budget);
  const limitSeconds = given.limit === undefined ? undefined : parseTime('--limit', given.limit);
  if (given.report !== undefined && !/\.html?$/.test(given.report))
    fail('PAT0601', `--report ${given.report}: the report is a page, FILE.html`);
  const fixed = given.tile === undefined ? {} : parseTile(given.tile);
  const program = await loadRunnable(name);
  checkTile(program.kernels, fixed);
  const { spec, flags } = settle(command, program, given, extra);
  const { settleDevice } = await import('../tuning-device.ts');
  const where = await settleDevice(on, given);
  const { tuneProgram } = await import('../../tune/tune.ts');
  const document = await tuneProgram({
    program,
    programName: name,
    workload: given.workload ?? program.small?.workload,
    spec,
    flags,
    on,
    ...where,
    seed,
    budgetSeconds,
    limitSeconds,
    fixed,
    nvcc: given.nvcc,
    command: commandLine(process.argv),
    toolchain: `patc ${manifest.version}, ${where.toolchain}`,
    progress: (line) => out.progress(line),
  });
  const { summary } = await import('../../tune/report/summary.ts');
  if (given.report !== undefined) {
    const { reportPage } = await import('../../tune/report/page.ts');
    write(given.report, await reportPage(document));
    write(given.report.replace(/\.html?$/, '.json'), `${JSON.stringify(document, null, 1)}\n`);
    out.progress(`wrote ${given.report}`);
  }
  // A table of some of the shapes may lack one that another batch needs.
  if (document.table?.from === 'measured' && document.unseen === 0) {
    const { keepTable } = await import('../../tune/defaults.ts');
    if (keepTable(document.table))
      out.progress('later runs on this device plan with these winners (--no-tuned: not)');
  }
  if (given.table !== undefined) {
    if (!document.table)
      fail('PAT0601', `${program.name} has no table: it does not say what a cell of work is`);
    write(given.table, `${JSON.stringify(document.table, null, 1)}\n`);
  }
  out.result(document, () => summary(document, given.report));
  return 0;
}

function parsePlace(text: string): TuningPlace {
  const place = places.find((p) => p === text);
  if (place) return place;
  const near = closest(text, places);
  fail('PAT0601', `--on: there is no '${text}'`, {
    notes: [{ text: `places: ${places.join(', ')}` }],
    ...(near ? { help: `did you mean '${near}'?` } : {}),
  });
}

function parseTime(option: string, text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*(s|m|h)?$/.exec(text.trim());
  const seconds = match
    ? Number(match[1]) * { s: 1, m: 60, h: 3600 }[(match[2] ?? 's') as 's' | 'm' | 'h']
    : 0;
  if (!(seconds > 0)) fail('PAT0601', `${option} ${text}: expected a time such as 60s or 2m`);
  return seconds;
}

/** As it was typed, from the command's name on. */
const commandLine = (argv: readonly string[]): string =>
  [
    'npx patc',
    ...argv.slice(2).map((a) => (/^[\w./:,=@+-]+$/.test(a) ? a : `'${a.replaceAll("'", `'\\''`)}'`)),
  ].join(' ');

function write(file: string, content: string): void {
  try {
    writeFileSync(file, content);
  } catch (error) {
    fail('PAT0605', `cannot write ${file}`, { notes: [{ text: (error as Error).message }] });
  }
}
