/** The nodes of the prefix forest, for packings and pictures that think in nodes. */
import type { Batch } from '../batch.ts';
import type { Forest } from '../forest.ts';
import { Stream } from './stream.ts';

/** Tokens from..to-1, read by the sequences at positions begin..end-1 of the depth-first order. */
export interface ForestNode {
  readonly from: number;
  readonly to: number;
  readonly begin: number;
  readonly end: number;
  /** Index of the parent in the list, -1 for a root. */
  readonly parent: number;
  /** How many of the sequences end here: the first ones. */
  readonly ending: number;
}

/** Depth-first, parents before children. Sequences of length 0 have no node. */
export function forestNodes(batch: Batch, forest: Forest): ForestNode[] {
  const n = forest.order.length;
  const stream = new Stream(n);
  stream.fill({ batch, forest }, 0, n);
  const rows = Array.from({ length: stream.size }, (_, i) => i);
  rows.sort((a, b) => stream.left[a]! - stream.left[b]! || stream.from[a]! - stream.from[b]!);
  const nodes: ForestNode[] = [];
  const path: number[] = [];
  for (const row of rows) {
    const from = stream.from[row]!;
    const to = stream.to[row]!;
    const begin = stream.left[row]!;
    const end = begin + stream.count[row]!;
    while (path.length > 0 && (nodes[path.at(-1)!]!.end <= begin || nodes[path.at(-1)!]!.to > from))
      path.pop();
    let ending = 0;
    while (begin + ending < end && batch.lengths[forest.order[begin + ending]!] === to) ending++;
    path.push(nodes.length);
    nodes.push({ from, to, begin, end, parent: path.at(-2) ?? -1, ending });
  }
  return nodes;
}
