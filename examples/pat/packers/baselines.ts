/**
 * The packings that path packs are compared with. `pat` follows the PAT paper (arXiv 2511.22333, section 5.1): Algorithm 1
 * with its rule 4 * s > l, at most 64 query rows per pack, long packs cut by the batch mean, tiles by its selector. `node`
 * makes a pack of every forest node (the paper's PAT-naive); `none` gives every sequence its own pack (one query per block).
 */
import type { PlanCosts } from '../cost.ts';
import type { PackList } from '../packlist.ts';
import { forestNodes, type ForestNode } from './nodes.ts';
import type { Work } from './work.ts';

/** The paper's largest row tile. */
const paperRows = 64;

interface Task {
  /** Positions in depth-first order. */
  readonly rows: readonly number[];
  readonly from: number;
  readonly to: number;
}

export function packPaper(w: Work, costs: PlanCosts, out: PackList): void {
  const nodes = forestNodes(w.batch, w.forest);
  const cap = Math.max(1, Math.floor(Math.min(paperRows, costs.tiles.at(-1)!.m) / w.group));
  writeTasks(w, costs, out, splitRows(treeHeuristic(nodes), cap), paperTile);
}

export function packNodes(w: Work, costs: PlanCosts, out: PackList): void {
  const tasks = forestNodes(w.batch, w.forest).map((n) => ({
    rows: range(n.begin, n.end),
    from: n.from,
    to: n.to,
  }));
  writeTasks(w, costs, out, splitRows(tasks, Math.floor(costs.tiles.at(-1)!.m / w.group)));
}

export function packSingles(w: Work, costs: PlanCosts, out: PackList): void {
  const tasks: Task[] = [];
  w.length.forEach((_, i) => {
    const to = w.batch.lengths[w.forest.order[i]!]!;
    if (to > 0) tasks.push({ rows: [i], from: 0, to });
  });
  writeTasks(w, costs, out, tasks);
}

const range = (begin: number, end: number): number[] =>
  Array.from({ length: end - begin }, (_, i) => begin + i);

/**
 * Algorithm 1 (TreeHeuristic), walked without recursion: a child c of node u whose 4 * s_c exceeds l_u carries u's tokens
 * and takes its queries away from u; otherwise it starts afresh. What is left of u's queries is packed with u's tokens.
 */
function treeHeuristic(nodes: readonly ForestNode[]): Task[] {
  const carriedFrom = nodes.map((n) => n.from);
  const taken: [number, number][][] = nodes.map(() => []);
  nodes.forEach((c, i) => {
    if (c.parent < 0) return;
    const u = nodes[c.parent]!;
    if (4 * (c.end - c.begin) <= u.to - u.from) return;
    carriedFrom[i] = carriedFrom[c.parent]!;
    taken[c.parent]!.push([c.begin, c.end]);
  });
  const tasks: Task[] = [];
  nodes.forEach((n, i) => {
    const rows: number[] = [];
    let at = n.begin;
    for (const [begin, end] of [...taken[i]!, [n.end, n.end] as const]) {
      rows.push(...range(at, begin));
      at = end;
    }
    if (rows.length > 0) tasks.push({ rows, from: carriedFrom[i]!, to: n.to });
  });
  return tasks;
}

function splitRows(tasks: readonly Task[], cap: number): Task[] {
  return tasks.flatMap((t) => {
    const parts: Task[] = [];
    for (let at = 0; at < t.rows.length; at += cap) parts.push({ ...t, rows: t.rows.slice(at, at + cap) });
    return parts;
  });
}

/** The paper's selector: the smallest m, and n by the length of the pack. */
function paperTile(costs: PlanCosts, rows: number, tokens: number): number {
  const { tiles } = costs;
  const m = tiles.find((t) => t.m >= rows)!.m;
  const wanted = tokens < 32 ? 16 : tokens < 64 ? 32 : tokens < 128 ? 64 : 128;
  let best = -1;
  tiles.forEach((t, i) => {
    if (t.m === m && (best < 0 || t.n <= wanted)) best = i;
  });
  return best;
}

/** Packs whose tokens exceed the batch mean are cut into equal parts, while packs are too few to fill the machine twice. */
function writeTasks(
  w: Work,
  costs: PlanCosts,
  out: PackList,
  tasks: readonly Task[],
  tileOf?: (costs: PlanCosts, rows: number, tokens: number) => number,
): void {
  const { order } = w.forest;
  const { page, tableBegin } = w.batch;
  const up = (x: number) => Math.ceil(x / page) * page;
  const size = (t: Task) => up(t.to) - up(t.from);
  const total = tasks.reduce((sum, t) => sum + size(t), 0);
  const fill = Math.ceil((total * w.batch.kvHeads) / (2 * costs.units));
  const mean = Math.max(w.align, Math.min(fill, Math.floor(total / Math.max(1, tasks.length))));
  const few = tasks.length * w.batch.kvHeads < 2 * costs.units;
  for (const t of tasks) {
    const pieces = few ? Math.max(1, Math.ceil(size(t) / mean)) : 1;
    const step = Math.ceil(size(t) / pieces / w.align) * w.align;
    for (let from = t.from; from < t.to;) {
      const to = pieces === 1 ? t.to : Math.min(t.to, Math.floor(up(from) / w.align) * w.align + step);
      for (const row of t.rows) out.sequences.push(order[row]!);
      out.entry(tableBegin[order[t.rows[0]!]!]!, from, to, 0, t.rows.length);
      const tokens = up(to) - up(from);
      out.close(tokens, tokens * t.rows.length, 0, tileOf?.(costs, t.rows.length * w.group, tokens) ?? -1);
      from = to;
    }
  }
  packEmpty(w, costs, out);
}

/** Sequences of length 0 still get a row, which writes zeros. */
function packEmpty(w: Work, costs: PlanCosts, out: PackList): void {
  const cap = Math.floor(costs.tiles.at(-1)!.m / w.group);
  let rows = 0;
  w.length.forEach((_, i) => {
    const sequence = w.forest.order[i]!;
    if (w.batch.lengths[sequence] !== 0) return;
    out.sequences.push(sequence);
    if (++rows % cap === 0) out.close(0, 0);
  });
  if (rows % cap !== 0) out.close(0, 0);
}
