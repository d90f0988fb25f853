/**
 * Mutation testing of the passes and the lowering: small mistakes made in the compiler one at a time, each of which some
 * test must notice. In the spirit of Stryker, whose operators these are; by sample, in a copy of the repository.
 *
 *   node scripts/mutate.ts --count 60 --seed 1 [--jobs 2] [--only compiler/passes] [--list]
 *
 * Prints a line per mutant and a JSON summary; survivors are the ones to answer with a test (docs/mutation.md).
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Random } from '../compiler/ir/numeric.ts';
import { mutationsOf, type Mutation } from './mutate/operators.ts';

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
    jobs: { type: 'string', default: '1' },
    only: { type: 'string', default: 'compiler/' },
    list: { type: 'boolean', default: false },
  },
});

/** Fast, and without goldens: a golden notices every change and judges none. */
const tests = ['test/compiler/passes', 'test/compiler/lower', 'test/e2e/executors.test.ts'];
const limitMs = 150_000;

const root = join(import.meta.dirname, '..');
const tracked = execFileSync('git', ['ls-files'], { cwd: root, encoding: 'utf8' }).trim().split('\n');
const mutated = tracked.filter(
  (f) => /^compiler\/(passes|lower)\/.*\.ts$/.test(f) && f.startsWith(values.only),
);

const all = mutated.flatMap((file) => mutationsOf(file, readFileSync(join(root, file), 'utf8')));
const chosen = sample(all, Number(values.count), Number(values.seed));

function sample(list: readonly Mutation[], count: number, seed: number): Mutation[] {
  const random = new Random(seed);
  const left = [...list];
  const taken: Mutation[] = [];
  while (taken.length < count && left.length > 0)
    taken.push(...left.splice(Math.floor(random.uniform() * left.length), 1));
  return taken;
}

const show = (m: Mutation): string => `${m.file}:${m.line} ${m.operator}: ${m.before} -> ${m.after}`;
if (values.list) {
  for (const m of chosen) console.log(show(m));
  process.exit(0);
}

type Verdict = 'killed' | 'timeout' | 'survived';

/** A copy of the last commit: what others are working on stays out of it. */
function workspace(): string {
  const at = mkdtempSync(join(tmpdir(), 'patc-mutate-'));
  const archive = execFileSync('git', ['archive', 'HEAD'], { cwd: root, maxBuffer: 1 << 30 });
  execFileSync('tar', ['-x', '-C', at], { input: archive });
  symlinkSync(join(root, 'node_modules'), join(at, 'node_modules'));
  return at;
}

function runTests(cwd: string): Promise<Verdict> {
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  const argv = [vitest, 'run', '--bail', '1', '--reporter', 'dot', ...tests];
  return new Promise((done) => {
    const child = spawn(process.execPath, argv, { cwd, stdio: 'ignore', detached: true });
    const timer = setTimeout(() => {
      process.kill(-child.pid!, 'SIGKILL');
      done('timeout');
    }, limitMs);
    child.on('exit', (code) => {
      clearTimeout(timer);
      done(code === 0 ? 'survived' : 'killed');
    });
  });
}

const results: { mutation: Mutation; verdict: Verdict }[] = [];
const queue = [...chosen];

async function worker(): Promise<void> {
  const cwd = workspace();
  try {
    if ((await runTests(cwd)) !== 'survived') throw new Error('the tests fail without any mutation');
    for (let m = queue.shift(); m; m = queue.shift()) {
      const path = join(cwd, m.file);
      const text = readFileSync(path, 'utf8');
      writeFileSync(path, text.slice(0, m.start) + m.after + text.slice(m.end));
      const verdict = await runTests(cwd);
      writeFileSync(path, text);
      results.push({ mutation: m, verdict });
      console.log(`${verdict.padEnd(8)} ${show(m)}`);
    }
  } finally {
    rmSync(cwd, { recursive: true, force: true });
  }
}

await Promise.all(Array.from({ length: Number(values.jobs) }, worker));
const survivors = results.filter((r) => r.verdict === 'survived').map((r) => show(r.mutation));
console.log(
  JSON.stringify(
    {
      mutations: all.length,
      sampled: results.length,
      seed: Number(values.seed),
      survived: survivors.length,
      survivors,
    },
    null,
    2,
  ),
);
