/**
 * 64-bit mbarriers in shared memory: a phase completes when `count` arrivals came and all bytes that they expect of tensor
 * copies have landed; waiters name the phase's parity.
 */
import { showBlock, type Context } from './context.ts';
import type { SharedMemory } from './shared.ts';
import type { Site } from './site.ts';

interface MBarrier {
  readonly name: string;
  readonly site: Site;
  readonly count: number;
  pending: number;
  /** Bytes that arrivals of the phase expect and that have not landed. */
  outstanding: number;
  /** Phases completed so far. */
  phase: number;
  /** What the arrivals of the current phase have seen, and those of the last completed one. */
  gathering: Int32Array;
  complete: Int32Array | undefined;
}

export class MBarriers {
  private readonly context: Context;
  private readonly shared: SharedMemory;
  private readonly barriers = new Map<number, MBarrier>();

  constructor(context: Context, shared: SharedMemory) {
    this.context = context;
    this.shared = shared;
  }

  /** A new block. */
  reset(): void {
    this.barriers.clear();
  }

  private clock(): Int32Array {
    return new Int32Array(2 * this.context.clocks.lanes);
  }

  init(site: Site, w: number, l: number, offset: number, count: number): void {
    const at = this.shared.store(site, w, l, offset, 8);
    site.counter.drop();
    const name = `${site.info.buffer}[${offset}]`;
    const gathering = this.clock();
    const empty = { outstanding: 0, phase: 0, gathering, complete: undefined };
    this.barriers.set(at, { name, site, count, pending: count, ...empty });
  }

  private find(site: Site, w: number, l: number, offset: number): { at: number; barrier?: MBarrier } {
    const at = this.shared.checkVisible(site, w, l, offset, 8);
    const barrier = this.barriers.get(at);
    if (!barrier && at >= 0)
      this.context.findings.add(
        `no mbarrier ${site.place}`,
        'PAT0404',
        `thread ${(w << 5) + l} of block ${showBlock(this.context)} uses the mbarrier at ${site.info.buffer}[${offset}], which nothing has initialised`,
        site.span,
        [],
        'initialise it by one thread, then put a block barrier before its first use',
      );
    return barrier ? { at, barrier } : { at };
  }

  /** The address, for an arrival that happens later. */
  locate(site: Site, w: number, l: number, offset: number): number {
    return this.find(site, w, l, offset).at;
  }

  /** All lanes of `mask` arrive on the mbarriers at their offsets; each may expect bytes first. */
  arrive(site: Site, w: number, mask: number, offsets: Int32Array, expected?: Int32Array): void {
    for (let l = 0; l < 32; l++) {
      if (((mask >>> l) & 1) === 0) continue;
      const { barrier } = this.find(site, w, l, offsets[l]!);
      if (!barrier) continue;
      this.context.clocks.release(w, 1 << l, barrier.gathering);
      barrier.outstanding += expected?.[l] ?? 0;
      barrier.pending--;
      this.settle(barrier);
    }
    this.context.clocks.advance(w);
  }

  /** The agent of a thread arrives: it has seen its copies alone. True where that completes a phase. */
  arriveAgent(thread: number, at: number, time: number): boolean {
    const barrier = this.seen(thread, at, time);
    if (!barrier) return false;
    barrier.pending--;
    return this.settle(barrier);
  }

  /** Bytes of a tensor copy of a thread have landed. True where that completes a phase. */
  land(thread: number, at: number, time: number, bytes: number): boolean {
    const barrier = this.seen(thread, at, time);
    if (!barrier) return false;
    barrier.outstanding -= bytes;
    return this.settle(barrier);
  }

  private seen(thread: number, at: number, time: number): MBarrier | undefined {
    const barrier = this.barriers.get(at);
    const agent = this.context.clocks.lanes + thread;
    if (barrier) barrier.gathering[agent] = Math.max(barrier.gathering[agent]!, time);
    return barrier;
  }

  private settle(barrier: MBarrier): boolean {
    if (barrier.pending > 0 || barrier.outstanding !== 0) return false;
    barrier.phase++;
    barrier.pending = barrier.count;
    barrier.complete = barrier.gathering;
    barrier.gathering = this.clock();
    return true;
  }

  /** Whether the phases that all lanes of `mask` wait for have completed; then the lanes know what the arrivals knew. */
  tryWait(site: Site, w: number, mask: number, offsets: Int32Array, parities: Int32Array): boolean {
    for (let l = 0; l < 32; l++) {
      if (((mask >>> l) & 1) === 0) continue;
      const { barrier } = this.find(site, w, l, offsets[l]!);
      if (barrier && (barrier.phase & 1) === (parities[l]! & 1)) return false;
    }
    const lanes = new Map<MBarrier, number>();
    for (let l = 0; l < 32; l++) {
      if (((mask >>> l) & 1) === 0) continue;
      const { barrier } = this.find(site, w, l, offsets[l]!);
      if (barrier) lanes.set(barrier, (lanes.get(barrier) ?? 0) | (1 << l));
    }
    for (const [barrier, set] of lanes)
      if (barrier.complete) this.context.clocks.acquire(w, set, barrier.complete);
    return true;
  }

  /** "full[8]: phase 3 (parity 1) has 5 of 32 arrivals, 256 B to come" */
  describe(at: number): string {
    const b = this.barriers.get(at);
    if (!b) return 'an mbarrier that was never initialised';
    const bytes = b.outstanding === 0 ? '' : `, ${b.outstanding} B to come`;
    return `${b.name}: phase ${b.phase} (parity ${b.phase & 1}) has ${b.count - b.pending} of ${b.count} arrivals${bytes}`;
  }
}
