import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { allTokens } from '../../compiler/ir/text/tokens.ts';
import { parseKernel } from '../../compiler/ir/parse.ts';
import { printKernel } from '../../compiler/ir/print.ts';
import { ebnf, grammarRules, railroad, withGrammar } from '../../scripts/grammar/grammar.ts';
import { rowSoftmax } from '../dsl/kernels.ts';

const root = join(import.meta.dirname, '../..');
const page = readFileSync(join(root, 'docs/tile-ir.md'), 'utf8');

it('has the grammar of the parser (node scripts/grammar-doc.ts rewrites it)', () => {
  expect(withGrammar(page, ebnf())).toBe(page);
  for (const rule of grammarRules())
    expect(readFileSync(join(root, `docs/tile-ir/${rule.name}.svg`), 'utf8')).toBe(railroad(rule));
});

it('shows a kernel as it is printed', () => {
  const text = printKernel(rowSoftmax.trace({}, { rows: 2 }));
  expect(page).toContain(text);
  expect(printKernel(parseKernel(text, 'softmax.tile'))).toBe(text);
});

it('names every op', () => {
  const ops = allTokens.filter((t) => /^(Unary|Binary|View|Reduce|Atomic)Name_/.test(t.name));
  for (const op of ops) expect(page).toContain((op.PATTERN as RegExp).source);
});
