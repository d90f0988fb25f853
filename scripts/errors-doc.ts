/** Writes the examples in docs/errors.md: the program with the mistake, and what patc prints. `--check` only compares. */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { withExamples } from '../test/errors/manual.ts';

const file = fileURLToPath(new URL('../docs/errors.md', import.meta.url));
const before = readFileSync(file, 'utf8');
const after = await withExamples(before);
if (process.argv.includes('--check')) process.exitCode = before === after ? 0 : 1;
else writeFileSync(file, after);
