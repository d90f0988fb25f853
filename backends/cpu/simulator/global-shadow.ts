/**
 * Who touched each element of a global array in this launch. Blocks are never ordered, so any two accesses of different
 * blocks conflict where one of them writes (atomics among themselves do not); within a block vector clocks decide.
 */
import type { Context } from './context.ts';
import type { Site } from './site.ts';

export type Access = 'read' | 'write' | 'atomic';

export interface Past {
  readonly access: Access;
  /** Index of the block. */
  readonly block: number;
  readonly thread: number;
  readonly time: number;
  readonly site: number;
}

/** Readers or atomics of one element that are remembered besides the first. */
const most = 64;

/** The latest access per element, and on demand the others that are not ordered before it. */
class Latest {
  readonly block: Int32Array;
  readonly thread: Int32Array;
  readonly time: Int32Array;
  readonly site: Int32Array;
  readonly others = new Map<number, Past[]>();

  constructor(length: number) {
    this.block = new Int32Array(length).fill(-1);
    this.thread = new Int32Array(length);
    this.time = new Int32Array(length);
    this.site = new Int32Array(length);
  }

  set(i: number, block: number, thread: number, time: number, site: number): void {
    this.block[i] = block;
    this.thread[i] = thread;
    this.time[i] = time;
    this.site[i] = site;
  }

  forget(i: number): void {
    this.block[i] = -1;
    if (this.others.size > 0) this.others.delete(i);
  }

  get(i: number, access: Access): Past {
    return {
      access,
      block: this.block[i]!,
      thread: this.thread[i]!,
      time: this.time[i]!,
      site: this.site[i]!,
    };
  }
}

export class GlobalShadow {
  private readonly length: number;
  private readonly writes: Latest;
  /** Made at the first read and the first atomic: most outputs are only stored to. */
  private reads: Latest | undefined;
  private atomics: Latest | undefined;

  constructor(length: number) {
    this.length = length;
    this.writes = new Latest(length);
  }

  /** Records an access and gives an earlier one that it races with. */
  access(c: Context, site: Site, thread: number, i: number, access: Access): Past | undefined {
    const clock = c.clocks.of[thread]!;
    const block = c.block.index;
    let race = this.conflict(this.writes, i, 'write', block, thread, clock);
    if (access !== 'read' && this.reads) race ??= this.conflict(this.reads, i, 'read', block, thread, clock);
    if (access !== 'atomic' && this.atomics)
      race ??= this.conflict(this.atomics, i, 'atomic', block, thread, clock);
    const time = c.clocks.now[thread >> 5]!;
    if (access === 'write') {
      this.writes.set(i, block, thread, time, site.id);
      this.reads?.forget(i);
      this.atomics?.forget(i);
    } else this.keep(this.ofKind(access), i, access, block, thread, time, site, clock);
    return race;
  }

  private ofKind(access: 'read' | 'atomic'): Latest {
    if (access === 'read') return (this.reads ??= new Latest(this.length));
    return (this.atomics ??= new Latest(this.length));
  }

  private conflict(
    latest: Latest,
    i: number,
    access: Access,
    block: number,
    thread: number,
    clock: Int32Array,
  ): Past | undefined {
    const b = latest.block[i]!;
    if (b === -1) return undefined;
    const other = latest.thread[i]!;
    const ordered = b === block && (other === thread || clock[other]! >= latest.time[i]!);
    if (!ordered) return latest.get(i, access);
    if (latest.others.size === 0) return undefined;
    return latest.others
      .get(i)
      ?.find((p) => p.block !== block || (p.thread !== thread && clock[p.thread]! < p.time));
  }

  private keep(
    latest: Latest,
    i: number,
    access: Access,
    block: number,
    thread: number,
    time: number,
    site: Site,
    clock: Int32Array,
  ): void {
    const b = latest.block[i]!;
    const other = latest.thread[i]!;
    const ordered = b === -1 || (b === block && (other === thread || clock[other]! >= latest.time[i]!));
    if (!ordered) {
      const list = latest.others.get(i) ?? [];
      if (list.length === 0) latest.others.set(i, list);
      const same = list.findIndex((p) => p.block === b && p.thread === other);
      if (same >= 0) list[same] = latest.get(i, access);
      else if (list.length < most) list.push(latest.get(i, access));
    }
    latest.set(i, block, thread, time, site.id);
  }
}
