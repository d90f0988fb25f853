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
import { PackList } from './packlist.ts';
import { packNodes, packPaper, packSingles } from './packers/baselines.ts';
import { PathPacker, tileFor, type Choice } from './packers/path.ts';
import { measure, type Work } from './packers/work.ts';
import { assignTiles, buildTables, type PlanTables } from './tables.ts';

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
  readonly work: Work;
  readonly tables: PlanTables;
  /** What `auto` chose. */
  readonly choice?: Choice;
}

export function parsePacking(text: string): Packing {
  const found = packings.find((p) => p === text);
  return found ?? fail('PAT0508', `packing '${text}': expected one of ${packings.join(', ')}`);
}

export function makePlan(batch: Batch, costs: PlanCosts, options: PlanOptions = {}): Plan {
  const packing = options.packing ?? 'auto';
  const span = options.invariantSpan ?? 0;
  const built = buildForest(batch);
  if (span > 0) return invariantPlan(batch, costs, built, span);
  const work = measure(batch, built);
  const list = new PackList();
  const choice = pack(work, costs, packing, list);
  return { batch, packing, costs, forest: built, work, ...finish(work, costs, list, choice) };
}

function pack(work: Work, costs: PlanCosts, packing: Packing, out: PackList): Choice | undefined {
  if (packing === 'pat') packPaper(work, costs, out);
  else if (packing === 'node') packNodes(work, costs, out);
  else if (packing === 'none') packSingles(work, costs, out);
  else if (work.length.length > 0) {
    const packer = new PathPacker(work, costs);
    const choice = packer.choose();
    packer.write(choice, 0, out);
    return choice;
  }
  return undefined;
}

/** Sharing is rounded down to whole steps of one n, which every tile then has. */
function invariantPlan(batch: Batch, all: PlanCosts, forest: Forest, wanted: number): Plan {
  const tilesWith = (n: number) => all.tiles.filter((t) => t.n === n).length;
  const n = all.tiles.reduce((best, t) => (tilesWith(t.n) >= tilesWith(best) ? t.n : best), all.tiles[0]!.n);
  const costs = { ...all, tiles: all.tiles.filter((t) => t.n === n) };
  const step = leastCommon(n, batch.page);
  const span = Math.ceil(wanted / step) * step;
  const lcp = forest.lcp.map((x) => Math.floor(x / n) * n);
  const floored = { order: forest.order, lcp };
  const work = measure(batch, floored);
  const list = new PackList();
  const packer = new PathPacker(work, costs);
  const choice = packer.choose(false);
  packer.write(choice, span, list);
  return { batch, packing: 'auto', costs, forest: floored, work, ...finish(work, costs, list, choice) };
}

function finish(work: Work, costs: PlanCosts, list: PackList, choice: Choice | undefined) {
  const n = work.length.length;
  const mean = n === 0 ? 0 : Math.floor(work.before[n]! / n);
  const { group, batch } = work;
  const tileOf = assignTiles(list, costs, group, batch.kvHeads, (rows) => tileFor(costs, 1, rows, mean));
  return { tables: buildTables(list, costs, tileOf, n), ...(choice ? { choice } : {}) };
}

function leastCommon(a: number, b: number): number {
  let [x, y] = [a, b];
  while (y > 0) [x, y] = [y, x % y];
  return (a / x) * b;
}

/** Tiles to plan with where no device says what it compiles: the paper's row tiles. */
export const defaultTiles: readonly TileShape[] = [16, 32, 64, 128].map((m) => ({ m, n: 64, stages: 2 }));

export const defaultCosts = (batch: Batch, family: 'cuda' | 'wgsl' | 'cpu' = 'cuda'): PlanCosts =>
  planCosts(figuresOf(family), figuresOf(family).units, defaultTiles, batch);
