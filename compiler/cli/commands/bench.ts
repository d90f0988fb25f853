/** patc bench: the recorded benchmarks, on the device that is there. */
import type { Command } from 'commander';
import { suites } from '../../../bench/suites.ts';
import { parseCount, parseTile } from '../options.ts';
import type { Output } from '../output.ts';
import type { BenchJson } from '../schemas.ts';
import { fail } from '../../diagnostics/error.ts';

interface Flags {
  suite: string;
  on: string;
  target?: string;
  filter: string;
  peers?: string;
  repeats: string;
  seed: string;
  budget?: string;
  full?: boolean;
  packing?: string;
  tile?: string;
  commit?: string;
  out: string;
}

export const addBench = (
  cli: Command,
  action: (work: (out: Output) => Promise<number>) => Promise<void>,
): void => {
  cli
    .command('bench')
    .description('the recorded benchmarks: every case verified, then timed against its floor')
    .option('--suite <name>', 'which cases; see below', 'quick')
    .option('--on <place>', 'cuda, webgpu', 'cuda')
    .option('--target <name>', "what to compile for (default: the device's own target)")
    .option('--filter <regex>', 'only cases whose text matches: TREE HEADS DTYPE dHEADDIM pPAGE', '')
    .option('--peers <file>', 'recorded times of other kernels to set beside')
    .option('--repeats <n>', 'timed repetitions', '20')
    .option('--seed <n>', 'of the random inputs', '1')
    .option('--budget <seconds>', 'begin no case after this long')
    .option('--full', 'compare every row with float64, not a sample')
    .option('--packing <name>', 'auto, pat, node, none')
    .option('--tile <a=b,...>', 'tile numbers to fix; the others stay free')
    .option('--commit <id>', 'for the record, where git cannot tell')
    .option('--out <dir>', 'the folder of the result, TARGET-DEVICE-SUITE.json and a chart', 'bench/results')
    .addHelpText('after', `\nSuites:\n${suiteLines()}`)
    .action((flags: Flags) => action((out) => bench(flags, out)));
};

const suiteLines = (): string => {
  const width = Math.max(...suites.map((s) => s.name.length));
  return suites.map((s) => `  ${s.name.padEnd(width)}  ${s.cases.length} cases: ${s.about}`).join('\n');
};

async function bench(flags: Flags, out: Output): Promise<number> {
  const { packing, budget } = flags;
  if (packing !== undefined && !/^(auto|pat|node|none)$/.test(packing))
    fail('PAT0601', `--packing ${packing}: auto, pat, node or none`);
  const [{ runBench }, { summaryLines, tableText }] = await Promise.all([
    import('../../../bench/command.ts'),
    import('../../../bench/table.ts'),
  ]);
  const { ok, file, result, peers } = await runBench(
    {
      suite: flags.suite,
      on: flags.on,
      target: flags.target,
      peers: flags.peers,
      filter: flags.filter,
      repeats: parseCount('--repeats', flags.repeats, 0, 1_000_000),
      seed: parseCount('--seed', flags.seed, 0, 2 ** 32 - 1),
      budgetS: budget === undefined ? Infinity : parseCount('--budget', budget, 0),
      full: flags.full ?? false,
      flags: packing === undefined ? {} : { packing },
      tile: flags.tile === undefined ? {} : parseTile(flags.tile),
      commit: flags.commit,
      out: flags.out,
      command: ['patc', ...process.argv.slice(2)].join(' '),
    },
    (line) => out.progress(line),
  );
  const document: BenchJson = { ok, file, ...result };
  out.result(document, () => tableText(result, peers));
  if (out.json) for (const line of summaryLines(result, peers)) out.progress(line);
  return ok ? 0 : 1;
}
