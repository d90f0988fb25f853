/**
 * Proves that a plan is right, from the batch and the tables alone (nothing of the packers is used):
 *
 *  - every token below a sequence's length is covered by exactly one entry of one pack, and read from the right page;
 *  - a sequence with one part writes its output; with more, each part writes its own slot, and one merge reads them all;
 *  - packs fit their tiles, entries fit their packs, and every pack is launched once;
 *  - the lanes of a tile's step end no later than its first lane, and only lanes with nothing to read are empty.
 *
 * Linear: entries are taken in ascending `from` (radix sort), and each must begin where its sequences were left.
 */
import { PatcError, type Diagnostic } from '../../compiler/diagnostics/error.ts';
import type { Batch } from './batch.ts';
import { laneTokens } from './lanes.ts';
import { entryInts } from './packlist.ts';
import { mergeInts, packInts, type PlanTables } from './tables.ts';

const maxReported = 10;

class Faults {
  readonly list: Diagnostic[] = [];
  add(message: string): void {
    if (this.list.length < maxReported) this.list.push({ code: 'PAT0506', message });
  }
}

/** Every fault found, at most ten; empty means proven. */
export function coverageFaults(batch: Batch, tables: PlanTables): readonly Diagnostic[] {
  const faults = new Faults();
  const packOf = checkPacks(batch, tables, faults);
  if (faults.list.length === 0) {
    checkTokens(batch, tables, packOf, faults);
    checkParts(batch, tables, faults);
  }
  return faults.list;
}

/** Throws PAT0506 with every fault found. */
export function checkCoverage(batch: Batch, tables: PlanTables): void {
  const [first, ...rest] = coverageFaults(batch, tables);
  if (first) throw new PatcError(first, ...rest);
}

/** Ranges and capacities; returns the pack of every entry. */
function checkPacks(batch: Batch, t: PlanTables, faults: Faults): Int32Array {
  const group = batch.qHeads / batch.kvHeads;
  const packs = t.packs.length / packInts - 1;
  const entries = t.entries.length / entryInts;
  const packOf = new Int32Array(entries).fill(-1);
  const rowOf = new Int32Array(t.packSequences.length).fill(-1);
  if (t.packSlots.length !== t.packSequences.length)
    faults.add('packSlots and packSequences differ in length');
  let launched = 0;
  for (const s of t.shapes) {
    if (s.packBase !== launched)
      faults.add(`the launch of m=${s.tile.m} starts at pack ${s.packBase}, expected ${launched}`);
    for (let p = s.packBase; p < s.packBase + s.packCount && p < packs; p++)
      if (t.packs[p * packInts + 1]! * group > s.tile.m)
        faults.add(
          `pack ${p}: ${t.packs[p * packInts + 1]} sequences * ${group} rows exceed its ${s.tile.m}-row tile`,
        );
    launched += s.packCount;
  }
  if (launched !== packs) faults.add(`${launched} packs are launched, the plan has ${packs}`);
  for (let i = packs * packInts; i < t.packs.length; i++)
    if (t.packs[i] !== 0) faults.add('the sentinel pack is not zero');
  const claim = (owner: Int32Array, what: string, p: number, begin: number, end: number): void => {
    if (begin < 0 || end < begin || end > owner.length)
      return faults.add(`pack ${p}: ${what} ${begin}..${end} out of range`);
    for (let i = begin; i < end; i++) {
      if (owner[i] !== -1) return faults.add(`packs ${owner[i]} and ${p} share ${what} ${i}`);
      owner[i] = p;
    }
  };
  for (let p = 0; p < packs; p++) {
    const row = p * packInts;
    claim(rowOf, 'sequences', p, t.packs[row]!, t.packs[row]! + t.packs[row + 1]!);
    claim(packOf, 'entries', p, t.packs[row + 2]!, t.packs[row + 3]!);
  }
  checkLanes(batch, t, faults);
  if (rowOf.includes(-1) || packOf.includes(-1)) faults.add('some rows or entries belong to no pack');
  for (const s of t.packSequences)
    if (s < 0 || s >= batch.lengths.length) faults.add(`sequence ${s} does not exist`);
  return packOf;
}

const isEmpty = (t: PlanTables, e: number): boolean =>
  t.entries[e * entryInts + 1] === 0 &&
  t.entries[e * entryInts + 2] === 0 &&
  t.entries[e * entryInts + 4] === 0;

function checkLanes({ page }: Batch, t: PlanTables, faults: Faults): void {
  for (const { tile, packBase, packCount } of t.shapes) {
    const width = laneTokens(tile.n, page);
    const lanes = tile.n / width;
    const steps = (e: number): number => {
      const [from, to] = [t.entries[e * entryInts + 1]!, t.entries[e * entryInts + 2]!];
      return Math.ceil((to - Math.floor(from / page) * page) / width);
    };
    for (let p = packBase; p < packBase + packCount; p++) {
      const [begin, end] = [t.packs[p * packInts + 2]!, t.packs[p * packInts + 3]!];
      if ((end - begin) % lanes !== 0)
        faults.add(`pack ${p}: ${end - begin} entries are no groups of ${lanes} lanes`);
      else
        for (let e = begin; e < end; e++) {
          const first = e - ((e - begin) % lanes);
          const at = e * entryInts;
          if (
            isEmpty(t, e) &&
            (e === first || t.entries[at] !== 0 || t.entries[at + 3] !== t.entries[first * entryInts + 3])
          )
            faults.add(`entry ${e} covers nothing, and is no lane that may`);
          else if (lanes > 1 && steps(e) > steps(first))
            faults.add(`entry ${e} takes ${steps(e)} steps in its lane, the first lane ${steps(first)}`);
        }
    }
  }
}

