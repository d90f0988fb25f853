/**
 * Measures the planner: `node bench/planner/run.ts [--out FILE] [--commit NAME] [--host RUNS]`. C++ (g++ -O3, one core) and TypeScript on
 * serving batches; with `--host` only C++, so often, for a machine that others share: each run's times, and the quickest. predicted time against exhaustive search on small forests, and against the published rule, node packs and one query per
 * block on the paper's trees and on random batches.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { defaultTiles } from '../../examples/pat/plan.ts';
import { figuresOf, planCosts, type TileShape } from '../../examples/pat/cost.ts';
import { loadWorkload, makePlan, packings, predict, type Batch } from '../../examples/pat/index.ts';
import { bestTime, smallForest } from '../../test/examples/pat/exhaustive.ts';
import { serving } from './serving.ts';

const { values } = parseArgs({
  options: { out: { type: 'string' }, commit: { type: 'string' }, host: { type: 'string' } },
});
const runs = Number(values.host ?? 1);
if (!Number.isInteger(runs) || runs < 1) throw new Error(`--host ${values.host}: expected a number of runs`);
const here = import.meta.dirname;
/** As planner.cpp has them, for times. */
const shapes = [16, 32, 64, 128].map((m) => ({ m, n: 64, stages: 3 }));
const costsOf = (batch: Batch, tiles: readonly TileShape[] = defaultTiles) =>
  planCosts(figuresOf('cuda'), 132, tiles, batch);
const round = (x: number, digits = 2): number => Number(x.toFixed(digits));

function host(sizes: readonly number[], repeats = 1): Record<string, number>[] {
  const folder = mkdtempSync(join(tmpdir(), 'patc-planner-'));
  try {
    const program = join(folder, 'planner');
    const source = join(here, '../../examples/pat/host');
    execFileSync('g++', [
      '-std=c++17',
      '-O3',
      '-I',
      source,
      join(here, 'planner.cpp'),
      join(source, 'patc_plan.cpp'),
      '-o',
      program,
    ]);
    return Array.from({ length: repeats }, () =>
      execFileSync(program, sizes.map(String), { encoding: 'utf8' })
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Record<string, number>),
    ).flat();
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Median and fastest, in µs. */
function measure(repeats: number, work: () => void): { planUs: number; fastestUs: number } {
  const times = Array.from({ length: repeats }, () => {
    const begin = performance.now();
    work();
    return (performance.now() - begin) * 1000;
  });
  times.sort((a, b) => a - b);
  return { planUs: round(times[repeats >> 1]!), fastestUs: round(times[0]!) };
}

function typescript(sizes: readonly number[]) {
  return sizes.map((sequences) => {
    const batch = serving(sequences);
    const costs = costsOf(batch, shapes);
    for (let i = 0; i < 200; i++) makePlan(batch, costs);
    return { sequences, ...measure(2000, () => makePlan(batch, costs)) };
  });
}

/** Predicted time of the best plan that an exhaustive search finds, as a ratio. */
function gaps(seeds: number) {
  const found: number[] = [];
  for (let seed = 0; seed < seeds; seed++) {
    const small = smallForest(seed);
    if (small)
      found.push(predict(makePlan(small.batch, small.costs)).time / bestTime(small.batch, small.costs));
  }
  found.sort((a, b) => a - b);
  const mean = found.reduce((a, b) => a + b) / found.length;
  return {
    forests: found.length,
    seeds,
    mean: round(mean, 4),
    p99: round(found[Math.floor(found.length * 0.99)]!, 4),
    largest: round(found.at(-1)!, 4),
  };
}

/** Geometric means of predicted time over that of `auto`, and how often the other was faster. */
function against(workloads: readonly string[], heads: readonly string[], page: number) {
  const logs: Record<string, number> = {};
  const faster: Record<string, number> = {};
  let cases = 0;
  for (const workload of workloads)
    for (const text of heads) {
      const batch = loadWorkload(workload, { heads: text, page });
      const costs = costsOf(batch);
      const [auto, ...others] = packings.map((packing) => predict(makePlan(batch, costs, { packing })).time);
      cases++;
      others.forEach((time, i) => {
        const name = packings[i + 1]!;
        logs[name] = (logs[name] ?? 0) + Math.log(time / auto!);
        faster[name] = (faster[name] ?? 0) + (time < auto! ? 1 : 0);
      });
    }
  const ratios = Object.entries(logs).map(([name, log]) => [name, round(Math.exp(log / cases), 3)]);
  return { cases, ratio: Object.fromEntries(ratios) as Record<string, number>, fasterThanAuto: faster };
}

/** Predicted time in batch-invariant mode over that of `auto`, geometric mean. */
function invariant(workloads: readonly string[], span: number, page: number): number {
  const logs = workloads.map((workload) => {
    const batch = loadWorkload(workload, { heads: '32/8', page });
    const costs = costsOf(batch);
    const time = (invariantSpan: number) => predict(makePlan(batch, costs, { invariantSpan })).time;
    return Math.log(time(span) / time(0));
  });
  return round(Math.exp(logs.reduce((a, b) => a + b) / logs.length), 3);
}

const trees = readFileSync(join(here, 'trees.txt'), 'utf8').trim().split('\n');
const random = Array.from(
  { length: 60 },
  (_, i) => `random:${i},batch=${[8, 32, 128][i % 3]},scale=${[1, 4][i % 2]}`,
);
const heads = ['32/32', '16/8', '32/8', '64/8', '28/4', '40/8'];
const about = (command: string) => ({
  measured: new Date().toISOString().slice(0, 10),
  commit:
    values.commit ??
    execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: here, encoding: 'utf8' }).trim(),
  processor: cpus()[0]?.model ?? 'unknown',
  command,
  workload:
    '2,112-token system prompt, half of the sequences with one of four 1,024-token documents, 200 to 3,200 private tokens, page 16, 32/8 heads',
});

/** C++ alone: the run with the least median, and all of them at 1,024 sequences. */
function hostOnly() {
  const all = host([64, 256, 1024, 4096], runs);
  const quickest = [64, 256, 1024, 4096].map((sequences) =>
    all.filter((r) => r['sequences'] === sequences).reduce((a, b) => (b['planUs']! < a['planUs']! ? b : a)),
  );
  const each = all.filter((r) => r['sequences'] === 1024);
  return {
    ...about(`node bench/planner/run.ts --host ${runs}`),
    host: quickest,
    runs: each.map(({ planUs, fastestUs, growUs, repairUs }) => ({ planUs, fastestUs, growUs, repairUs })),
  };
}

const everything = () => ({
  ...about('node bench/planner/run.ts'),
  host: host([1, 8, 64, 256, 1024, 4096, 16384, 65536]),
  typescript: typescript([8, 64, 256, 1024, 4096]),
  exhaustive: gaps(2000),
  predicted: { trees: against(trees, heads, 32), random: against(random, ['32/8', '64/8', '28/4'], 16) },
  invariant: [1024, 4096].map((span) => ({
    span,
    trees: invariant(trees, span, 32),
    random: invariant(random, span, 16),
  })),
});

const document = values.host === undefined ? everything() : hostOnly();
const text = `${JSON.stringify(document, null, 1)}\n`;
if (values.out) writeFileSync(values.out, text);
process.stdout.write(text);
