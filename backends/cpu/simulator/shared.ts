/**
 * Shared memory of one block, with a shadow per granule (the smallest unit that the kernel accesses: 2 or 4 bytes):
 * which buffer's data it holds, who wrote it last and when, which lanes have read it since, and whether an asynchronous
 * copy into it is on its way. Races are judged by vector clocks (FastTrack: Flanagan and Freund, PLDI 2009).
 */
import type { SharedBuffer } from '../../../compiler/thread/nodes.ts';
import type { Clocks } from './clocks.ts';
import type { Site } from './site.ts';
import { SharedFindings, type Conflict } from './shared-findings.ts';
import type { Context } from './context.ts';

export const poisonWord = 0xffffffff;

/** An asynchronous copy on its way. */
export interface Flight {
  readonly thread: number;
  /** Time of the issue. */
  readonly time: number;
  readonly site: Site;
  /** By the asynchronous proxy. */
  proxy: boolean;
}

interface Reader {
  readonly thread: number;
  time: number;
  site: number;
}

export class SharedMemory {
  readonly words: Uint32Array;
  readonly halves: Uint16Array;
  /** One past the highest byte touched. */
  peak = 0;
  /** log2 of the granule's bytes. */
  readonly shift: number;

  /** Id of the buffer whose data the granule holds, from 1; 0 = nothing written. */
  private readonly holds: Uint8Array;
  /** Index into `flights`, 0 = none. */
  private readonly flight: Int32Array;
  private readonly flights: (Flight | undefined)[] = [undefined];
  private readonly free: number[] = [];

  private readonly writer: Int32Array;
  private readonly writeTime: Int32Array;
  private readonly writeSite: Int32Array;
  /** When the copy set out that wrote the granule; 0 = an ordinary store wrote it. */
  private readonly issued: Int32Array;

  /** Per granule and warp: the lanes that read it at the warp's latest reading time. */
  private readonly readTime: Int32Array;
  private readonly readLanes: Int32Array;
  private readonly readSite: Int32Array;
  /** Whether a granule was read since its last write. */
  private readonly read: Uint8Array;
  /** Readers that the arrays above cannot hold: other lanes of a warp at earlier times, unordered. */
  private readonly more = new Map<number, Reader[]>();

  /** Until when each thread's stores are visible to the asynchronous proxy, and what it knew of others' at its last fence. */
  private readonly fenced: Int32Array;
  private readonly fencedClock: (Int32Array | undefined)[];
  /** Whether the asynchronous proxy wrote the granule. */
  private readonly byProxy: Uint8Array;
  private readonly seen: Int32Array;
  private readonly banks = new Int32Array(32);
  private readonly outside: number;
  private readonly buffers: readonly SharedBuffer[];
  private readonly clocks: Clocks;
  private readonly warps: number;
  private readonly report: SharedFindings;

  constructor(context: Context, bytes: number, buffers: readonly SharedBuffer[], shift: number) {
    this.buffers = buffers;
    this.clocks = context.clocks;
    this.warps = context.clocks.warps;
    this.shift = shift;
    const arena = Math.ceil(bytes / 16) * 16;
    // Accesses that leave their buffer are reported, and then go to a spare place behind the arena.
    this.outside = arena;
    const memory = new ArrayBuffer(arena + 16);
    this.words = new Uint32Array(memory);
    this.halves = new Uint16Array(memory);
    const granules = (arena + 16) >> shift;
    this.holds = new Uint8Array(granules);
    this.flight = new Int32Array(granules);
    this.writer = new Int32Array(granules);
    this.writeTime = new Int32Array(granules);
    this.writeSite = new Int32Array(granules);
    this.issued = new Int32Array(granules);
    this.read = new Uint8Array(granules);
    this.readTime = new Int32Array(granules * this.warps);
    this.readLanes = new Int32Array(granules * this.warps);
    this.readSite = new Int32Array(granules * this.warps);
    this.fenced = new Int32Array(this.clocks.lanes);
    this.fencedClock = new Array<Int32Array | undefined>(this.clocks.lanes).fill(undefined);
    this.byProxy = new Uint8Array(granules);
    this.seen = new Int32Array((arena + 16) >> 2);
    this.report = new SharedFindings(context, this);
  }

  /** A new block: nothing is written, nothing is on its way. What earlier blocks did is before everything. */
  reset(): void {
    this.words.fill(poisonWord);
    this.holds.fill(0);
    this.flight.fill(0);
    this.flights.length = 1;
    this.free.length = 0;
    this.more.clear();
  }

  /** Closes a warp's request at a site. */
  close(site: Site): void {
    site.counter.closeShared(this.seen, this.banks);
  }

  buffer(site: Site): SharedBuffer {
    return this.buffers[site.info.shared - 1]!;
  }

