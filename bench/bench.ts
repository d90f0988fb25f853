/**
 * Runs a recorded benchmark and writes bench/results/TARGET-DEVICE-SUITE.json, .svg beside it, and a table to stdout.
 *   node bench/bench.ts --suite fig10 [--on cuda|webgpu] [--target cuda:sm_80] [--peers FILE.json] [--repeats 20]
 *     [--filter REGEX] [--budget SECONDS] [--full] [--flag packing=node] [--tile stages=3] [--commit ID] [--out DIR]
 *     [--json] [--seed N]
 * Exits 0 when every case that was run is verified, 1 when not, 3 when the device is missing.
 */
import { parseArgs } from 'node:util';
import { parseTile } from '../compiler/cli/options.ts';
import { runBench } from './command.ts';
import { runScript } from './script.ts';
import { summaryLines, tableText } from './table.ts';

const options = {
  suite: { type: 'string', default: 'quick' },
  on: { type: 'string', default: 'cuda' },
  target: { type: 'string' },
  peers: { type: 'string' },
  repeats: { type: 'string', default: '20' },
  seed: { type: 'string', default: '1' },
  filter: { type: 'string', default: '' },
  budget: { type: 'string', default: '1e9' },
  full: { type: 'boolean', default: false },
  flag: { type: 'string', multiple: true, default: [] as string[] },
  tile: { type: 'string', default: '' },
  commit: { type: 'string' },
  out: { type: 'string', default: 'bench/results' },
  json: { type: 'boolean', default: false },
} as const;

await runScript(async () => {
  const { values } = parseArgs({ options });
  const progress = (line: string): void => void process.stderr.write(`${line}\n`);
  const { ok, file, result, peers } = await runBench(
    {
      ...values,
      repeats: Number(values.repeats),
      seed: Number(values.seed),
      budgetS: Number(values.budget),
      flags: Object.fromEntries(values.flag.map((f) => f.split('=', 2) as [string, string])),
      tile: parseTile(values.tile),
      command: ['node', 'bench/bench.ts', ...process.argv.slice(2)].join(' '),
    },
    progress,
  );
  if (values.json) console.log(JSON.stringify({ ok, file, ...result }, null, 1));
  else console.log(tableText(result, peers));
  for (const line of summaryLines(result, peers)) progress(line);
  return ok ? 0 : 1;
});
