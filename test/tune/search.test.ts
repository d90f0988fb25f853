/** Candidates that crash, hang or are wrong cost only themselves; what was measured survives kill -9 and is not run again. */
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { cache, tune, type TuneJson } from '../../compiler/tune/schemas.ts';
import { folder, patc, root } from '../cli/spawn.ts';

/** Tile 8 ends its process, 16 never ends, 32 is another kernel each time it is traced. Only where a candidate is run. */
const faulty = `
import { kernel, program, tune } from 'patc/dsl';
let traced = 0;
const scale = kernel('faulty', { tile: { rows: tune(4, 8, 16, 32, 64) } }, (k, { rows }) => {
  const x = k.input('x', 'f32', ['n']);
  const y = k.output('y', 'f32', ['n']);
  const i = k.programId(0).mul(rows).add(k.iota(rows));
  const live = i.lt(k.dim('n'));
  y.store([i], x.load([i], { mask: live }).mul(rows === 32 ? 2 + traced++ : 2), { mask: live });
});
export default program('faulty', { kernels: [scale] }, (run) => {
  const { rows } = run.use(scale);
  if (process.send && rows === 8) process.exit(7);
  if (process.send && rows === 16) for (;;);
  const x = run.input('x', 'f32', 1000);
  const y = run.output('y', 'f32', 1000);
  run.launch(scale, { grid: [Math.ceil(1000 / rows)], buffers: { x, y }, scalars: { n: 1000 } });
  run.expect(y, () => x.values.map((v) => 2 * v));
});
`;

