/**
 * Prints, parses and prints again random tile programs; the two texts must be equal, places included.
 *
 *   node scripts/round-trip.ts [--count 10000] [--seed 1]
 *
 * Program i has seed `seed + i`. Prints a JSON record and exits 1 when a text changed.
 */
import { parseArgs } from 'node:util';
import { parseKernel } from '../compiler/ir/parse.ts';
import { printKernel } from '../compiler/ir/print.ts';
import { seededProgram } from '../test/support/random-program.ts';

const { values } = parseArgs({
  options: { count: { type: 'string', default: '10000' }, seed: { type: 'string', default: '1' } },
});
const [count, first] = [Number(values.count), Number(values.seed)];
const failures: { seed: number; message: string }[] = [];
let lines = 0;
const started = performance.now();

for (let seed = first; seed < first + count; seed++) {
  try {
    const text = printKernel(seededProgram(seed).kernel);
    lines += text.split('\n').length;
    if (printKernel(parseKernel(text, 'random.tile')) !== text)
      failures.push({ seed, message: 'the text changed' });
  } catch (error) {
    failures.push({ seed, message: (error as Error).message });
  }
}

const seconds = Math.round((performance.now() - started) / 100) / 10;
process.stdout.write(`${JSON.stringify({ count, seed: first, lines, seconds, failures }, null, 2)}\n`);
process.exitCode = failures.length > 0 ? 1 : 0;
