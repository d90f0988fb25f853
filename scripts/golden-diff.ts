/**
 * What a change does to every kernel: registers, spills and shared memory before and after, then the diff of the emitted
 * code. The goldens under test/golden are what is compared, so a reviewer sees it where no CUDA toolkit is installed.
 *
 *   node scripts/golden-diff.ts BASE [--stat] [--lines 2000]
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const root = join(import.meta.dirname, '..');
const folder = 'test/golden';
const recorded = `${folder}/cuda/resources.json`;

interface Resources {
  readonly threads: number;
  readonly registers: number;
  readonly spillBytes: number;
  readonly sharedBytes: number;
}

type Kernels = Readonly<Record<string, Resources>>;

const git = (...argv: string[]): string =>
  execFileSync('git', argv, {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    stdio: ['ignore', 'pipe', 'pipe'],
  });

function kernelsAt(base: string): Kernels {
  try {
    return (JSON.parse(git('show', `${base}:${recorded}`)) as { kernels: Kernels }).kernels;
  } catch {
    return {};
  }
}

function kernelsNow(): Kernels {
  const file = join(root, recorded);
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as { kernels: Kernels }).kernels : {};
}

const shown: readonly (keyof Resources)[] = ['registers', 'spillBytes', 'sharedBytes', 'threads'];

/** A line per kernel of which something changed: `sm_80 forward: registers 168 -> 160 (-8)`. */
export function resourceChanges(before: Kernels, after: Kernels): string[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return names.flatMap((name) => {
    const [a, b] = [before[name], after[name]];
    if (!a || !b) return [`${name}: ${a ? 'gone' : `new, ${shown.map((k) => `${k} ${b![k]}`).join(', ')}`}`];
    const changes = shown
      .filter((k) => a[k] !== b[k])
      .map((k) => `${k} ${a[k]} -> ${b[k]} (${b[k] > a[k] ? '+' : ''}${b[k] - a[k]})`);
    return changes.length === 0 ? [] : [`${name}: ${changes.join(', ')}`];
  });
}

function main(): number {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { stat: { type: 'boolean', default: false }, lines: { type: 'string', default: '2000' } },
  });
  const [base] = positionals;
  if (base === undefined) {
    console.error('usage: node scripts/golden-diff.ts BASE [--stat] [--lines N]');
    return 2;
  }
  try {
    git('rev-parse', '--verify', '--quiet', `${base}^{commit}`);
  } catch {
    console.error(`golden-diff: git knows no revision '${base}'`);
    return 2;
  }
  const resources = resourceChanges(kernelsAt(base), kernelsNow());
  const stat = git('diff', '--stat=120', base, '--', folder).trimEnd();
  console.log(`Emitted kernels against ${base}:`);
  console.log(
    resources.length
      ? resources.map((l) => `  ${l}`).join('\n')
      : '  registers, spills and shared memory as before',
  );
  if (stat === '') {
    console.log('  emitted code as before');
    return 0;
  }
  console.log(stat);
  if (values.stat) return 0;
  const diff = git('diff', base, '--', folder, `:!${recorded}`).split('\n');
  const limit = Number(values.lines);
  console.log(diff.slice(0, limit).join('\n'));
  if (diff.length > limit)
    console.log(`… and ${diff.length - limit} more lines: git diff ${base} -- ${folder}`);
  return 0;
}

if (import.meta.main) process.exitCode = main();
