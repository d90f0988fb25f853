/**
 * From a batch to plan tables:
 *
 *   forest    sequences in depth-first order and what neighbours share      forest.ts
 *   work      the token arithmetic that packers decide on                   packers/work.ts
 *   pack      runs of sequences into packs, cut where the machine is empty  packers/
 *   tiles     a tile shape for every pack                                   tables.ts
 *   tables    sorted, with partial slots and merges                         tables.ts
 *
 * Deterministic: integers only, and no order that depends on hashing. Decisions see lengths in whole pages, so a plan changes
 * only in the last tokens of its private entries until a page is added.
 */
import { fail } from '../../compiler/diagnostics/error.ts';
import type { Batch } from './batch.ts';
import { figuresOf, planCosts, type PlanCosts, type TileShape } from './cost.ts';
import { buildForest, type Forest } from './forest.ts';
import { lanesOf } from './lanes.ts';
import { PackList } from './packlist.ts';
import { packNodes, packPaper, packSingles } from './packers/baselines.ts';
import { fewSequences, type Choice } from './packers/candidate.ts';
import { PathPacker } from './packers/path.ts';
import { assignTiles } from './packers/tiles.ts';
import { measure, type Work } from './packers/work.ts';
import { buildTables, type PlanTables } from './tables.ts';

export const packings = ['auto', 'pat', 'node', 'none'] as const;
export type Packing = (typeof packings)[number];

export interface PlanOptions {
  readonly packing?: Packing;
  /**
   * Batch-invariant: every sequence is cut at multiples of this many tokens and read in steps that start at multiples of n,
   * so its reduction order does not depend on its neighbours. 0 (default): off.
   */
  readonly invariantSpan?: number;
}

export interface Plan {
  readonly batch: Batch;
  readonly packing: Packing;
  readonly costs: PlanCosts;
  readonly forest: Forest;
  /** The forest before batch-invariant mode rounds shared lengths down; else the same. */
  readonly exact: Forest;
  readonly work: Work;
  readonly tables: PlanTables;
  /** What `auto` chose. */
  readonly choice?: Choice;
}

export function parsePacking(text: string): Packing {
  const found = packings.find((p) => p === text);
  return found ?? fail('PAT0508', `packing '${text}': expected one of ${packings.join(', ')}`);
}

/** `known`: the batch's forest, where a step before had the same. */
export function makePlan(batch: Batch, costs: PlanCosts, options: PlanOptions = {}, known?: Forest): Plan {
  const packing = options.packing ?? 'auto';
  const span = options.invariantSpan ?? 0;
  if (span > 0 && batch.lengths.length > 0) return invariantPlan(batch, costs, span, known);
  const list = clearedList();
  if (packing === 'auto' && batch.lengths.length > 0) {
    const { packer, choice } = cheapest(batch, costs, known);
    packer.write(choice, 0, list);
    return {
      batch,
      packing,
      costs,
      forest: packer.work.forest,
      exact: packer.work.forest,
      work: packer.work,
      ...finish(packer.work, costs, list, choice),
    };
  }
  const forest = known ?? buildForest(batch);
  const work = measure(batch, forest);
  if (packing === 'pat') packPaper(work, costs, list);
  else if (packing === 'node') packNodes(work, costs, list);
  else packSingles(work, costs, list);
  return { batch, packing, costs, forest, exact: forest, work, ...finish(work, costs, list) };
}

/**
 * Siblings as they come; for a few sequences also shortest first, longest first, and short and long in turn, where packs come
 * out more even.
 */
function cheapest(batch: Batch, costs: PlanCosts, known?: Forest): { packer: PathPacker; choice: Choice } {
  const packer = new PathPacker(measure(batch, known ?? buildForest(batch)), costs);
  let best = { packer, choice: packer.choose() };
  const n = batch.lengths.length;
  // Two sequences are neighbours in any order.
  if (n > fewSequences || n <= 2) return best;
  const pages = (s: number) => Math.ceil(batch.lengths[s]! / batch.page);
  const rising = Int32Array.from({ length: n }, (_, s) => s).sort((a, b) => pages(a) - pages(b) || a - b);
  const folded = rising.map((_, i) => rising[i % 2 === 0 ? i >> 1 : n - 1 - (i >> 1)]!);
  // Orders gain little where a plan is near what none can be faster than; and there is more to search for more sequences.
  const near = n > 5 ? 8 : 32;
  for (const order of [rising, rising.toReversed(), folded]) {
    if (packer.lowest >= best.choice.time - Math.floor(best.choice.time / near)) break;
    const other = new PathPacker(measure(batch, buildForest(batch, order)), costs);
    const choice = other.choose(true, best.choice);
    if (choice.time < best.choice.time) best = { packer: other, choice };
  }
  return best;
}

/** Sharing is rounded down to whole steps of one n, which every tile then has. */
function invariantPlan(batch: Batch, all: PlanCosts, wanted: number, known?: Forest): Plan {
  const forest = known ?? buildForest(batch);
  // Lanes would put neighbours into one step.
  const tiles = all.tiles.filter((t) => lanesOf(t.n, batch.page) === 1);
  if (tiles.length === 0)
    fail(
      'PAT0306',
      `batch-invariant plans need a tile shape that reads one entry a step; at pages of ${batch.page} tokens all of these read two (n = 32 reads one)`,
    );
  const tilesWith = (n: number) => tiles.filter((t) => t.n === n).length;
  const n = tiles.reduce((best, t) => (tilesWith(t.n) >= tilesWith(best) ? t.n : best), tiles[0]!.n);
  const costs = { ...all, tiles: tiles.filter((t) => t.n === n) };
  const step = leastCommon(n, batch.page);
  const span = Math.ceil(wanted / step) * step;
  const lcp = forest.lcp.map((x) => Math.floor(x / n) * n);
  const floored = { order: forest.order, lcp };
  const work = measure(batch, floored);
  const list = clearedList();
  const packer = new PathPacker(work, costs);
  const choice = packer.choose(false);
  packer.write(choice, span, list);
  return {
    batch,
    packing: 'auto',
    costs,
    forest: floored,
    exact: forest,
    work,
    ...finish(work, costs, list, choice),
  };
}

function finish(work: Work, costs: PlanCosts, list: PackList, choice?: Choice) {
  const tables = buildTables(list, costs, assignTiles(list, costs, work, choice), work);
  return { tables, ...(choice ? { choice } : {}) };
}

function leastCommon(a: number, b: number): number {
  let [x, y] = [a, b];
  while (y > 0) [x, y] = [y, x % y];
  return (a / x) * b;
}

/** Packs of the plan in the making; tables hold copies. */
const packList = new PackList();

function clearedList(): PackList {
  packList.clear();
  return packList;
}

/** Tiles to plan with where no device says what it compiles: the paper's row tiles. */
export const defaultTiles: readonly TileShape[] = [16, 32, 64, 128].flatMap((m) =>
  [32, 64].map((n) => ({ m, n, stages: 2 })),
);

export const defaultCosts = (batch: Batch, family: 'cuda' | 'wgsl' | 'cpu' = 'cuda'): PlanCosts =>
  planCosts(figuresOf(family), figuresOf(family).units, defaultTiles, batch);
