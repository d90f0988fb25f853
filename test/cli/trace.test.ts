/** `--trace-html`, `--emit-after` and the line diff behind the page. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { chromium } from 'playwright-core';
import packaged from '@sparticuz/chromium';
import { describe, expect, test } from 'vitest';
import { findSoftwarePackage, unpackArchive } from '../../backends/wgsl/runtime/software.ts';
import { diffLines } from '../../compiler/cli/trace/diff.ts';
import { parseKernel } from '../../compiler/ir/parse.ts';
import { pipeline } from '../../compiler/passes/index.ts';
import { folder, root, session } from './spawn.ts';

describe('the line diff', () => {
  const lines = fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 12 });
  const few = fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 7 });

  test('holds every line of both texts once, in order, and calls equal only what is', () =>
    fc.assert(
      fc.property(lines, lines, (left, right) => {
        const rows = diffLines(left, right);
        expect(rows.flatMap((r) => ('left' in r ? [r.left] : []))).toEqual(left.map((_, i) => i));
        expect(rows.flatMap((r) => ('right' in r ? [r.right] : []))).toEqual(right.map((_, i) => i));
        for (const r of rows) if (r.kind === 'same') expect(left[r.left]).toBe(right[r.right]);
      }),
    ));

  test('keeps as many lines as any alignment can', () =>
    fc.assert(
      fc.property(few, few, (left, right) => {
        const best = (i: number, j: number): number =>
          i === left.length || j === right.length
            ? 0
            : left[i] === right[j]
              ? 1 + best(i + 1, j + 1)
              : Math.max(best(i + 1, j), best(i, j + 1));
        const kept = diffLines(left.slice(0, 7), right.slice(0, 7)).filter((r) => r.kind === 'same').length;
        expect(kept).toBe(best(0, 0));
      }),
    ));
});

const cwd = folder({});
const page = join(cwd, 'trace.html');
const made = (): void => {
  const argv = ['compile', 'pat', '--tile', 'm=16,n=16,stages=2', '--target', 'wgsl', '--no-nvcc'];
  const [ran] = session([[...argv, '--out', join(cwd, 'out'), '--trace-html', page]]);
  if (ran!.code !== 0) throw new Error(ran!.stderr);
};

test(
  'the page: a step per pass and target, the source beside them, j and k',
  { timeout: 90_000 },
  async () => {
    made();
    const libraries = join(unpackArchive(findSoftwarePackage()!, 'al2023'), 'lib');
    const browser = await chromium.launch({
      executablePath: await packaged.executablePath(),
      headless: true,
      env: { ...process.env, LD_LIBRARY_PATH: libraries } as Record<string, string>,
      args: ['--no-sandbox'],
    });
    try {
      const tab = await browser.newPage();
      const asked: string[] = [];
      tab.on('request', (r) => asked.push(r.url()));
      await tab.goto(`file://${page}`);
      const title = (): Promise<string> => tab.locator('button[aria-current]').innerText();
      expect(await title()).toContain('pat_forward: eliminate-dead');
      await tab.keyboard.press('j');
      await tab.keyboard.press('ArrowRight');
      expect(await title()).toContain('pat_forward: predicate-rows');
      expect(await tab.locator('section:not([hidden]) td.added').count()).toBeGreaterThan(4);
      await tab.locator('section:not([hidden]) td.added', { hasText: 'predicated carry' }).first().click();
      expect(await tab.locator('aside .marked').innerText()).toContain('k.rows(');
      await tab.keyboard.press('k');
      expect(await title()).toContain('pat_forward: hoist-from-rows');
      expect(await tab.locator('header li').count()).toBe(2 * (pipeline.length + 1));
      // Self-contained: it asks for nothing but itself.
      expect(asked.filter((url) => !url.includes('trace.html'))).toEqual([]);
    } finally {
      await browser.close();
    }
  },
);

test('--emit-after stops the pipeline; opt takes what compile wrote', () => {
  const compile = (pass: string): string[] => [
    'compile',
    'pat',
    '--tile',
    'm=16,n=16,stages=2',
    ...['--target', 'wgsl', '--emit', 'tile,thread', '--emit-after', pass, '--out', join(cwd, pass)],
  ];
  const tileOf = (pass: string): string => join(cwd, pass, 'pat_forward.tile');
  const html = join(cwd, 'opt.html');
  const ran = session(
    [
      compile('hoist-from-rows'),
      compile('predicate-rows'),
      ['opt', tileOf('hoist-from-rows'), '--passes', 'predicate-rows', '--json', '--trace-html', html],
      compile('predicate-row'),
    ],
    root,
  );
  expect(ran.map((r) => r.code)).toEqual([0, 0, 0, 2]);
  const after = readFileSync(tileOf('predicate-rows'), 'utf8');
  expect(readFileSync(tileOf('hoist-from-rows'), 'utf8')).not.toContain('predicated');
  expect(after).toContain('predicated');
  // Values that a pass adds are named after others, whose names are longer where they were read from text.
  const renamed = (text: string): string => {
    const names = new Map<string, number>();
    return text.replace(/%\w+/g, (name) => {
      if (!names.has(name)) names.set(name, names.size);
      return `%${names.get(name)}`;
    });
  };
  const { text } = JSON.parse(ran[2]!.stdout) as { text: string };
  expect(renamed(text)).toBe(renamed(after));
  expect(parseKernel(after, 'pat_forward.tile').name).toBe('pat_forward');
  expect(readFileSync(html, 'utf8')).toContain('after predicate-rows');
  expect(ran[3]!.stderr).toContain("did you mean 'predicate-rows'?");
});
