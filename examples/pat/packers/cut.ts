/**
 * Cuts the entries of a chunk into pieces of about equal work, one pack each. A cut falls on a node boundary where one is
 * within an eighth of a piece, else on an aligned token. `pieces` calls `add` for every (part of an) entry, and `next`
 * between pieces; it is used dry, to score, and to write.
 */
import type { Stream } from './stream.ts';

export interface PieceSink {
  add(from: number, to: number, left: number, count: number, load: number): void;
  next(): void;
}

const roundUp = (x: number, page: number): number => Math.ceil(x / page) * page;

/** `work`: of all entries, tokens counting `reread` / 256 for every sequence after the first that reads them. */
export function equalPieces(
  stream: Stream,
  page: number,
  align: number,
  work: number,
  k: number,
  reread: number,
  sink: PieceSink,
): void {
  const slack = Math.floor(work / (8 * k));
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
    const size = Math.floor(((roundUp(to, page) - begin) * weight) / 256);
    for (; j < k; j++) {
      const target = Math.floor((work * j) / k);
      // A target near this entry's end is taken at the start of the next.
      if (target >= done + size - slack && target - done > slack) break;
      const tokens = Math.floor(((target - done) * 256) / weight);
      const at = target - done <= slack ? from : Math.floor((begin + tokens) / align) * align;
      if (at > from) {
        sink.add(from, at, left, count, at - roundUp(from, page));
        filled = true;
        from = at;
      }
      if (filled) sink.next();
      filled = false;
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
