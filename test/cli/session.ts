/** Runs several command lines in one process, as a child of the tests: stdin and stdout are JSON. */
import { readFileSync } from 'node:fs';
import { main } from '../../compiler/cli/main.ts';
import type { Ran } from './spawn.ts';

const commandLines = JSON.parse(readFileSync(0, 'utf8')) as string[][];
const write = process.stdout.write.bind(process.stdout);
const results: Ran[] = [];
for (const argv of commandLines) {
  const ran = { argv, code: -1, stdout: '', stderr: '' };
  process.stdout.write = (text: string | Uint8Array) => ((ran.stdout += String(text)), true);
  process.stderr.write = (text: string | Uint8Array) => ((ran.stderr += String(text)), true);
  ran.code = await main(argv);
  results.push(ran);
}
write(JSON.stringify(results));
