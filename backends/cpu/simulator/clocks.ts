/**
 * Who has seen what: vector clocks of the threads of a block (Fidge; Mattern). Time is counted per warp and advances at
 * every release. A thread's clock holds, for every other thread, the time up to which that thread's accesses come before
 * its own. Lanes that synchronised together share one clock array, which is never written once shared.
 *
 * Asynchronous copies that land by themselves are done by a second "thread" per thread, its agent, numbered from
 * `lanes` upwards.
 */
export class Clocks {
  readonly warps: number;
  /** 32 per warp, whatever the number of threads. */
  readonly lanes: number;
  /** The current time of each warp. */
  readonly now: Int32Array;
  /** Accesses of the warp up to this time are ordered before every lane of it, and before the whole block. */
  readonly warpSync: Int32Array;
  readonly blockSync: Int32Array;
  /** The clock of each thread. */
  readonly of: Int32Array[];
  private readonly agentTime: Int32Array;

  constructor(warps: number) {
    this.warps = warps;
    this.lanes = warps * 32;
    this.now = new Int32Array(warps).fill(1);
    this.warpSync = new Int32Array(warps);
    this.blockSync = new Int32Array(warps);
    this.agentTime = new Int32Array(this.lanes);
    const first = new Int32Array(2 * this.lanes);
    this.of = Array.from({ length: this.lanes }, () => first);
  }

  /** All threads of the block; `agents` too where a new block starts. */
  barrier(agents = false): void {
    const next = Int32Array.from(this.of[0]!);
    const seen = new Set<Int32Array>();
    for (let t = 0; t < this.lanes; t++) {
      const clock = this.of[t]!;
      if (!seen.has(clock)) {
        seen.add(clock);
        for (let u = this.lanes; u < next.length; u++) next[u] = Math.max(next[u]!, clock[u]!);
      }
    }
    for (let t = 0; t < this.lanes; t++) {
      next[t] = this.now[t >> 5]!;
      if (agents) next[this.lanes + t] = this.agentTime[t]!;
      this.of[t] = next;
    }
    for (let w = 0; w < this.warps; w++) {
      this.warpSync[w] = this.blockSync[w] = this.now[w]!;
      this.now[w]!++;
    }
  }

  /** The first `warps` warps of the block. */
  groupBarrier(warps: number): void {
    if (warps >= this.warps) return this.barrier();
    const next = new Int32Array(2 * this.lanes);
    const seen = new Set<Int32Array>();
    for (let t = 0; t < warps * 32; t++) {
      const clock = this.of[t]!;
      if (!seen.has(clock)) join(next, clock);
      seen.add(clock);
    }
    for (let t = 0; t < warps * 32; t++) {
      next[t] = this.now[t >> 5]!;
      this.of[t] = next;
    }
    for (let w = 0; w < warps; w++) {
      this.warpSync[w] = this.now[w]!;
      this.now[w]!++;
    }
  }

  /** The lanes of `mask`; the whole warp where mask is `full`. */
  warpBarrier(w: number, mask: number, full: number): void {
    const next = this.joined(w, mask);
    for (let l = 0; l < 32; l++) if ((mask >>> l) & 1) next[(w << 5) + l] = this.now[w]!;
    for (let l = 0; l < 32; l++) if ((mask >>> l) & 1) this.of[(w << 5) + l] = next;
    if (mask === full) this.warpSync[w] = this.now[w]!;
    this.now[w]!++;
  }

  /** What the lanes of `mask` know together, as a new array. */
  private joined(w: number, mask: number): Int32Array {
    let next: Int32Array | undefined;
    let last: Int32Array | undefined;
    for (let l = 0; l < 32; l++) {
      if (((mask >>> l) & 1) === 0) continue;
      const clock = this.of[(w << 5) + l]!;
      if (clock === last) continue;
      last = clock;
      if (next) join(next, clock);
      else next = Int32Array.from(clock);
    }
    return next ?? new Int32Array(2 * this.lanes);
  }

  /** Adds to `into` all that the lanes of `mask` did so far. The caller calls `advance` once all have released. */
  release(w: number, mask: number, into: Int32Array): void {
    let last: Int32Array | undefined;
    for (let l = 0; l < 32; l++) {
      if (((mask >>> l) & 1) === 0) continue;
      const t = (w << 5) + l;
      const clock = this.of[t]!;
      if (clock !== last) join(into, clock);
      last = clock;
      into[t] = this.now[w]!;
    }
  }

  advance(w: number): void {
    this.now[w]!++;
  }

  /** The lanes of `mask` learn `from`. */
  acquire(w: number, mask: number, from: Int32Array): void {
    const made = new Map<Int32Array, Int32Array>();
    for (let l = 0; l < 32; l++) {
      if (((mask >>> l) & 1) === 0) continue;
      const t = (w << 5) + l;
      const clock = this.of[t]!;
      let next = made.get(clock);
      if (!next) {
        next = Int32Array.from(clock);
        join(next, from);
        made.set(clock, next);
      }
      this.of[t] = next;
    }
  }

  /** A new time of the agent of thread t. */
  agentStep(t: number): number {
    return ++this.agentTime[t]!;
  }

  /** Thread t has waited for what its agent did up to `time`. */
  acquireAgent(t: number, time: number): void {
    const clock = this.of[t]!;
    if (clock[this.lanes + t]! >= time) return;
    const next = Int32Array.from(clock);
    next[this.lanes + t] = time;
    this.of[t] = next;
  }
}

function join(into: Int32Array, from: Int32Array): void {
  for (let i = 0; i < into.length; i++) if (from[i]! > into[i]!) into[i] = from[i]!;
}
