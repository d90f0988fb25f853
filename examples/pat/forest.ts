/**
 * The prefix forest of a batch, as two arrays: the sequences in depth-first order, and for each the tokens it shares with
 * the one before it. A node of the forest is a run of sequences whose shared lengths stay at or above some depth; what
 * sequences b..e-1 read together is `lcp`-arithmetic (see packers/), so the nodes themselves are only built for display
 * and for the packings of the paper.
 *
 * Built run by run: the sequences of a run share a depth and the page after it, and each is compared with the first of them up to
 * where it leaves that one's path. Those that end on the path come in order of their depth, then those that leave it, the deepest
 * first; sequences that leave at one depth with the same page are a run in turn. Ends are token-granular: a sequence may end inside
 * another's path and inside a page. Branches keep the order of their first sequence, so the result depends on the batch alone,
 * never on hashing. Time O(pages compared + sequences): pages after a sequence has left every other are never read.
 */
import type { Batch } from './batch.ts';
import { pagesIn } from './packers/round.ts';
import { PageLists } from './page-lists.ts';

export interface Forest {
  /** [sequences] sequence ids in depth-first order. */
  readonly order: Int32Array;
  /** [sequences] tokens shared with the sequence before it in `order`; 0 at the first. */
  readonly lcp: Int32Array;
}

const none = -1;

/** Depths and members of a run as one number, depth * `members` + member, exact in a double. */
const members = 0x400000;
const mostTokens = 1 << 30;

/** `sequences`: the order in which sequences are taken, which orders siblings; default as they come. */
export function buildForest(batch: Batch, sequences?: Int32Array): Forest {
  const n = batch.lengths.length;
  const order = new Int32Array(n);
  if (sequences) order.set(sequences);
  else for (let i = 0; i < n; i++) order[i] = i;
  const forest = { order, lcp: new Int32Array(n) };
  if (n < 2) return forest;
  if (!kept || kept.capacity < n) kept = new Splitter(n);
  kept.split(batch, forest);
  return forest;
}

/** Its memory, for the next forest of as many sequences. */
let kept: Splitter | undefined;

/** Splits runs until every run is one sequence. What it keeps is of one run at a time. */
class Splitter {
  readonly capacity: number;
  /** Runs still to split: begin and end in `order`, shared depth. */
  private readonly runs: number[] = [];
  /** [pathSize] who ends on the path of the run's first: depth * `members` + member. */
  private readonly path: Float64Array;
  private pathSize = 0;
  /** [run] the branch in which each member leaves the path, `none` where it ends on it. */
  private readonly branch: Int32Array;
  /** [branches] depth, page, how many, and then where in `order` the next one goes. */
  private readonly branchDepth: Int32Array;
  private readonly branchKey: Int32Array;
  private readonly branchAt: Int32Array;
  private branches = 0;
  /** Whether all branches have one depth. */
  private level = true;
  /** A hash table of branches, counted from 1. */
  private readonly slots: Int32Array;
  private mask = 0;
  private readonly moved: Int32Array;

  constructor(n: number) {
    const column = () => new Int32Array(n);
    this.capacity = n;
    this.path = new Float64Array(n);
    this.branch = column();
    this.branchDepth = column();
    this.branchKey = column();
    this.branchAt = column();
    this.moved = column();
    this.slots = new Int32Array(tableSize(n));
  }

  split(batch: Batch, forest: Forest): void {
    const { runs } = this;
    const lists = new PageLists(batch.pages);
    runs.length = 0;
    runs.push(0, forest.order.length, 0);
    while (runs.length > 0) {
      const depth = runs.pop()!;
      const end = runs.pop()!;
      const begin = runs.pop()!;
      this.leave(batch, lists, forest.order, begin, end, depth);
      this.place(forest, begin, end);
    }
  }