  /** The byte address in the arena, or a spare one where the access leaves its buffer. */
  private place(site: Site, w: number, l: number, offset: number, bytes: number, align = bytes): number {
    const b = this.buffer(site);
    if (offset < 0 || offset + bytes > b.bytes) {
      this.report.outside(site, (w << 5) + l, offset, bytes);
      return this.outside;
    }
    if ((offset & (align - 1)) !== 0) {
      this.report.misaligned(site, (w << 5) + l, offset, bytes, align);
      return this.outside;
    }
    const at = b.offset + offset;
    site.counter.note(l, at);
    if (at + bytes > this.peak) this.peak = at + bytes;
    return at;
  }

  /** Checks a read and gives its byte address in the arena. */
  load(site: Site, w: number, l: number, offset: number, bytes: number): number {
    const at = this.place(site, w, l, offset, bytes);
    if (at === this.outside) return at;
    const thread = (w << 5) + l;
    const clock = this.clocks.of[thread]!;
    const now = this.clocks.now[w]!;
    const bit = 1 << l;
    const holds = site.info.shared;
    const last = (at + bytes - 1) >> this.shift;
    for (let g = at >> this.shift; g <= last; g++) {
      if (this.flight[g] !== 0) this.report.inFlight(site, thread, g, this.flights[this.flight[g]!]!, 'read');
      else {
        if (this.holds[g] !== holds) this.report.uninitialised(site, thread, g, this.holds[g]!);
        const writer = this.writer[g]!;
        if (writer !== thread && clock[writer]! < this.writeTime[g]!)
          this.report.race(site, thread, g, this.lastWrite(g, 'read'));
      }
      const r = g * this.warps + w;
      if (this.readTime[r] === now) this.readLanes[r]! |= bit;
      else this.newReader(r, g, w, bit, now, clock);
      this.readSite[r] = site.id;
    }
    return at;
  }

  /**
   * A wgmma's lane reads 16 bytes, `within` bytes from where a descriptor at `offset` begins: the hardware swizzles by bits of
   * the address. What threads wrote must have been fenced.
   */
  operand(site: Site, w: number, l: number, offset: number, within: number): number {
    const start = this.buffer(site).offset;
    const plain = start + offset + within;
    const at = this.load(site, w, l, (plain ^ ((plain >> 3) & 0x70)) - start, 16);
    site.counter.drop();
    if (at === this.outside) return at;
    const thread = (w << 5) + l;
    const known = this.fencedClock[thread];
    for (let g = at >> this.shift; g <= (at + 15) >> this.shift; g++) {
      const [writer, time] = [this.writer[g]!, this.writeTime[g]!];
      if (this.flight[g] !== 0 || this.byProxy[g] !== 0 || this.holds[g] === 0) continue;
      if ((this.fenced[writer] ?? 0) < time && !(known && known[writer]! >= time))
        this.report.unfenced(site, thread, g, this.lastWrite(g, 'read'));
    }
    return at;
  }

  private lastWrite(g: number, is: 'read' | 'write'): Conflict {
    const [thread, site, issued] = [this.writer[g]!, this.writeSite[g]!, this.issued[g]!];
    return { thread, site, was: 'write', is, issued };
  }

  /** The first read by a warp at its current time: earlier readers of the warp stay known unless they come before it. */
  private newReader(r: number, g: number, w: number, bit: number, now: number, clock: Int32Array): void {
    const time = this.readTime[r]!;
    const lanes = this.readLanes[r]! & ~bit;
    if (this.read[g] !== 0 && time > this.clocks.warpSync[w]! && lanes !== 0) {
      const list = this.more.get(g) ?? [];
      if (list.length === 0) this.more.set(g, list);
      for (let l = 0; l < 32; l++) {
        const thread = (w << 5) + l;
        if (((lanes >>> l) & 1) === 0 || clock[thread]! >= time) continue;
        const old = list.find((x) => x.thread === thread);
        if (old) Object.assign(old, { time, site: this.readSite[r]! });
        else list.push({ thread, time, site: this.readSite[r]! });
      }
    }
    this.readTime[r] = now;
    this.readLanes[r] = bit;
    this.read[g] = 1;
  }

  /** Checks a write, records it, and gives its byte address in the arena. */
  store(site: Site, w: number, l: number, offset: number, bytes: number): number {
    const at = this.place(site, w, l, offset, bytes);
    if (at === this.outside) return at;
    const thread = (w << 5) + l;
    const now = this.clocks.now[w]!;
    const last = (at + bytes - 1) >> this.shift;
    for (let g = at >> this.shift; g <= last; g++) {
      this.checkWrite(site, thread, g);
      this.writer[g] = thread;
      this.writeTime[g] = now;
      this.writeSite[g] = site.id;
      this.issued[g] = 0;
      this.byProxy[g] = 0;
      this.holds[g] = site.info.shared;
    }
    return at;
  }

  /** A write must come after the last write, all reads since, and any copy on its way. */
  private checkWrite(site: Site, thread: number, g: number): void {
    const clock = this.clocks.of[thread]!;
    const slot = this.flight[g]!;
    if (slot !== 0) {
      this.report.inFlight(site, thread, g, this.flights[slot]!, 'overwrite');
      this.flight[g] = 0;
    } else {
      const writer = this.writer[g]!;
      if (writer !== thread && clock[writer]! < this.writeTime[g]!)
        this.report.race(site, thread, g, this.lastWrite(g, 'write'));
    }
    if (this.read[g] !== 0) this.checkReaders(site, thread, g, clock);
  }

