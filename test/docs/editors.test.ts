import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { allTokens } from '../../compiler/ir/text/tokens.ts';
import { keywords } from '../../examples/pat/workload/language/tokens.ts';

const root = join(import.meta.dirname, '../..');

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
  const shapes = { ValueName: 'value', Location: 'location', TileType: 'type' } as const;
  for (const [token, name] of Object.entries(shapes)) {
    const source = (allTokens.find((t) => t.name === token)!.PATTERN as RegExp).source;
    expect(repository[name]!.match).toContain(source);
  }
});

it('has a TextMate grammar that knows every word of workloads', () => {
  const file = join(root, 'editors/vscode/syntaxes/work.tmLanguage.json');
  const { patterns } = JSON.parse(readFileSync(file, 'utf8')) as {
    patterns: { name?: string; match: string }[];
  };
  const scope = (word: string): string | undefined =>
    patterns.find(({ name, match }) => name && new RegExp(`^(?:${match})$`).test(word))?.name;
  for (const keyword of keywords) expect(scope(keyword.PATTERN as string)).toMatch(/^(storage|keyword)/);
  expect(scope('pages')).toBe('variable.other.work');
  expect(scope('stop-here')).toBe('variable.other.work');
  expect(scope('12')).toBe('constant.numeric.work');
});