const healthy = faulty.replaceAll(/^ {2}if \(process\.send.*$/gm, '').replace('2 + traced++', '2');
const files = { 'package.json': '{"type":"module"}', 'faulty.ts': faulty, 'healthy.ts': healthy };
const common = ['--on', 'webgpu', '--budget', '60s', '--json'];
const tuned = (at: string, argv: readonly string[], env: NodeJS.ProcessEnv = {}) => {
  const ran = patc(['tune', ...argv, ...common], {
    cwd: at,
    env: { ...process.env, PATC_CACHE: join(at, 'cache'), ...env },
  });
  return { ...ran, document: ran.code === 0 ? tune.parse(JSON.parse(ran.stdout)) : undefined };
};
const states = (d: TuneJson): Record<string, string> =>
  Object.fromEntries(d.configurations.map((c) => [c.tile['rows']!, c.state]));
const recordsIn = (at: string): string[] =>
  readdirSync(join(at, 'cache', 'tune')).filter((f) => f.endsWith('.json'));

describe('isolation', () => {
  it(
    'a crash, a hang and a wrong result cost only themselves, and are not tried again',
    { timeout: 90_000 },
    () => {
      const at = folder(files);
      const { document } = tuned(at, ['faulty.ts', '--limit', '5s']);
      expect(states(document!)).toEqual({
        4: 'measured',
        8: 'failed',
        16: 'failed',
        32: 'failed',
        64: 'measured',
      });
      const why = (rows: number) => document!.configurations.find((c) => c.tile['rows'] === rows)!.error;
      expect(why(8)).toContain('exit code 7');
      expect(why(16)).toContain('no answer in 5 s');
      expect(why(32)).toContain('differs from the interpreter');
      expect(recordsIn(at)).toHaveLength(5);

      const again = tuned(at, ['faulty.ts', '--limit', '5s']).document!;
      expect(states(again)).toEqual(states(document!));
      expect(again.configurations.every((c) => c.cached)).toBe(true);
    },
  );
});

describe('the cache', () => {
  it('goes on after kill -9 from what was measured', { timeout: 90_000 }, async () => {
    const at = folder(files);
    const env = { ...process.env, PATC_CACHE: join(at, 'cache') };
    const child = spawn(process.execPath, [join(root, 'bin/patc.js'), 'tune', 'healthy.ts', ...common], {
      cwd: at,
      env,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    // The first measurement is announced after it was kept.
    await new Promise<void>((resolve) => {
      child.stderr.on('data', (chunk: Buffer) => {
        if (/us \(predicted/.test(chunk.toString())) resolve();
      });
      child.on('exit', () => resolve());
    });
    child.kill('SIGKILL');
    await new Promise((resolve) =>
      (child.exitCode ?? child.signalCode) !== null ? resolve(0) : child.on('exit', resolve),
    );
    const kept = recordsIn(at).length;
    expect(kept).toBeGreaterThanOrEqual(1);

    const { document } = tuned(at, ['healthy.ts']);
    const measured = document!.configurations.filter((c) => c.state === 'measured');
    expect(measured).toHaveLength(5);
    expect(measured.filter((c) => c.cached).length).toBeGreaterThanOrEqual(1);
  });

  it(
    'ignores a truncated record and one of another version, with a warning, and measures again',
    { timeout: 90_000 },
    () => {
      const at = folder(files);
      tuned(at, ['healthy.ts']);
      const [first, second] = recordsIn(at).map((f) => join(at, 'cache', 'tune', f));
      writeFileSync(first!, readFileSync(first!, 'utf8').slice(0, 100));
      const other = JSON.parse(readFileSync(second!, 'utf8')) as object;
      writeFileSync(second!, JSON.stringify({ ...other, version: 99 }));
      const { document, stderr } = tuned(at, ['healthy.ts']);
      expect(stderr).toMatch(/is not whole; ignored/);
      expect(stderr).toMatch(/is not a record of this version; ignored/);
      expect(document!.configurations.filter((c) => c.cached)).toHaveLength(3);
      expect(document!.configurations.every((c) => c.state === 'measured')).toBe(true);
    },
  );

  it('works without a place to write to, and says so once', { timeout: 90_000 }, () => {
    const at = folder(files);
    // Not a folder: nobody, root included, can write records below it.
    writeFileSync(join(at, 'cache'), '');
    const { document, stderr } = tuned(at, ['healthy.ts']);
    expect(document!.configurations.every((c) => c.state === 'measured')).toBe(true);
    expect(stderr.match(/results are not kept/g)).toHaveLength(1);
    const locked = join(at, 'locked');
    mkdirSync(locked);
    chmodSync(locked, 0o555);
    expect(tuned(at, ['healthy.ts'], { PATC_CACHE: locked }).code).toBe(0);
  });

  it('takes two tuners at once', { timeout: 90_000 }, async () => {
    const at = folder(files);
    const run = () =>
      new Promise<number | null>((resolve) => {
        const env = { ...process.env, PATC_CACHE: join(at, 'cache') };
        spawn(process.execPath, [join(root, 'bin/patc.js'), 'tune', 'healthy.ts', ...common], {
          cwd: at,
          env,
          stdio: 'ignore',
        }).on('exit', resolve);
      });
    expect(await Promise.all([run(), run()])).toEqual([0, 0]);
    expect(recordsIn(at)).toHaveLength(5);
    expect(readdirSync(join(at, 'cache', 'tune')).filter((f) => f.endsWith('.draft'))).toEqual([]);
    const listed = patc(['cache', 'list', '--json'], {
      env: { ...process.env, PATC_CACHE: join(at, 'cache') },
    });
    expect(cache.parse(JSON.parse(listed.stdout))).toMatchObject({ warnings: [] });
  });

  it('is listed, moved to another machine and cleared', { timeout: 90_000 }, () => {
    const at = folder(files);
    tuned(at, ['healthy.ts']);
    const ask = (where: string, ...argv: string[]) => {
      const ran = patc(['cache', ...argv, '--json'], {
        cwd: at,
        env: { ...process.env, PATC_CACHE: join(at, where) },
      });
      expect(ran.code).toBe(0);
      return cache.parse(JSON.parse(ran.stdout));
    };
    expect(ask('cache', 'list').records).toHaveLength(5);
    ask('cache', 'export', 'moved.jsonl');
    writeFileSync(join(at, 'moved.jsonl'), `${readFileSync(join(at, 'moved.jsonl'), 'utf8')}{"version":0}\n`);
    const moved = ask('elsewhere', 'import', 'moved.jsonl');
    expect(moved.records).toHaveLength(5);
    expect(moved.warnings).toHaveLength(1);
    expect(ask('elsewhere', 'list').records).toEqual(ask('cache', 'list').records);
    writeFileSync(join(at, 'elsewhere', 'tune', 'mine.txt'), 'kept');
    ask('elsewhere', 'clear');
    expect(ask('elsewhere', 'list').records).toEqual([]);
    expect(existsSync(join(at, 'elsewhere', 'tune', 'mine.txt'))).toBe(true);
  });
});