  private checkReaders(site: Site, thread: number, g: number, clock: Int32Array): void {
    this.read[g] = 0;
    const warps = this.warps;
    for (let w = 0; w < warps; w++) {
      const r = g * warps + w;
      const time = this.readTime[r]!;
      this.readTime[r] = 0;
      if (time <= this.clocks.blockSync[w]!) continue;
      let lanes = this.readLanes[r]!;
      for (let l = 0; lanes !== 0; l++, lanes >>>= 1) {
        if ((lanes & 1) === 0) continue;
        const reader = (w << 5) + l;
        if (reader !== thread && clock[reader]! < time)
          this.report.race(site, thread, g, {
            thread: reader,
            site: this.readSite[r]!,
            was: 'read',
            is: 'write',
            issued: 0,
          });
      }
    }
    if (this.more.size === 0) return;
    for (const x of this.more.get(g) ?? [])
      if (x.thread !== thread && clock[x.thread]! < x.time)
        this.report.race(site, thread, g, { ...x, was: 'read', is: 'write', issued: 0 });
    this.more.delete(g);
  }

  /** A copy sets out: its bytes are nobody's until it lands. Gives the byte address and the flight's slot. */
  depart(
    site: Site,
    w: number,
    l: number,
    offset: number,
    bytes: number,
    align = bytes,
  ): { at: number; slot: number } {
    const at = this.place(site, w, l, offset, bytes, align);
    if (at === this.outside) return { at, slot: 0 };
    const thread = (w << 5) + l;
    const slot = this.free.pop() ?? this.flights.length;
    this.flights[slot] = { thread, time: this.clocks.now[w]!, site, proxy: false };
    const last = (at + bytes - 1) >> this.shift;
    for (let g = at >> this.shift; g <= last; g++) {
      this.checkWrite(site, thread, g);
      this.flight[g] = slot;
    }
    this.words.fill(poisonWord, at >> 2, (at + bytes) >> 2);
    return { at, slot };
  }

  /** A tensor copy sets out: what threads stored there must have been fenced. It has no bank conflicts. */
  departBulk(site: Site, w: number, l: number, offset: number, bytes: number): { at: number; slot: number } {
    const left = this.depart(site, w, l, offset, bytes, 128);
    site.counter.drop();
    if (left.slot === 0) return left;
    this.flights[left.slot]!.proxy = true;
    for (let g = left.at >> this.shift; g <= (left.at + bytes - 1) >> this.shift; g++) {
      const writer = this.writer[g]!;
      if (this.holds[g] !== 0 && this.issued[g] === 0 && this.fenced[writer]! < this.writeTime[g]!)
        this.report.unfenced(site, (w << 5) + l, g, this.lastWrite(g, 'write'));
    }
    return left;
  }

  /** A proxy fence of the lanes of `mask`. */
  fence(w: number, mask: number): void {
    for (let l = 0; l < 32; l++) {
      if (((mask >>> l) & 1) === 0) continue;
      const thread = (w << 5) + l;
      this.fenced[thread] = this.clocks.now[w]!;
      this.fencedClock[thread] = this.clocks.of[thread]!;
    }
    this.clocks.advance(w);
  }

  /** The copy's bytes are there, as written by `writer` (its thread, or that thread's agent) at `time`. */
  land(slot: number, at: number, data: Uint32Array, writer: number, time: number): void {
    if (slot === 0) return;
    const { site, time: issued, proxy } = this.flights[slot]!;
    this.flights[slot] = undefined;
    this.free.push(slot);
    for (let i = 0; i < data.length; i++) {
      const byte = at + 4 * i;
      for (let g = byte >> this.shift; g <= (byte + 3) >> this.shift; g++) {
        // Something else has been written here since.
        if (this.flight[g] !== slot) continue;
        this.flight[g] = 0;
        this.writer[g] = writer;
        this.writeTime[g] = time;
        this.writeSite[g] = site.id;
        this.issued[g] = issued;
        this.byProxy[g] = proxy ? 1 : 0;
        this.holds[g] = site.info.shared;
        this.words[byte >> 2] = data[i]!;
      }
    }
  }

  /** A synchronisation object must be visible to the thread that uses it; its bytes are not data. */
  checkVisible(site: Site, w: number, l: number, offset: number, bytes: number): number {
    const at = this.place(site, w, l, offset, bytes);
    site.counter.drop();
    if (at === this.outside) return -1;
    const thread = (w << 5) + l;
    const g = at >> this.shift;
    const writer = this.writer[g]!;
    if (
      this.holds[g] === site.info.shared &&
      writer !== thread &&
      this.clocks.of[thread]![writer]! < this.writeTime[g]!
    )
      this.report.race(site, thread, g, this.lastWrite(g, 'read'));
    return at;
  }
}
