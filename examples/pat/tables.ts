/**
 * Plan tables: what the kernels read. Compact, offsets only. From the packs of a packer: a tile shape for each, packs sorted
 * by shape and then longest first, partial slots for sequences with several parts, and the merges that read them.
 */
import { shapeOf, type PlanCosts, type TileShape } from './cost.ts';
import { layLanes } from './lanes.ts';
import { entryInts, type PackList } from './packlist.ts';
import { roundUp } from './packers/round.ts';
import { rereadCost, workOf, type Work } from './packers/work.ts';

export interface ShapeRun {
  readonly tile: TileShape;
  /** First pack of the shape and how many there are. */
  readonly packBase: number;
  readonly packCount: number;
}

export interface PlanTables {
  /** [packs + 1, 4] {seqBegin, seqCount, entryBegin, entryEnd}; the last row is zero. */
  readonly packs: Int32Array;
  /** [n] sequence ids, pack after pack. */
  readonly packSequences: Int32Array;
  /** [n] partial slot that the pack writes for the sequence; -1: it writes the output itself. */
  readonly packSlots: Int32Array;
  /** [entries, 5] {pageBase, from, to, first, count}, in lanes as each pack's tile reads them: see lanes.ts. */
  readonly entries: Int32Array;
  /** [merges, 3] {sequence, slotBegin, slotCount}, ascending by sequence. */
  readonly merges: Int32Array;
  /** Partial slots in all. */
  readonly slots: number;
  /** One per tile shape in use, in launch order. */
  readonly shapes: readonly ShapeRun[];
}

export const packInts = 4;
export const mergeInts = 3;

/** `tileOf[p]` is an index into `costs.tiles`. */
export function buildTables(
  list: PackList,
  costs: PlanCosts,
  tileOf: Int32Array,
  { batch, group }: Work,
): PlanTables {
  const { page } = batch;
  const sequences = batch.lengths.length;
  const { entries, begin } = layLanes(list, costs.tiles, tileOf, page, group);
  const { packs, shapes } = sortPacks(list, costs, tileOf, group, begin);
  const packSequences = list.sequences.copy();
  const parts = new Int32Array(sequences);
  for (const s of packSequences) parts[s] = parts[s]! + 1;
  const packSlots = new Int32Array(packSequences.length).fill(-1);
  const merges: number[] = [];
  let slots = 0;
  // From here `parts` holds each sequence's next slot, -1 where it has one part.
  for (let s = 0; s < sequences; s++) {
    const count = parts[s]!;
    parts[s] = count > 1 ? slots : -1;
    if (count <= 1) continue;
    merges.push(s, slots, count);
    slots += count;
  }
  if (slots > 0)
    for (let i = 0; i < packSequences.length; i++) {
      const s = packSequences[i]!;
      if (parts[s]! < 0) continue;
      packSlots[i] = parts[s]!;
      parts[s] = parts[s]! + 1;
    }
  return { packs, packSequences, packSlots, entries, merges: Int32Array.from(merges), slots, shapes };
}

function sortPacks(
  list: PackList,
  costs: PlanCosts,
  tileOf: Int32Array,
  group: number,
  entryBegin: Int32Array,
): { packs: Int32Array; shapes: ShapeRun[] } {
  const n = list.count;
  const packs = new Int32Array((n + 1) * packInts);
  const shapes: ShapeRun[] = [];
  const keys = new Float64Array(n);
  const load = list.load.data;
  const mostWork = 0x7fffffff;
  let done = 0;
  for (let t = costs.tiles.length - 1; t >= 0; t--) {
    let count = 0;
    const reread = rereadCost(costs.tiles[t]!, group);
    // Longest first, then in the packer's order: 31 bits of work above 21 bits of index are exact in a double.
    for (let p = 0; p < n; p++)
      if (tileOf[p] === t) {
        const work = Math.min(mostWork, workOf(load[p]!, list.reads[p]!, reread) + list.pad[p]!);
        keys[count++] = (mostWork - work) * 0x200000 + p;
      }
    if (count === 0) continue;
    const sorted = keys.subarray(0, count).sort();
    for (let i = 0; i < count; i++) {
      const p = sorted[i]! % 0x200000;
      const row = (done + i) * packInts;
      const begin = list.sequenceBegin.data[p]!;
      packs[row] = begin;
      packs[row + 1] = list.sequenceBegin.data[p + 1]! - begin;
      packs[row + 2] = entryBegin[p]!;
      packs[row + 3] = entryBegin[p + 1]!;
    }
    shapes.push({ tile: shapeOf(costs.tiles[t]!), packBase: done, packCount: count });
    done += count;
  }
  return { packs, shapes };
}

export const packRows = (t: PlanTables): number => t.packs.length / packInts - 1;
export const entryRows = (t: PlanTables): number => t.entries.length / entryInts;
export const mergeRows = (t: PlanTables): number => t.merges.length / mergeInts;

/**
 * Tokens that a pack loads; the same with every entry in whole steps of its lane's width; and these counted for every sequence of
 * the pack that reads them.
 */
export function packLoad(
  t: PlanTables,
  pack: number,
  step = 1,
): { load: number; steps: number; reads: number } {
  let load = 0;
  let steps = 0;
  let reads = 0;
  for (let e = t.packs[pack * packInts + 2]!; e < t.packs[pack * packInts + 3]!; e++) {
    const tokens = t.entries[e * entryInts + 2]! - t.entries[e * entryInts + 1]!;
    const whole = roundUp(tokens, step);
    load += tokens;
    steps += whole;
    reads += whole * t.entries[e * entryInts + 4]!;
  }
  return { load, steps, reads };
}
