/**
 * Runs random tile programs on everything that can run a kernel and prints a JSON record of where they agreed.
 *
 *   node scripts/random-programs.ts --count 2000 --seed 1 [--webgpu] [--only NAME]
 *   node scripts/random-programs.ts --shrink SEED --only 'cuda:sm_80'
 *
 * Program i has seed `seed + i`; NAME is part of an executor's name. Exits 1 when an executor failed. With --shrink, the
 * program of one seed is made small while it fails, and printed as it is after the passes.
 */
import { parseArgs } from 'node:util';
import { printKernel } from '../compiler/ir/print.ts';
import { runPasses } from '../compiler/passes/index.ts';
import { everywhere, judge, openWebGpu } from '../test/support/executors.ts';
import { seededProgram } from '../test/support/random-program.ts';
import { caseOf, shrink } from '../test/support/shrink.ts';

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '200' },
    seed: { type: 'string', default: '1' },
    webgpu: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    shrink: { type: 'string' },
  },
});
const [count, first] = [Number(values.count), Number(values.seed)];

interface Tally {
  agreed: number;
  refused: number;
  failed: number;
}

const webGpu = values.webgpu ? await openWebGpu() : undefined;
const executors = [...everywhere, ...(webGpu ? [webGpu] : [])].filter((e) => e.name.includes(values.only));

if (values.shrink !== undefined) {
  for (const executor of executors) {
    const small = await shrink(seededProgram(Number(values.shrink)), executor);
    if (!small) continue;
    process.stdout.write(`${executor.name}: ${small.message}\ntape ${JSON.stringify(small.program.tape)}\n`);
    process.stdout.write(printKernel(runPasses(small.program.kernel)));
    break;
  }
  await webGpu?.close();
  process.exit(0);
}

const tallies = new Map<string, Tally>(executors.map((e) => [e.name, { agreed: 0, refused: 0, failed: 0 }]));
const failures: { seed: number; executor: string; message: string }[] = [];
const refusals: Record<string, number> = {};
const started = performance.now();

for (let seed = first; seed < first + count; seed++) {
  try {
    for (const { executor, outcome, message } of await judge(caseOf(seededProgram(seed)), executors)) {
      tallies.get(executor)![outcome]++;
      if (outcome === 'failed') failures.push({ seed, executor, message });
      if (outcome === 'refused') {
        const reason = message.split(':')[0]!;
        refusals[reason] = (refusals[reason] ?? 0) + 1;
      }
    }
  } catch (error) {
    failures.push({ seed, executor: 'generator or interpreter', message: (error as Error).message });
  }
  if ((seed - first + 1) % 100 === 0)
    process.stderr.write(`${seed - first + 1} of ${count}, ${failures.length} failures\n`);
}
await webGpu?.close();

const seconds = Math.round((performance.now() - started) / 100) / 10;
const record = { count, seed: first, seconds, executors: Object.fromEntries(tallies), refusals, failures };
process.stdout.write(`${JSON.stringify(record, null, 2)}\n`);
process.exitCode = failures.length > 0 ? 1 : 0;
