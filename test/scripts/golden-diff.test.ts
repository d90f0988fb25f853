/** The diff of emitted kernels that CI prints. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { resourceChanges } from '../../scripts/golden-diff.ts';

const kernel = { threads: 128, registers: 100, spillBytes: 0, sharedBytes: 4096 };

it('says what changed, per kernel, and nothing of what did not', () => {
  const before = { same: kernel, gone: kernel, grew: kernel };
  const after = { same: kernel, grew: { ...kernel, registers: 120, sharedBytes: 1024 }, young: kernel };
  expect(resourceChanges(before, after)).toEqual([
    'gone: gone',
    'grew: registers 100 -> 120 (+20), sharedBytes 4096 -> 1024 (-3072)',
    'young: new, registers 100, spillBytes 0, sharedBytes 4096, threads 128',
  ]);
});

it('wants a revision that git knows', () => {
  const script = join(import.meta.dirname, '../../scripts/golden-diff.ts');
  const run = (...argv: string[]) => spawnSync(process.execPath, [script, ...argv], { encoding: 'utf8' });
  expect(run()).toMatchObject({ status: 2, stderr: expect.stringContaining('usage') as string });
  expect(run('no-such-revision').status).toBe(2);
});
