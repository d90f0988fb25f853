import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { declaredName } from '../../dsl/names.ts';

const folder = mkdtempSync(join(tmpdir(), 'patc-names-'));
afterAll(() => rmSync(folder, { recursive: true }));
let files = 0;

/** The name at the place marked by § in a source. */
function nameAt(marked: string): string | undefined {
  const at = marked.indexOf('§');
  const before = marked.slice(0, at).split('\n');
  const file = join(folder, `${files++}.ts`);
  writeFileSync(file, marked.replace('§', ''));
  return declaredName(file, before.length, before.at(-1)!.length + 1);
}

it.each([
  ['const x = k.§iota(4);', 'x'],
  ['let x: Tile = k.§iota(4);', 'x'],
  ['const x = k.§iota(4)', 'x'],
  ['x = k.§iota(4);', 'x'],
  ['  if (a) { x = k.§iota(4); }', 'x'],
  ['const x = k.§iota(4).add(1);', undefined],
  ['const x = k.iota(4).§add(1);', 'x'],
  ['const x = k\n  .iota(4)\n  .§add(1);', 'x'],
  ['const x = k\n  .§iota(4)\n  .add(1);', undefined],
  ['const x = k.iota(4).§T;', 'x'],
  ['const x = k.iota(4).§T.add(1);', undefined],
  ['const x = helper(k.§iota(4));', undefined],
  ['const x = [k.§iota(4)];', undefined],
  ['const x = { y: k.§iota(4) };', undefined],
  ['const x = () => k.§iota(4);', undefined],
  ['const x = c ? k.§iota(4) : y;', undefined],
  ['const x = 1;\nk.§iota(4);', undefined],
  ['const x = 1\nk.§iota(4)', undefined],
  ['const x = y\nk.§iota(4)', undefined],
  ['const x = 1;\nreturn k.§iota(4);', undefined],
  ['const x = a.add(")").§mul(2);', 'x'],
  ['const x = a.add(`) ${b}`).§mul(2); // )', 'x'],
  ['const x = a.add(1 /* ) */).§mul(2);', 'x'],
  ['const x = a.§mul(") ;", (1, 2))\n  // next\n  ;', 'x'],
  ['const x = k.§full<readonly [4]>([4], 1);', 'x'],
  ['const x = a === b ? 1 : 2, y = k.§iota(4);', undefined],
  ['x == k.§iota(4);', undefined],
  ['k.§iota(4);', undefined],
  ['', undefined],
])('%j', (source, name) => {
  expect(nameAt(source.includes('§') ? source : '§')).toBe(name);
});

it('survives a file that is not there, and places outside it', () => {
  expect(declaredName(join(folder, 'none.ts'), 1, 1)).toBeUndefined();
  expect(declaredName(join(folder, '0.ts'), 99, 1)).toBeUndefined();
  expect(declaredName(join(folder, '0.ts'), 1, 999)).toBeUndefined();
});
