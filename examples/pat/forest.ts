/**
 * The prefix forest of a batch, as two arrays: the sequences in depth-first order, and for each the tokens it shares with
 * the one before it. A node of the forest is a run of sequences whose shared lengths stay at or above some depth; what
 * sequences b..e-1 read together is `lcp`-arithmetic (see packers/), so the nodes themselves are only built for display
 * and for the packings of the paper.
 *
 * Built as a compressed trie over page ids with token-granular ends: a sequence may end inside another's path and inside a
 * page. Children keep the order of their first sequence, so the result depends on the batch alone, never on hashing.
 * Time O(pages compared + sequences): pages after a sequence has left every other are never read.
 */
import type { Batch } from './batch.ts';

export interface Forest {
  /** [sequences] sequence ids in depth-first order. */
  readonly order: Int32Array;
  /** [sequences] tokens shared with the sequence before it in `order`; 0 at the first. */
  readonly lcp: Int32Array;
}

const none = -1;

/** Trie nodes as parallel arrays; node 0 is the empty root. At most 2 nodes are added per sequence. */
class Trie {
  readonly from: Int32Array;
  readonly to: Int32Array;
  /** A sequence on whose table the node's pages are read. */
  readonly table: Int32Array;
  /** Page id at `from`: unique among siblings. */
  readonly key: Int32Array;
  readonly firstChild: Int32Array;
  readonly lastChild: Int32Array;
  readonly next: Int32Array;
  readonly previous: Int32Array;
  readonly parent: Int32Array;
  readonly firstEnd: Int32Array;
  readonly lastEnd: Int32Array;
  /** [sequences] the next sequence that ends at the same node. */
  readonly nextEnd: Int32Array;
  readonly slots: Int32Array;
  readonly mask: number;
  count = 1;

  constructor(sequences: number) {
    const n = 2 * sequences + 2;
    const column = (fill: number) => new Int32Array(n).fill(fill);
    this.from = new Int32Array(n);
    this.to = new Int32Array(n);
    this.table = new Int32Array(n);
    this.key = new Int32Array(n);
    this.firstChild = column(none);
    this.lastChild = column(none);
    this.next = column(none);
    this.previous = column(none);
    this.parent = column(none);
    this.firstEnd = column(none);
    this.lastEnd = column(none);
    this.nextEnd = new Int32Array(sequences).fill(none);
    let size = 16;
    while (size < n + n / 2) size *= 2;
    this.slots = new Int32Array(size).fill(none);
    this.mask = size - 1;
  }
}

/** `sequences`: the order in which sequences are taken, which orders siblings; default as they come. */
export function buildForest(batch: Batch, sequences?: Int32Array): Forest {
  const trie = new Trie(batch.lengths.length);
  for (let i = 0; i < batch.lengths.length; i++) insert(trie, batch, sequences ? sequences[i]! : i);
  return depthFirst(trie, batch.lengths.length);
}

function insert(t: Trie, batch: Batch, s: number): void {
  const { page, pages } = batch;
  const base = batch.tableBegin[s]!;
  const length = batch.lengths[s]!;
  let node = 0;
  let depth = 0;
  while (depth < length) {
    const index = (depth / page) | 0;
    const key = pages[base + index]!;
    // Most often the first child, a prompt that all share: no need to hash.
    let child = t.firstChild[node]!;
    if (child === none || t.key[child] !== key) {
      const slot = find(t, node, key);
      child = t.slots[slot]!;
      if (child === none) {
        const leaf = create(t, depth, length, base, key);
        append(t, node, leaf);
        t.slots[slot] = leaf;
        node = leaf;
        break;
      }
    }
    const to = t.to[child]!;
    const stop = Math.min(to, length);
    const last = Math.ceil(stop / page);
    const other = t.table[child]!;
    const i = mismatch(pages, base, other, index + 1, last);
    const matched = i < last ? i * page : stop;
    node = matched === to ? child : split(t, batch, find(t, node, key), child, matched);
    depth = matched;
  }
  const lastEnd = t.lastEnd[node]!;
  if (lastEnd === none) t.firstEnd[node] = s;
  else t.nextEnd[lastEnd] = s;
  t.lastEnd[node] = s;
}