  /** Where each member leaves the first one's path. */
  private leave(
    batch: Batch,
    lists: PageLists,
    order: Int32Array,
    begin: number,
    end: number,
    shared: number,
  ): void {
    this.forget(end - begin);
    const { path, branch } = this;
    const { page, pages, lengths, tableBegin } = batch;
    const start = pagesIn(shared, page);
    const first = order[begin]!;
    const table = tableBegin[first]!;
    const length = lengths[first]!;
    let ends = 1;
    path[0] = length * members;
    // Four are followed together as far as they go.
    let equal = start;
    for (let k = 1; k < end - begin; k++) {
      if ((k & 3) === 1)
        equal = begin + k + 4 <= end ? together(batch, lists, order, begin + k, first, start) : start;
      const s = order[begin + k]!;
      const mine = tableBegin[s]!;
      const own = lengths[s]!;
      const stop = own < length ? own : length;
      const last = pagesIn(stop + page - 1, page);
      const at = lists.mismatch(mine, table, equal, last);
      const left = at < last ? at * page : stop;
      if (left < own) branch[k] = this.branchOf(left, pages[mine + (at < last ? at : pagesIn(left, page))]!);
      else {
        branch[k] = none;
        path[ends++] = left * members + k;
      }
    }
    this.pathSize = ends;
  }

  /** No branches yet of a run of so many. */
  private forget(size: number): void {
    const room = tableSize(size);
    this.mask = room - 1;
    this.slots.fill(0, 0, room);
    this.branches = 0;
    this.level = true;
  }

  /** Adds a member to the branch of those that leave at one depth with the same page, in the order of their first. */
  private branchOf(depth: number, page: number): number {
    const { branchDepth, branchKey, branchAt, slots, mask } = this;
    let slot = Math.imul(page ^ depth, 0x9e3779b1);
    slot = (slot ^ (slot >>> 15)) & mask;
    let own = slots[slot]! - 1;
    while (own !== none && (branchKey[own] !== page || branchDepth[own] !== depth)) {
      slot = (slot + 1) & mask;
      own = slots[slot]! - 1;
    }
    if (own === none) {
      own = this.branches++;
      slots[slot] = this.branches;
      branchDepth[own] = depth;
      branchKey[own] = page;
      branchAt[own] = 0;
      if (depth !== branchDepth[0]) this.level = false;
    }
    branchAt[own] = branchAt[own]! + 1;
    return own;
  }

  private place({ order, lcp }: Forest, begin: number, end: number): void {
    const { path, pathSize, branch, branchDepth, branchAt, branches, moved, runs } = this;
    const size = end - begin;
    if (branches === size - 1 && this.level) {
      // Everyone goes their own way from one token on: already in order.
      lcp.fill(branchDepth[0]!, begin + 1, end);
      return;
    }
    for (let k = 0; k < size; k++) moved[k] = order[begin + k]!;
    if (pathSize > 1) path.subarray(0, pathSize).sort();
    for (let i = 0; i < pathSize; i++) {
      order[begin + i] = moved[path[i]! % members]!;
      if (i > 0) lcp[begin + i] = Math.floor(path[i - 1]! / members);
    }
    const sorted = this.level ? undefined : this.deepestFirst();
    let at = begin + pathSize;
    for (let i = 0; i < branches; i++) {
      const b = sorted ? sorted[i]! % members : i;
      const count = branchAt[b]!;
      lcp[at] = branchDepth[b]!;
      branchAt[b] = at;
      if (count > 1) runs.push(at, at + count, branchDepth[b]!);
      at += count;
    }
    for (let k = 1; k < size; k++) {
      const b = branch[k]!;
      if (b === none) continue;
      const to = branchAt[b]!;
      order[to] = moved[k]!;
      branchAt[b] = to + 1;
    }
  }

  /** Branches as (most tokens - depth) * `members` + branch. Who ends on the path is placed by now, so `path` is free. */
  private deepestFirst(): Float64Array {
    const { path, branches, branchDepth } = this;
    for (let b = 0; b < branches; b++) path[b] = (mostTokens - branchDepth[b]!) * members + b;
    return path.subarray(0, branches).sort();
  }
}

/** A page from `start` on up to which the four sequences from `at` on in `order` do not leave the path of `first`. */
function together(
  { page, lengths, tableBegin }: Batch,
  lists: PageLists,
  order: Int32Array,
  at: number,
  first: number,
  start: number,
): number {
  const a = order[at]!;
  const b = order[at + 1]!;
  const c = order[at + 2]!;
  const d = order[at + 3]!;
  const shortest = Math.min(lengths[first]!, lengths[a]!, lengths[b]!, lengths[c]!, lengths[d]!);
  return lists.common(
    tableBegin[first]!,
    tableBegin[a]!,
    tableBegin[b]!,
    tableBegin[c]!,
    tableBegin[d]!,
    start,
    pagesIn(shortest, page),
  );
}

/** A power of two, at least twice as many. */
const tableSize = (n: number): number => 1 << (32 - Math.clz32(2 * n - 1));
