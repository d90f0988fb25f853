/**
 * Cuts the depth-first order into runs of sequences, one path pack each. A run holds at most `cap` sequences; where a run
 * ends, the tokens shared across the boundary are loaded once more. Each boundary is put where (tokens loaded again + the
 * fixed work of a pack) per sequence packed is least, looking back over the last half of the run. With a limit, a run also
 * ends before its work passes it, where what is loaded again is at most a quarter of the limit.
 */
import { workOf, type Pace, type Work } from './work.ts';

/**
 * Writes the run ends into `ends` (that of [sequences] tells whether the limit ended a run); returns how many runs there are.
 * `overhead`: a pack's fixed work in tokens.
 */
export function chunk(
  w: Work,
  cap: number,
  limit: number,
  overhead: number,
  pace: Pace,
  ends: Int32Array,
): number {
  const { shared } = w;
  const n = w.length.length;
  let runs = 0;
  let b = 0;
  ends[n] = 0;
  while (b < n) {
    let e = Math.min(n, b + cap);
    if (limit > 0) {
      const within = withinLimit(w, b, e, limit, pace);
      if (within < e) ends[n] = 1;
      e = within;
    }
    if (e < n) {
      const low = Math.max(b + 1, b + ((e - b + 1) >> 1));
      let best = e;
      let least = shared[e]!;
      for (let x = e - 1; x >= low; x--)
        if (shared[x]! < least && (shared[x]! + overhead) * (best - b) < (least + overhead) * (x - b)) {
          best = x;
          least = shared[x]!;
        }
      e = best;
    }
    ends[runs++] = e;
    b = e;
  }
  return runs;
}

/** The end of the longest run from b on, up to e, whose work is within the limit; see `pathWork`. */
function withinLimit(w: Work, b: number, e: number, limit: number, pace: Pace): number {
  const { before, reads, shared } = w;
  const { reread, pads } = pace;
  const first = shared[b]! - before[b]!;
  for (let i = b + 1; i < e; i++) {
    const work = workOf(first + before[i + 1]!, reads[i + 1]! - reads[b]!, reread);
    if (work + (pads ? pads[i + 1]! - pads[b]! : 0) > limit && shared[i]! * 4 <= limit) return i;
  }
  return e;
}