/** The first i from `i` on where the lists at a and b differ, or `end`. Eight at a time: most runs are equal throughout. */
function mismatch(pages: Int32Array, a: number, b: number, i: number, end: number): number {
  while (i + 8 <= end) {
    const x = a + i;
    const y = b + i;
    const low =
      (pages[x]! ^ pages[y]!) |
      (pages[x + 1]! ^ pages[y + 1]!) |
      (pages[x + 2]! ^ pages[y + 2]!) |
      (pages[x + 3]! ^ pages[y + 3]!);
    const high =
      (pages[x + 4]! ^ pages[y + 4]!) |
      (pages[x + 5]! ^ pages[y + 5]!) |
      (pages[x + 6]! ^ pages[y + 6]!) |
      (pages[x + 7]! ^ pages[y + 7]!);
    if ((low | high) !== 0) break;
    i += 8;
  }
  while (i < end && pages[a + i] === pages[b + i]) i++;
  return i;
}

/** Where the child of `node` whose first page is `id` is, or belongs, in the hash slots. */
function find(t: Trie, node: number, id: number): number {
  let slot = (Math.imul(node, 0x9e3779b1) ^ Math.imul(id, 0x85ebca6b)) >>> 0;
  slot = (slot ^ (slot >>> 15)) & t.mask;
  for (;;) {
    const child = t.slots[slot]!;
    if (child === none) return slot;
    if (t.parent[child] === node && t.key[child] === id) return slot;
    slot = (slot + 1) & t.mask;
  }
}

function create(t: Trie, from: number, to: number, table: number, key: number): number {
  const node = t.count++;
  t.from[node] = from;
  t.to[node] = to;
  t.table[node] = table;
  t.key[node] = key;
  return node;
}

function append(t: Trie, parent: number, node: number): void {
  const last = t.lastChild[parent]!;
  t.parent[node] = parent;
  t.previous[node] = last;
  if (last === none) t.firstChild[parent] = node;
  else t.next[last] = node;
  t.lastChild[parent] = node;
}

/** Cuts `child` at `depth`: a new node takes its place (and hash slot) and has it as its only child. */
function split(t: Trie, batch: Batch, slot: number, child: number, depth: number): number {
  const top = create(t, t.from[child]!, depth, t.table[child]!, t.key[child]!);
  const parent = t.parent[child]!;
  const previous = t.previous[child]!;
  const next = t.next[child]!;
  t.parent[top] = parent;
  t.previous[top] = previous;
  t.next[top] = next;
  if (previous === none) t.firstChild[parent] = top;
  else t.next[previous] = top;
  if (next === none) t.lastChild[parent] = top;
  else t.previous[next] = top;
  t.slots[slot] = top;
  t.from[child] = depth;
  t.next[child] = none;
  append(t, top, child);
  const key = batch.pages[t.table[child]! + ((depth / batch.page) | 0)]!;
  t.key[child] = key;
  // `child` is not in the slots any more, so this finds a free one.
  t.slots[find(t, top, key)] = child;
  return top;
}

/** Sequences that end at a node come before those below it. */
function depthFirst(t: Trie, sequences: number): Forest {
  const order = new Int32Array(sequences);
  const lcp = new Int32Array(sequences);
  let at = 0;
  let shared = 0;
  let node = 0;
  while (node !== none) {
    for (let s = t.firstEnd[node]!; s !== none; s = t.nextEnd[s]!) {
      order[at] = s;
      lcp[at++] = shared;
      shared = t.to[node]!;
    }
    let next = t.firstChild[node]!;
    if (next === none) {
      while (node !== none && (next = t.next[node]!) === none) node = t.parent[node]!;
      if (next !== none) shared = t.from[next]!;
    }
    node = next;
  }
  return { order, lcp };
}