function checkTokens(batch: Batch, t: PlanTables, packOf: Int32Array, faults: Faults): void {
  const { lengths, tableBegin, pages, page } = batch;
  const covered = new Int32Array(lengths.length);
  for (const e of byFrom(t.entries)) {
    if (isEmpty(t, e)) continue;
    const at = e * entryInts;
    const pageBase = t.entries[at]!;
    const from = t.entries[at + 1]!;
    const to = t.entries[at + 2]!;
    const first = t.entries[at + 3]!;
    const count = t.entries[at + 4]!;
    const pack = packOf[e]! * packInts;
    const name = `entry ${e} (tokens ${from}..${to})`;
    if (to <= from || from < 0) faults.add(`${name} covers nothing`);
    else if (first < 0 || count < 1 || first + count > t.packs[pack + 1]!)
      faults.add(`${name}: rows ${first}+${count} are outside its pack`);
    else
      for (let i = first; i < first + count; i++) {
        const s = t.packSequences[t.packs[pack]! + i]!;
        if (from !== covered[s])
          return faults.add(
            `sequence ${s}: ${name} begins at ${from}, covered exactly once so far is 0..${covered[s]}`,
          );
        if (to > lengths[s]!) return faults.add(`sequence ${s}: ${name} ends past its length ${lengths[s]}`);
        covered[s] = to;
        const table = tableBegin[s]!;
        if (table !== pageBase)
          for (let j = Math.floor(from / page); j * page < to; j++)
            if (pages[table + j] !== pages[pageBase + j])
              return faults.add(
                `sequence ${s}: ${name} reads page ${pages[pageBase + j]} where its own is ${pages[table + j]}`,
              );
      }
  }
  for (let s = 0; s < lengths.length; s++)
    if (covered[s] !== lengths[s])
      faults.add(`sequence ${s}: tokens ${covered[s]}..${lengths[s]} are covered by no entry`);
}

/** Entry indices in ascending `from`: a stable radix sort by 11 bits. */
function byFrom(entries: Int32Array): Int32Array {
  const n = entries.length / entryInts;
  let ids = Int32Array.from({ length: n }, (_, i) => i);
  let other = new Int32Array(n);
  let largest = 0;
  for (let i = 0; i < n; i++) largest = Math.max(largest, entries[i * entryInts + 1]!);
  for (let shift = 0; shift < 31 && largest >> shift > 0; shift += 11) {
    const start = new Int32Array(2049);
    const digit = (id: number) => ((entries[id * entryInts + 1]! >>> shift) & 2047) + 1;
    for (const id of ids) start[digit(id)]!++;
    for (let i = 1; i < 2049; i++) start[i]! += start[i - 1]!;
    for (const id of ids) other[start[digit(id) - 1]!++] = id;
    [ids, other] = [other, ids];
  }
  return ids;
}

function checkParts(batch: Batch, t: PlanTables, faults: Faults): void {
  const n = batch.lengths.length;
  const parts = new Int32Array(n);
  for (const s of t.packSequences) parts[s] = parts[s]! + 1;
  const slotBegin = new Int32Array(n).fill(-1);
  for (let i = 0; i < t.merges.length; i += mergeInts) {
    const s = t.merges[i]!;
    if (s < 0 || s >= n || slotBegin[s] !== -1)
      faults.add(`merge ${i / mergeInts}: sequence ${s} does not exist or is merged twice`);
    else if (t.merges[i + 2] !== parts[s])
      faults.add(`sequence ${s} has ${parts[s]} parts, its merge reads ${t.merges[i + 2]}`);
    else if (t.merges[i + 1]! < 0 || t.merges[i + 1]! + parts[s]! > t.slots)
      faults.add(`sequence ${s}: slots out of range`);
    else slotBegin[s] = t.merges[i + 1]!;
  }
  const written = new Int32Array(t.slots).fill(-1);
  t.packSequences.forEach((s, i) => {
    const slot = t.packSlots[i]!;
    if (parts[s] === 1 && slot !== -1) faults.add(`sequence ${s} has one part but writes slot ${slot}`);
    if (parts[s]! <= 1) return;
    if (slotBegin[s] === -1) faults.add(`sequence ${s} has ${parts[s]} parts and no merge`);
    else if (slot < slotBegin[s]! || slot >= slotBegin[s]! + parts[s]!)
      faults.add(`sequence ${s} writes slot ${slot}, which its merge does not read`);
    else if (written[slot] !== -1) faults.add(`sequences ${written[slot]} and ${s} write slot ${slot}`);
    else written[slot] = s;
  });
  parts.forEach((p, s) => {
    if (p === 0) faults.add(`sequence ${s} is in no pack`);
  });
  if (written.includes(-1)) faults.add(`slot ${written.indexOf(-1)} is never written`);
}
