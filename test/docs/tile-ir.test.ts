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

interface Rule {
  readonly match: string;
}

it('has a TextMate grammar that knows every word, and nothing that is no word', () => {
  const file = join(root, 'editors/vscode/syntaxes/tile.tmLanguage.json');
  const { repository } = JSON.parse(readFileSync(file, 'utf8')) as { repository: Record<string, Rule> };
  const classes = ['type', 'control', 'declaration', 'op', 'modifier', 'constant'].map(
    (name) => repository[name]!,
  );
  const known = (word: string): boolean =>
    classes.some(({ match }) => new RegExp(`^(?:${match})$`).test(word));
  const words = allTokens.filter((t) => t.LONGER_ALT).map((t) => (t.PATTERN as RegExp).source);
  expect(words.length).toBeGreaterThan(60);
  expect(words.filter((word) => !known(word))).toEqual([]);
  for (const word of ['foo', 'add2', 'expp', 'reduce_mul']) expect(known(word)).toBe(false);
  const shapes = { ValueName: 'value', Location: 'location', TileType: 'type', Text: 'string' } as const;
  for (const [token, name] of Object.entries(shapes)) {
    const source = (allTokens.find((t) => t.name === token)!.PATTERN as RegExp).source;
    expect(repository[name]!.match).toContain(source);
  }
});
