/**
 * Plans random forests of every class and proves each plan: `node scripts/plan-fuzz.ts [--count 100000] [--seed 0] [--out FILE]`.
 * Every forest is planned with the default packing, every fourth batch-invariant, every eighth with the other packings; each plan
 * goes through the coverage checker, and the C++ planner (where g++ is) must make the same bytes. Exit code 1 when one does not.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { makeBatch } from '../examples/pat/batch.ts';
import { figuresOf, planCosts } from '../examples/pat/cost.ts';
import { coverageFaults } from '../examples/pat/coverage.ts';
import { makePlan, packings } from '../examples/pat/plan.ts';
import type { PlanTables } from '../examples/pat/tables.ts';
import { generateForest } from '../examples/pat/workload/generate.ts';
import { hasCompiler, HostPlanner, type Case } from '../test/examples/pat/host/planner.ts';

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '0' },
    out: { type: 'string' },
  },
});
const count = Number(values.count);
const firstSeed = Number(values.seed);

const shape = (m: number, n: number, stages = 2, variant = 0) => ({ m, n, stages, variant });
const tileSets = [
  [shape(16, 64), shape(32, 64), shape(64, 64), shape(128, 32), shape(128, 64), shape(128, 128, 3)],
  [shape(16, 32), shape(16, 64)],
  [shape(16, 32), shape(64, 64), shape(128, 128)],
  [shape(32, 16), shape(64, 16)],
  [shape(128, 32, 3), shape(128, 64, 3)],
  // Several n and kinds of kernel at one m; a step that is no power of two.
  [16, 32, 64, 128].flatMap((m) => [shape(m, 32), shape(m, 48), shape(m, 64, 3), shape(m, 64, 3, 2)]),
];

const result = {
  count,
  seed: firstSeed,
  plans: 0,
  withPartials: 0,
  withSeveralShapes: 0,
  sequences: 0,
  tokens: 0,
  faults: 0,
  different: 0,
};
const host = hasCompiler ? new HostPlanner() : undefined;
const begin = Date.now();

const report = (seed: number, what: string): void => {
  process.stderr.write(`seed ${seed}: ${what}\n`);
};

function proved(seed: number, c: Case): PlanTables {
  const { batch } = c.steps[0]!;
  const modes = seed % 8 === 0 ? packings : (['auto'] as const);
  let first: PlanTables | undefined;
  for (const packing of modes) {
    const { tables } = makePlan(batch, c.costs, { packing, invariantSpan: packing === 'auto' ? c.span : 0 });
    first ??= tables;
    result.plans++;
    if (tables.slots > 0) result.withPartials++;
    if (tables.shapes.length > 1) result.withSeveralShapes++;
    for (const fault of coverageFaults(batch, tables)) {
      result.faults++;
      report(seed, `${packing}: ${fault.message}`);
    }
  }
  return first!;
}

const same = (a: Int32Array, b: Int32Array): boolean =>
  a.length === b.length && a.every((x, i) => x === b[i]);

const equal = (a: PlanTables, b: PlanTables | undefined): boolean =>
  b !== undefined &&
  a.slots === b.slots &&
  same(a.packs, b.packs) &&
  same(a.packSequences, b.packSequences) &&
  same(a.packSlots, b.packSlots) &&
  same(a.entries, b.entries) &&
  same(a.merges, b.merges) &&
  JSON.stringify(a.shapes) === JSON.stringify(b.shapes);

for (let at = 0; at < count; at += 500) {
  const seeds = Array.from({ length: Math.min(500, count - at) }, (_, i) => firstSeed + at + i);
  const cases = seeds.map((seed): Case => {
    const { input, heads } = generateForest(seed, seed % 50 === 0 ? 400 : 40);
    const batch = makeBatch(input, heads);
    result.sequences += batch.lengths.length;
    result.tokens += batch.lengths.reduce((a, b) => a + b, 0);
    const units = [1, 16, 108, 132][seed % 4]!;
    const costs = planCosts(
      figuresOf(seed % 3 === 0 ? 'wgsl' : 'cuda'),
      units,
      tileSets[seed % tileSets.length]!,
      heads,
    );
    return { costs, span: seed % 4 === 1 ? 256 : 0, steps: [{ batch, repair: false }] };
  });
  const tables = cases.map((c, i) => proved(seeds[i]!, c));
  host?.run(cases).forEach((outcome, i) => {
    if (equal(tables[i]!, outcome[0]!.tables)) return;
    result.different++;
    report(seeds[i]!, 'the C++ planner makes other tables');
  });
  if ((at + 500) % 10_000 === 0) process.stderr.write(`${at + 500} forests\n`);
}
host?.close();
const document = {
  ...result,
  host: hasCompiler,
  seconds: Math.round((Date.now() - begin) / 1000),
  node: process.version,
};
const text = JSON.stringify(document, null, 2);
if (values.out) writeFileSync(values.out, `${text}\n`);
process.stdout.write(`${text}\n`);
process.exitCode = result.faults + result.different > 0 ? 1 : 0;
