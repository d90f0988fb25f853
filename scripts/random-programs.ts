/**
 * Runs random tile programs on everything that can run a kernel and prints a JSON record of where they agreed.
 *
 *   node scripts/random-programs.ts --count 2000 --seed 1 [--webgpu] [--only NAME]
 *
 * Program i has seed `seed + i`. Exits 1 when an executor failed.
 */
import { parseArgs } from 'node:util';
import { everywhere, judge, openWebGpu, type Case } from '../test/support/executors.ts';
import { seededProgram } from '../test/support/random-program.ts';

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '200' },
    seed: { type: 'string', default: '1' },
    webgpu: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
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
const tallies = new Map<string, Tally>(executors.map((e) => [e.name, { agreed: 0, refused: 0, failed: 0 }]));
const failures: { seed: number; executor: string; message: string }[] = [];
const refusals: Record<string, number> = {};
const started = performance.now();

for (let seed = first; seed < first + count; seed++) {
  try {
    const program = seededProgram(seed);
    const tolerance = Object.fromEntries(program.buffers.map((b) => [b.name, b.tolerance]));
    const c: Case = { ...program, tolerance };
    for (const { executor, outcome, message } of await judge(c, executors)) {
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
