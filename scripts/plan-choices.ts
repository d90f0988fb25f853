/**
 * What the planner would choose today for the paper's 80 cases, in plans that have been measured:
 *   node scripts/plan-choices.ts [bench/results/cuda-h100-plans.json] [--all]
 * For each target the cases whose plan (shape, blocks, partial slots) is on record, how far its median time is behind the best plan on
 * record, and the cases that are 3 % behind or not on record; `--all` lists every case. Needs no GPU.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { findSuite } from '../bench/suites.ts';
import { median } from '../backends/cuda/runtime/stream.ts';
import { Lowering } from '../compiler/cli/lowering.ts';
import { findTarget } from '../compiler/target.ts';
import { figuresOf, planCosts, tileShape, variantOf } from '../examples/pat/cost.ts';
import { forward, loadWorkload } from '../examples/pat/index.ts';
import { makePlan } from '../examples/pat/plan.ts';
import { predict } from '../examples/pat/predict.ts';

interface Row {
  readonly tree: string;
  readonly heads: string;
  /** m x n x stages x producers x wgmma. */
  readonly tile: string;
  readonly blocks: number;
  readonly slots: number;
  readonly graphUs: number;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { all: { type: 'boolean', default: false } },
});
const file = positionals[0] ?? new URL('../bench/results/cuda-h100-plans.json', import.meta.url);
const { rows } = JSON.parse(readFileSync(file, 'utf8')) as { rows: Row[] };

/** Shape as the planner tells kernels apart: stages are not among it. */
function shapeOf(tile: string): string {
  const [m, n, , producers, wgmma] = tile.split('x').map(Number) as [number, number, number, number, number];
  return `${m}x${n}/${variantOf({ producers, wgmma })}`;
}

const figures = figuresOf('cuda');
for (const name of ['cuda:sm_90a', 'cuda:sm_80']) {
  const lowering = new Lowering(findTarget(name)!);
  const regret: number[] = [];
  const lines: string[] = [];
  for (const c of findSuite('fig10')!.cases) {
    const [q, kv] = c.heads.split('/').map(Number) as [number, number];
    const spec = { headDim: c.headDim, group: q / kv, kvHeads: kv, page: c.page, dtype: c.dtype };
    const tiles = lowering.feasible(forward, spec).filter((t) => t['m']! >= q / kv);
    const shapes = new Set(tiles.map((t) => `${t['m']}x${t['n']}/${variantOf(t)}`));
    const known = rows.filter((r) => r.tree === c.tree && r.heads === c.heads && shapes.has(shapeOf(r.tile)));
    const best = known.reduce((a, b) => (b.graphUs < a.graphUs ? b : a));
    const plan = makePlan(
      loadWorkload(c.tree, c),
      planCosts(figures, figures.units, tiles.map(tileShape), loadWorkload(c.tree, c)),
    );
    const { slots, shapes: used } = plan.tables;
    const blocks = used.reduce((sum, s) => sum + s.packCount, 0) * kv;
    const shape = used.map(({ tile: { m, n, variant = 0 } }) => `${m}x${n}/${variant}`).join(' + ');
    const same = known.filter((r) => shapeOf(r.tile) === shape && r.blocks === blocks && r.slots === slots);
    const us = same.length > 0 ? median(same.map((r) => r.graphUs)) : undefined;
    const behind = us && us / best.graphUs;
    if (behind) regret.push(behind);
    const chosen = `${shape}, ${blocks} blocks, ${slots} slots: ${us ? `${us.toFixed(1)} us` : 'not measured'}, predicted ${(predict(plan).time / 1e6).toFixed(1)}`;
    if (values.all || !behind || behind > 1.03)
      lines.push(
        `  ${behind?.toFixed(3) ?? '  ?  '}  ${c.tree} ${c.heads}: ${chosen}; best ${best.tile}, ${best.blocks} blocks: ${best.graphUs.toFixed(1)} us`,
      );
  }
  const mean = Math.exp(regret.reduce((sum, x) => sum + Math.log(x), 0) / regret.length);
  console.log(
    `${name}: ${regret.length} of 80 plans have been measured; ${((mean - 1) * 100).toFixed(1)} % behind the best on record`,
  );
  for (const line of lines.sort().reverse()) console.log(line);
}
