/** patc check: what fits, why not and what would; races at their lines; a file that is watched. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { schemas } from '../../compiler/cli/schemas.ts';
import { folder, root, session } from './spawn.ts';

const dsl = join(root, 'dsl/index.ts');

/** Fits CUDA as it is, WGSL only with smaller tiles. */
const broad = `
import { kernel, tune } from '${dsl}';
export default kernel('product', { spec: { depth: 128 }, tile: { m: tune(128, 64, 32, 16), n: tune(64, 32, 16) } }, (k, { m, n, depth }) => {
  const a = k.input('a', 'f16', [m, depth]);
  const b = k.input('b', 'f16', [depth, n]);
  const d = k.iota(depth);
  const x = a.load([k.iota(m).expand(1), d.expand(0)]);
  const y = b.load([d.expand(1), k.iota(n).expand(0)]);
  k.output('c', 'f32', [m, n]).store([k.iota(m).expand(1), k.iota(n).expand(0)], k.dot(x, y));
});
`;

const clean = `
import { kernel } from '${dsl}';
export default kernel('fill', {}, (k) => k.output('y', 'f32', [64]).store([k.iota(64)], 1));
`;

test('a shape that does not fit: bytes by buffer and line, and the nearest that does', () => {
  const cwd = folder({ 'broad.ts': broad });
  const [text, json, forced] = session(
    [
      ['check', 'broad.ts', '--target', 'cuda:sm_80,wgsl'],
      ['check', 'broad.ts', '--target', 'cuda:sm_80,wgsl', '--format', 'json'],
      ['check', 'broad.ts', '--target', 'wgsl', '--tile', 'm=128,n=64', '--json'],
    ],
    cwd,
  );
  expect(text!.code).toBe(0);
  expect(text!.stdout).toMatch(/x: 128 x 128 x 2 B, row pitch 260 B = 33,280 B {2,}broad.ts:7:15/);
  expect(text!.stdout).toMatch(/with m=\d+(,n=\d+)? it fits wgsl/);
  expect(text!.stdout).toContain('not simulated');
  const { targets } = schemas.check.parse(JSON.parse(json!.stdout));
  expect(targets[0]!.refused).toEqual([]);
  const [refused] = targets[1]!.refused;
  expect(refused).toMatchObject({ tile: { m: 128, n: 64 }, diagnostic: { code: 'PAT0301' } });
  expect(targets[1]!.kernels[0]!.tile).toEqual(refused!.fits);
  expect(targets[1]!.kernels[0]!.sharedBytes).toBeLessThanOrEqual(targets[1]!.sharedLimit);
  expect(forced!.code).toBe(1);
  expect(JSON.parse(forced!.stdout)).toMatchObject({
    diagnostics: [{ code: 'PAT0301', help: expect.stringMatching(/^with .* it fits wgsl$/) as string }],
  });
});

test('every access with its cost, in JSON', () => {
  const [ran] = session([['check', 'softmax', '--target', 'wgsl', '--json']]);
  const { simulated } = schemas.check.parse(JSON.parse(ran!.stdout)).targets[0]!;
  const kinds = simulated[0]!.accesses.map((a) => `${a.space} ${a.kind} of ${a.buffer}`);
  expect(kinds).toEqual(expect.arrayContaining(['global load of x', 'global store of y']));
  for (const a of simulated[0]!.accesses) expect(a.spent).toBeGreaterThanOrEqual(a.ideal);
});

test('--watch checks again after a save, and wants a file', { timeout: 60_000 }, async () => {
  const cwd = folder({ 'fill.ts': clean });
  const argv = [join(root, 'bin/patc.js'), 'check', 'fill.ts', '--target', 'wgsl', '--watch'];
  const child = spawn(process.execPath, argv, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  child.stdout.on('data', (text: Buffer) => void (said += text.toString()));
  child.stderr.on('data', (text: Buffer) => void (said += text.toString()));
  const until = async (pattern: RegExp): Promise<void> => {
    while (!pattern.test(said)) await new Promise((go) => setTimeout(go, 50));
  };
  try {
    await until(/\bok\b[\s\S]*watching .* \(exit code 0\)/);
    said = '';
    writeFileSync(
      join(cwd, 'fill.ts'),
      clean.replace('[k.iota(64)]', '[k.iota(32)]').replace(', 1)', ', k.iota(64))'),
    );
    await until(/PAT01\d\d[\s\S]*watching .* \(exit code 1\)/);
  } finally {
    child.kill();
    await once(child, 'exit');
  }
  const [shipped] = session([['check', 'pat', '--watch', '--json']]);
  expect(shipped!.code).toBe(2);
});
