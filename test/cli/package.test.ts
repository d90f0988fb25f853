/**
 * The packed tarball, as a user's project sees it: built, packed, unpacked into an empty project whose other packages are
 * this checkout's (so that no network is needed), with a kernel of the user's own.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { schemas } from '../../compiler/cli/schemas.ts';
import { root } from './spawn.ts';

const kernel = `import { kernel, program, tune } from 'patc/dsl';

export const twice = kernel('twice', { spec: { columns: 64 }, tile: { rows: tune(1, 2) } }, (k, { columns, rows }) => {
  const x = k.input('x', 'f32', ['n', columns]);
  const y = k.output('y', 'f32', ['n', columns]);
  const row = k.programId(0).mul(rows).add(k.iota(rows)).expand(1);
  const at = [row, k.iota(columns).expand(0)];
  const mask = row.lt(k.dim('n'));
  y.store(at, x.load(at, { mask }).mul(2), { mask });
});

export default program('twice', { kernels: [twice] }, (run) => {
  const { columns, rows } = run.use(twice);
  const x = run.input('x', 'f32', 5 * columns);
  const y = run.output('y', 'f32', 5 * columns);
  run.launch(twice, { grid: [Math.ceil(5 / rows)], buffers: { x, y }, scalars: { n: 5 } });
  run.expect(y, () => x.values.map((v) => 2 * v));
});
`;

const library = `import { targets, PatcError } from 'patc';
import { loadWorkload, makePlan } from 'patc/pat';
import { runOn } from 'patc/webgpu';
import manifest from 'patc/package.json' with { type: 'json' };
console.log(targets.length > 0, typeof PatcError, typeof loadWorkload, typeof makePlan, typeof runOn, manifest.name);
`;

describe('the packed tarball in an empty project', () => {
  let project: string;
  const npx = (...argv: string[]) =>
    spawnSync(process.execPath, [join(project, 'node_modules', 'patc', 'bin', 'patc.js'), ...argv], {
      cwd: project,
      encoding: 'utf8',
    });

  beforeAll(() => {
    // Built from a copy: a build in the checkout would change what other tests see.
    const copy = mkdtempSync(join(tmpdir(), 'patc-pack-'));
    const skipped = new Set(['node_modules', '.git', 'dist', 'out', 'test', '.gpu']);
    for (const entry of readdirSync(root)) {
      if (!skipped.has(entry)) cpSync(join(root, entry), join(copy, entry), { recursive: true });
    }
    symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
    execFileSync(
      process.execPath,
      [join(root, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.build.json'],
      { cwd: copy },
    );
    const npm = ['pack', '--ignore-scripts', '--silent', '--pack-destination', copy];
    const tarball = execFileSync('npm', npm, { cwd: copy, encoding: 'utf8' }).trim().split('\n').at(-1)!;

    project = mkdtempSync(join(tmpdir(), 'patc-project-'));
    mkdirSync(join(project, 'node_modules', 'patc'), { recursive: true });
    for (const name of readdirSync(join(root, 'node_modules'))) {
      if (!name.startsWith('.'))
        symlinkSync(join(root, 'node_modules', name), join(project, 'node_modules', name));
    }
    execFileSync('tar', [
      'xzf',
      join(copy, tarball),
      '-C',
      join(project, 'node_modules', 'patc'),
      '--strip-components=1',
    ]);
    writeFileSync(join(project, 'package.json'), '{ "type": "module" }');
    writeFileSync(join(project, 'kernel.ts'), kernel);
    writeFileSync(join(project, 'library.mjs'), library);
  }, 300_000);

  test('carries no sources and no tests, but what the README names', () => {
    const files = readdirSync(join(project, 'node_modules', 'patc'));
    for (const name of ['bin', 'dist', 'README.md', 'LICENSE', 'package.json']) expect(files).toContain(name);
    for (const name of ['test', 'compiler', 'dsl', 'scripts', 'node_modules'])
      expect(files).not.toContain(name);
  });

  test("compiles the user's kernel for both targets", () => {
    const ran = npx(
      'compile',
      'kernel.ts',
      '--target',
      'cuda:sm_80,wgsl',
      '--no-nvcc',
      '--out',
      'out',
      '--json',
    );
    expect([ran.status, ran.status === 0 ? '' : ran.stdout + ran.stderr]).toEqual([0, '']);
    const { artifacts } = schemas.compile.parse(JSON.parse(ran.stdout));
    expect(artifacts.length).toBe(4);
    expect(readFileSync(join(project, artifacts[0]!.path), 'utf8')).toContain('kernel.ts:');
  });

  test.each(['cpu', 'webgpu'])('runs it on %s', (on) => {
    const ran = npx('run', 'kernel.ts', '--on', on, '--verify', '--json');
    expect([ran.status, ran.status === 0 ? '' : ran.stdout + ran.stderr]).toEqual([0, '']);
    expect(schemas.run.parse(JSON.parse(ran.stdout))).toMatchObject({ ok: true, verified: true });
  });

  test('runs a shipped program', () => {
    const ran = npx(
      'run',
      'pat',
      '--workload',
      'random:7,batch=4',
      '--heads',
      '4/2',
      '--head-dim',
      '64',
      '--on',
      'cpu',
      '--verify',
      '--json',
    );
    expect([ran.status, ran.status === 0 ? '' : ran.stdout + ran.stderr]).toEqual([0, '']);
    expect(schemas.run.parse(JSON.parse(ran.stdout)).ok).toBe(true);
  });

  test('benchmarks a shipped program', () => {
    const ran = npx('bench', '--suite', 'nope', '--json');
    expect(ran.status).toBe(2);
    const { diagnostics } = schemas.errors.parse(JSON.parse(ran.stdout));
    expect(diagnostics[0]!.notes.map((n) => n.text)).toContainEqual(
      expect.stringMatching(/^fig10: 80 cases/),
    );
  });

  test('every export of the package loads, and the language has its types', () => {
    const ran = spawnSync(process.execPath, ['library.mjs'], { cwd: project, encoding: 'utf8' });
    expect([ran.stdout.trim(), ran.stderr]).toEqual(['true function function function function patc', '']);
    writeFileSync(
      join(project, 'typed.ts'),
      kernel.replace('x.load(at, { mask }).mul(2)', 'x.load(at, { mask }).mul(k.iota(3))'),
    );
    const tsc = (file: string) =>
      spawnSync(
        process.execPath,
        [
          join(root, 'node_modules/typescript/bin/tsc'),
          '--ignoreConfig',
          '--noEmit',
          '--strict',
          '--target',
          'esnext',
          '--module',
          'nodenext',
          '--skipLibCheck',
          '--pretty',
          'false',
          file,
        ],
        { cwd: project, encoding: 'utf8' },
      ).stdout;
    expect(tsc('kernel.ts')).toBe('');
    expect(tsc('typed.ts')).toContain('typed.ts(9,');
  });
});
