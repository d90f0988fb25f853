/**
 * Plans across decode steps. Between two steps lengths grow by one, now and then a page is appended, sequences arrive and
 * leave. A step that changes lengths inside last pages only patches the ends of private entries, because decisions see whole
 * pages; where pages are added behind what sequences share, the forest stays as it is; anything else is planned anew. In any case
 * the tables equal those of a fresh plan, and a patch keeps the arrays.
 */
import type { Batch } from './batch.ts';
import type { PlanCosts } from './cost.ts';
import type { Forest } from './forest.ts';
import { entryInts } from './packlist.ts';
import { fewSequences } from './packers/candidate.ts';
import { makePlan, type Plan, type PlanOptions } from './plan.ts';
import { packInts, packRows } from './tables.ts';

interface Remembered {
  plan: Plan;
  /** [sequences] the entry with the sequence's private tail, -1 where it has none. */
  readonly tail: Int32Array;
  /** [sequences] lengths above `low` up to `high` change nothing but the end of the tail. */
  readonly low: Int32Array;
  readonly high: Int32Array;
}

export class Planner {
  private readonly costs: PlanCosts;
  private readonly options: PlanOptions;
  private last: Remembered | undefined;

  constructor(costs: PlanCosts, options: PlanOptions = {}) {
    this.costs = costs;
    this.options = options;
  }

  plan(batch: Batch): Plan {
    return this.planWith(batch);
  }

  /** `batch`: the last one at other lengths, page lists unchanged or appended to, or one with other sequences. */
  repair(batch: Batch): { plan: Plan; repaired: boolean } {
    return this.patchOrPlan(batch);
  }

  /**
   * A decode step: the same sequences in the same order, page lists unchanged or appended to by pages that nobody else has. As
   * `repair`, but where pages were added, what is shared is taken from the plan before; page lists are not compared again, so the
   * promise must hold.
   */
  grow(batch: Batch): { plan: Plan; result: 'repaired' | 'grown' | 'planned' } {
    const { last } = this;
    if (!last || !keepsForest(last.plan, batch)) return { plan: this.plan(batch), result: 'planned' };
    const { plan, repaired } = this.patchOrPlan(batch, last.plan.exact);
    return { plan, result: repaired ? 'repaired' : 'grown' };
  }

  private patchOrPlan(batch: Batch, known?: Forest): { plan: Plan; repaired: boolean } {
    const { last } = this;
    if (!last || !patch(last, batch)) return { plan: this.planWith(batch, known), repaired: false };
    last.plan = { ...last.plan, batch };
    return { plan: last.plan, repaired: true };
  }

  private planWith(batch: Batch, known?: Forest): Plan {
    const plan = makePlan(batch, this.costs, this.options, known);
    this.last = remember(plan);
    return plan;
  }
}

function remember(plan: Plan): Remembered {
  const { batch, tables } = plan;
  const { lengths, page } = batch;
  const { order, lcp } = plan.exact;
  const n = lengths.length;
  const tail = new Int32Array(n).fill(-1);
  for (let p = 0; p < packRows(tables); p++) {
    const row = p * packInts;
    for (let e = tables.packs[row + 2]!; e < tables.packs[row + 3]!; e++) {
      const at = e * entryInts;
      if (tables.entries[at + 4] !== 1) continue;
      const s = tables.packSequences[tables.packs[row]! + tables.entries[at + 3]!]!;
      if (tables.entries[at + 2] === lengths[s]) tail[s] = e;
    }
  }
  const low = new Int32Array(n);
  const high = new Int32Array(n);
  for (let i = 0; i < n; i++) {
    const s = order[i]!;
    const length = lengths[s]!;
    // Tokens that are its own in the whole forest: its end is no one else's node boundary.
    const shared = Math.max(lcp[i]!, i + 1 < n ? lcp[i + 1]! : 0);
    const own = length > shared && tail[s] !== -1;
    const pages = Math.ceil(length / page) * page;
    high[s] = own ? pages : length;
    low[s] = own ? Math.max(pages - page, shared) : length - 1;
  }
  return { plan, tail, low, high };
}

const sameShape = (a: Batch, b: Batch): boolean =>
  a.lengths.length === b.lengths.length &&
  a.page === b.page &&
  a.qHeads === b.qHeads &&
  a.kvHeads === b.kvHeads;

/**
 * Whether the forest stays as it is while sequences grow: those that do parted from every other before their ends. A few sequences are
 * planned in several orders, which depend on lengths.
 */
function keepsForest({ batch: before, exact: { order, lcp } }: Plan, batch: Batch): boolean {
  const n = order.length;
  if (!sameShape(before, batch) || n <= fewSequences) return false;
  for (let i = 0; i < n; i++) {
    const s = order[i]!;
    const old = before.lengths[s]!;
    const now = batch.lengths[s]!;
    if (now === old) continue;
    const shared = Math.max(lcp[i]!, i + 1 < n ? lcp[i + 1]! : 0);
    if (now < old || old <= shared) return false;
  }
  return true;
}

function patch({ plan, tail, low, high }: Remembered, batch: Batch): boolean {
  const { lengths, tableBegin } = batch;
  if (!sameShape(batch, plan.batch)) return false;
  const begins = plan.batch.tableBegin;
  for (let s = 0; s < lengths.length; s++) if (tableBegin[s] !== begins[s]) return false;
  for (let s = 0; s < lengths.length; s++)
    if (!(lengths[s]! > low[s]! && lengths[s]! <= high[s]!)) return false;
  const { entries } = plan.tables;
  for (let s = 0; s < lengths.length; s++) if (tail[s]! >= 0) entries[tail[s]! * entryInts + 2] = lengths[s]!;
  return true;
}
