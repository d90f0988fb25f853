/**
 * Writes the grammar of textual Tile IR into docs/tile-ir.md (as EBNF) and docs/tile-ir/ (a railroad diagram per rule), from
 * the parser itself. `--check` only compares.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ebnf, grammarRules, railroad, withGrammar } from './grammar/grammar.ts';

const docs = fileURLToPath(new URL('../docs/', import.meta.url));
const check = process.argv.includes('--check');

function settle(file: string, text: string): void {
  if (!check) return writeFileSync(file, text);
  if (readFileSync(file, 'utf8') === text) return;
  process.stderr.write(`${file} is not what the grammar says: run node scripts/grammar-doc.ts\n`);
  process.exitCode = 1;
}

mkdirSync(`${docs}tile-ir`, { recursive: true });
for (const rule of grammarRules()) settle(`${docs}tile-ir/${rule.name}.svg`, railroad(rule));
settle(`${docs}tile-ir.md`, withGrammar(readFileSync(`${docs}tile-ir.md`, 'utf8'), ebnf()));
