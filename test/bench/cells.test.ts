import { execFile } from 'node:child_process';
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, expect, it } from 'vitest';

const folder = mkdtempSync(path.join(os.tmpdir(), 'patc-cells-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const out = path.join(folder, 'cells.jsonl');
const small = 'cells --on simulator --heads 4/2 --rows 4 --tokens 24 --blocks 0.02 --tiles m=16,n=16'.split(
  ' ',
);
const run = async (): Promise<string> =>
  (await promisify(execFile)(process.execPath, ['bench/cells.ts', ...small, '--out', out])).stdout;

it('cells are verified, written one by one, and not measured again; half a line is measured again', async () => {
  expect(await run()).toMatch(/2 of 2 measured, 0 wrong, 0 failed/);
  const lines = readFileSync(out, 'utf8').trim().split('\n');
  for (const line of lines)
    expect(JSON.parse(line)).toMatchObject({
      verified: true,
      cell: { rows: 4, tokens: 24 },
      heads: '4/2',
      commit: expect.stringMatching(/^[0-9a-f]{40}|^unknown$/) as string,
      command: ['node bench/cells.ts', ...small, '--out', out].join(' '),
    });
  rmSync(out);
  appendFileSync(out, `${lines[0]}\n${lines[1]!.slice(0, 60)}`);
  expect(await run()).toMatch(/2 timings, 1 to do/);
  const timeless = (line: string): string => line.replace(/"graphUs":[\d.]+/, '');
  const again = readFileSync(out, 'utf8').trim().split('\n');
  expect([again[0], again.at(-1)!].map((l) => timeless(l!))).toEqual(lines.map(timeless));
}, 60_000);
