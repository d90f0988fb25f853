/** bin/patc.js on a Node that is too old: a newer one is found, or the message says what to install. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { errors } from '../../compiler/cli/schemas.ts';
import { folder, root } from './spawn.ts';

const old = `data:text/javascript,Object.defineProperty(process,'versions',{value:{node:'20.20.2'}})`;
// As started by hand: npm's variables would let the launcher fetch a Node.
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('npm_')));

const launch = (script: string, cwd: string, ...argv: string[]) =>
  spawnSync(process.execPath, ['--import', old, script, ...argv], { cwd, env, encoding: 'utf8' });

function alone(): string {
  const at = folder({ 'package.json': '{"type":"module"}' });
  mkdirSync(join(at, 'bin'));
  copyFileSync(join(root, 'bin', 'patc.js'), join(at, 'bin', 'patc.js'));
  return at;
}

test('without a newer Node: exit code 3, what to install, and JSON where asked', () => {
  const at = alone();
  const ran = launch(join(at, 'bin', 'patc.js'), at, 'run', 'x.ts');
  expect([ran.status, ran.stdout]).toEqual([3, '']);
  expect(ran.stderr).toContain('PAT0706');
  expect(ran.stderr).toContain('npm i -D node@24');
  const json = launch(join(at, 'bin', 'patc.js'), at, 'run', 'x.ts', '--json');
  expect(json.status).toBe(3);
  expect(errors.parse(JSON.parse(json.stdout)).diagnostics[0]!.code).toBe('PAT0706');
});

test('what Node made of the sources is kept in the cache folder, or nowhere', () => {
  const at = folder({ file: '' });
  const script = join(root, 'bin', 'patc.js');
  const version = (cache: string) =>
    spawnSync(process.execPath, [script, '--version'], {
      env: { ...env, PATC_CACHE: join(at, cache) },
      encoding: 'utf8',
    });
  for (const cache of ['cache', 'cache', 'file']) {
    const { status, stderr } = version(cache);
    expect([status, stderr]).toEqual([0, '']);
  }
  expect(readdirSync(join(at, 'cache', 'node'))).toHaveLength(1);
});

test.runIf(existsSync(join(root, 'node_modules', 'node', 'bin', 'node')))(
  'beside the node package: runs with that, and passes on the exit code',
  () => {
    const script = join(root, 'bin', 'patc.js');
    expect(launch(script, root, '--version').stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    expect(launch(script, root, 'no-such-command').status).toBe(2);
  },
);
