/**
 * cp.async: copies that a thread starts, commits in groups and waits for. A copy's bytes arrive as late as they may:
 * at the wait that covers it, or when the mbarrier that tracks it is the only thing left to happen; the bytes of tensor
 * copies, that only mbarriers track, always so.
 */
import type { Context } from './context.ts';
import type { GlobalMemory } from './global.ts';
import type { MBarriers } from './mbarriers.ts';
import type { SharedMemory } from './shared.ts';
import type { Site } from './site.ts';

interface Copy {
  readonly lane: number;
  /** Commits of the lane before it. */
  readonly group: number;
  readonly at: number;
  readonly slot: number;
  readonly data: Uint32Array;
  landed: boolean;
  /** Whether an mbarrier tracks it. */
  tracked: boolean;
}

/** An arrival that happens once copies have landed. */
interface Arrival {
  readonly thread: number;
  readonly copies: readonly Copy[];
  readonly at: number;
}

/** A tensor copy on its way; its bytes count on the mbarrier at `barrier`. */
interface Bulk {
  readonly thread: number;
  readonly at: number;
  readonly slot: number;
  readonly data: Uint32Array;
  readonly barrier: number;
}

/** What a tensor copy moves: see TensorMap; in elements, innermost dimension first. */
export interface Box {
  readonly box: readonly number[];
  readonly extents: readonly number[];
  readonly strides: readonly number[];
  readonly at: readonly number[];
}

/** Every 16-byte chunk of a box that lies inside the tensor: its row of 128 bytes, its place there, its first element. */
function gatherBox(
  { box, extents, strides, at }: Box,
  elementBytes: number,
  visit: (row: number, chunk: number, index: number) => void,
): void {
  const per = 16 / elementBytes;
  const rows = box.slice(1).reduce((a, b) => a * b, 1);
  for (let row = 0; row < rows; row++) {
    let [rest, base, inside] = [row, 0, true];
    for (let d = 1; d < box.length; d++) {
      const c = at[d]! + (rest % box[d]!);
      rest = Math.floor(rest / box[d]!);
      inside &&= c >= 0 && c < extents[d]!;
      base += c * strides[d - 1]!;
    }
    for (let chunk = 0; inside && chunk < 8; chunk++) {
      const c = at[0]! + chunk * per;
      if (c >= 0 && c < extents[0]!) visit(row, chunk, base + c);
    }
  }
}

/** What the agent of a thread landed: after a wait that covers the group, the thread knows it too. */
interface Landed {
  readonly group: number;
  readonly time: number;
}

export class Copies {
  private readonly context: Context;
  private readonly shared: SharedMemory;
  private readonly barriers: MBarriers;
  private readonly queues: Copy[][];
  private readonly commits: Int32Array;
  private readonly landed: Landed[][];
  private arrivals: Arrival[] = [];
  private bulks: Bulk[] = [];

  constructor(context: Context, shared: SharedMemory, barriers: MBarriers) {
    this.context = context;
    this.shared = shared;
    this.barriers = barriers;
    const { warps, lanes } = context.clocks;
    this.queues = Array.from({ length: warps }, () => []);
    this.commits = new Int32Array(lanes);
    this.landed = Array.from({ length: lanes }, () => []);
  }

  /** A new block. */
  reset(): void {
    for (const q of this.queues) q.length = 0;
    for (const x of this.landed) x.length = 0;
    this.commits.fill(0);
    this.arrivals = [];
    this.bulks = [];
  }

  /** Zeros are written where `live` is false: nothing is read then. */
  issue(
    to: Site,
    from: Site,
    w: number,
    l: number,
    offset: number,
    bytes: number,
    memory: GlobalMemory,
    index: number,
    live: boolean,
  ): void {
    const words = bytes >> 2;
    const data = new Uint32Array(words);
    if (live && memory.loadWords(from, w, l, index, words))
      for (let i = 0; i < words; i++) data[i] = memory.word(index, i);
    const { at, slot } = this.shared.depart(to, w, l, offset, bytes);
    if (slot === 0) return;
    const group = this.commits[(w << 5) + l]!;
    this.queues[w]!.push({ lane: l, group, at, slot, data, landed: false, tracked: false });
  }

