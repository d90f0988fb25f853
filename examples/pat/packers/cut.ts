/**
 * Cuts the entries of a chunk into pieces of about equal work, one pack each. A cut falls on a node boundary where one is
 * within an eighth of a piece and `nearest` tokens, else on an aligned token. `pieces` calls `add` for every (part of an) entry,
 * and `next` between pieces; it is used dry, to score, and to write.
 */
import { roundDown, roundUp } from './round.ts';
import type { Stream } from './stream.ts';
import { padding, type Pace } from './work.ts';

/**
 * A boundary further off than this is not worth uneven pieces: the longest ends alone, at a block's own pace, and a row that is
 * written and merged costs as much as some two tokens more.
 */
const nearest = 64;

export interface PieceSink {
  add(from: number, to: number, left: number, count: number, load: number): void;
  next(): void;
}

/** `work`: of all entries at that pace. */
export function equalPieces(
  stream: Stream,
  page: number,
  align: number,
  work: number,
  k: number,
  { reread, step: whole }: Pace,
  sink: PieceSink,
): void {
  // floor(work * j / k) for one j after another, without a division for each.
  const step = Math.floor(work / k);
  const rest = work - step * k;
  const slack = Math.min(nearest, Math.floor(step / 8));
  let target = step;
  let part = rest;
  let done = 0;
  let j = 1;
  let filled = false;
  for (let i = stream.size - 1; i >= 0; i--) {
    let from = stream.from[i]!;
    const to = stream.to[i]!;
    const left = stream.left[i]!;
    const count = stream.count[i]!;
    const begin = roundUp(from, page);
    // Of a token of this entry, in 1/256.
    const weight = 256 + reread * (count - 1);
    const tokens = roundUp(to, page) - begin;
    const size = (weight === 256 ? tokens : Math.floor((tokens * weight) / 256)) + padding(tokens, whole);
    for (; j < k; j++) {
      // A target near this entry's end is taken at the start of the next.
      if (target >= done + size - slack && target - done > slack) break;
      let at = from;
      if (target - done > slack) {
        const more = target - done;
        at = roundDown(begin + (weight === 256 ? more : Math.floor((more * 256) / weight)), align);
        // What fills up the last step: at the start of the next too.
        if (at >= to) break;
      }
      if (at > from) {
        sink.add(from, at, left, count, at - roundUp(from, page));
        filled = true;
        from = at;
      }
      if (filled) sink.next();
      filled = false;
      target += step;
      part += rest;
      if (part >= k) {
        part -= k;
        target++;
      }
    }
    sink.add(from, to, left, count, roundUp(to, page) - roundUp(from, page));
    filled = true;
    done += size;
  }
}

/** Pieces that end at every multiple of `span` tokens of each sequence, whatever its neighbours are. */
export function fixedPieces(stream: Stream, page: number, span: number, sink: PieceSink): void {
  let longest = 0;
  for (let i = 0; i < stream.size; i++) longest = Math.max(longest, stream.to[i]!);
  for (let low = 0; low < longest; low += span) {
    if (low > 0) sink.next();
    const high = low + span;
    for (let i = stream.size - 1; i >= 0; i--) {
      const from = Math.max(low, stream.from[i]!);
      const to = Math.min(high, stream.to[i]!);
      if (from < to)
        sink.add(from, to, stream.left[i]!, stream.count[i]!, roundUp(to, page) - roundUp(from, page));
    }
  }
}
