/** Runs docs/tutorial.md: saves the files that it says to save, and types its commands. Compiles the README's kernel. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { folder, root, session, type Ran } from './spawn.ts';

interface Block {
  readonly line: number;
  readonly language: string;
  readonly marks: Readonly<Record<string, string>>;
  readonly text: string;
}

/** Code blocks with what follows the language: `file=NAME`, `exit=N`, `prints=REGEXP`, `skip`. */
function blocksOf(markdown: string): Block[] {
  return [...markdown.matchAll(/^```(\w+) ?(.*)\n([\s\S]*?)^```$/gm)].map((m) => ({
    line: markdown.slice(0, m.index).split('\n').length,
    language: m[1]!,
    marks: Object.fromEntries(
      m[2]!
        .split(' ')
        .filter(Boolean)
        .map((mark) => [mark.split('=')[0]!, mark.split('=').slice(1).join('=')]),
    ),
    text: m[3]!,
  }));
}

const blocks = blocksOf(readFileSync(join(root, 'docs', 'tutorial.md'), 'utf8'));
const files = blocks.filter((b) => b.language === 'ts');
const commands = blocks.filter((b) => b.language === 'sh' && !('skip' in b.marks));

describe('docs/tutorial.md', () => {
  let ran: Ran[];

  beforeAll(() => {
    const at = folder({
      'package.json': '{"type":"module"}',
      ...Object.fromEntries(files.map((b) => [b.marks['file']!, b.text])),
    });
    ran = session(
      commands.map((c) => c.text.trim().split(/\s+/).slice(2)),
      at,
    );
  }, 300_000);

  test('has files and commands, each command a patc of one line', () => {
    expect(files.length).toBeGreaterThan(2);
    for (const file of files) expect(file.marks['file']).toMatch(/^\w+\.ts$/);
    for (const { text } of commands) expect(text).toMatch(/^npx patc [^\n]+\n$/);
  });

  test.each(commands.map((c, i) => [`line ${c.line}: ${c.text.trim()}`, c, i] as const))(
    '%s',
    (_, block, i) => {
      const { code, stdout, stderr } = ran[i]!;
      expect([code, stderr]).toEqual([Number(block.marks['exit'] ?? 0), expect.any(String)]);
      if (block.marks['prints']) expect(stdout + stderr).toMatch(new RegExp(block.marks['prints']));
    },
  );
});

test("the README's kernel compiles, and is as short as it says", () => {
  const [kernel] = blocksOf(readFileSync(join(root, 'README.md'), 'utf8')).filter((b) => b.language === 'ts');
  expect(kernel!.text.trim().split('\n').length).toBeLessThanOrEqual(20);
  const at = folder({ 'package.json': '{"type":"module"}', 'softmax.ts': kernel!.text });
  const [ran] = session(
    [['compile', 'softmax.ts', '--target', 'cuda:sm_80,wgsl', '--no-nvcc', '--out', 'out']],
    at,
  );
  expect([ran!.code, ran!.code === 0 ? '' : ran!.stderr]).toEqual([0, '']);
});