  /** A box by the asynchronous proxy: rows of 128 bytes, swizzled by address, with zeros outside the tensor. */
  box(
    to: Site,
    from: Site,
    barrierSite: Site,
    w: number,
    l: number,
    offset: number,
    barrierOffset: number,
    bytes: number,
    memory: GlobalMemory,
    box: Box,
  ): void {
    const barrier = this.barriers.locate(barrierSite, w, l, barrierOffset);
    const { at, slot } = this.shared.departBulk(to, w, l, offset, bytes);
    const data = new Uint32Array(bytes >> 2);
    gatherBox(box, memory.bytes, (row, chunk, index) => {
      if (!memory.loadWords(from, w, l, index, 4)) return;
      const place = 32 * row + 4 * (chunk ^ (((at >> 7) + row) & 7));
      for (let i = 0; i < 4; i++) data[place + i] = memory.word(index, i);
    });
    if (slot !== 0) this.bulks.push({ thread: (w << 5) + l, at, slot, data, barrier });
  }

  commit(w: number, mask: number): void {
    for (let l = 0; l < 32; l++) if ((mask >>> l) & 1) this.commits[(w << 5) + l]!++;
  }

  wait(w: number, mask: number, pending: number): void {
    const queue = this.queues[w]!;
    const { clocks } = this.context;
    const now = clocks.now[w]!;
    const covers = (copy: Copy): boolean =>
      ((mask >>> copy.lane) & 1) !== 0 && copy.group < this.commits[(w << 5) + copy.lane]! - pending;
    // Copies that an mbarrier tracks arrive there too when they land, so that its waiters know of them.
    if (queue.some((copy) => copy.tracked && covers(copy)))
      this.arrivals = this.arrivals.filter((a) => {
        const due = a.thread >> 5 === w && a.copies.some((copy) => !copy.landed && covers(copy));
        if (due) this.settle(a);
        return !due;
      });
    let kept = 0;
    for (const copy of queue) {
      if (!copy.landed && covers(copy)) {
        this.shared.land(copy.slot, copy.at, copy.data, (w << 5) + copy.lane, now);
        copy.landed = true;
      }
      if (!copy.landed) queue[kept++] = copy;
    }
    queue.length = kept;
    for (let l = 0; l < 32; l++) {
      const thread = (w << 5) + l;
      if (((mask >>> l) & 1) === 0 || this.landed[thread]!.length === 0) continue;
      const last = this.commits[thread]! - pending;
      this.landed[thread] = this.landed[thread]!.filter((x) => {
        if (x.group < last) clocks.acquireAgent(thread, x.time);
        return x.group >= last;
      });
    }
  }

  /** Once all earlier copies of each lane have landed, the lane arrives. */
  arrive(w: number, l: number, at: number): void {
    const copies = this.queues[w]!.filter((c) => c.lane === l && !c.landed && !c.tracked);
    for (const c of copies) c.tracked = true;
    this.arrivals.push({ thread: (w << 5) + l, copies, at });
  }

  /** Lands what an arrival waits for, by the thread's agent, and arrives; true where that completes a phase. */
  private settle({ thread, copies, at }: Arrival): boolean {
    const { clocks } = this.context;
    const time = clocks.agentStep(thread);
    for (const copy of copies) {
      if (copy.landed) continue;
      this.shared.land(copy.slot, copy.at, copy.data, clocks.lanes + thread, time);
      copy.landed = true;
      const list = this.landed[thread]!;
      // Threads that never wait for groups would let this grow.
      if (list.length >= 64) list.shift();
      list.push({ group: copy.group, time });
    }
    return this.barriers.arriveAgent(thread, at, time);
  }

  private landBulk({ thread, at, slot, data, barrier }: Bulk): boolean {
    const { clocks } = this.context;
    const time = clocks.agentStep(thread);
    this.shared.land(slot, at, data, clocks.lanes + thread, time);
    return this.barriers.land(thread, barrier, time, 4 * data.length);
  }

  /** Lands tracked copies until some mbarrier completes a phase; false where nothing is on its way. */
  progress(): boolean {
    if (this.arrivals.length === 0 && this.bulks.length === 0) return false;
    let next = 0;
    let done = false;
    while (next < this.arrivals.length && !done) done = this.settle(this.arrivals[next++]!);
    this.arrivals = this.arrivals.slice(next);
    next = 0;
    while (next < this.bulks.length && !done) done = this.landBulk(this.bulks[next++]!);
    this.bulks = this.bulks.slice(next);
    for (let w = 0; w < this.queues.length; w++)
      if (this.queues[w]!.some((c) => c.landed)) this.queues[w] = this.queues[w]!.filter((c) => !c.landed);
    return true;
  }
}
