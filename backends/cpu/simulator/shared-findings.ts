/** The words for what goes wrong in shared memory. */
import type { Code } from '../../../compiler/diagnostics/catalogue.ts';
import type { Note } from '../../../compiler/diagnostics/error.ts';
import { showBlock, type Context } from './context.ts';
import type { Flight, SharedMemory } from './shared.ts';
import type { Site } from './site.ts';

export interface Conflict {
  /** The earlier access. */
  readonly thread: number;
  readonly site: number;
  readonly was: 'read' | 'write';
  readonly is: 'read' | 'write';
  /** For what a copy wrote: when it set out; else 0. */
  readonly issued: number;
}

const hex = (x: number): string => `0x${(x >>> 0).toString(16).padStart(8, '0')}`;

export class SharedFindings {
  private readonly context: Context;
  private readonly memory: SharedMemory;

  constructor(context: Context, memory: SharedMemory) {
    this.context = context;
    this.memory = memory;
  }

  /** "byte 128 of ks" */
  private where(site: Site, granule: number): string {
    const b = this.memory.buffer(site);
    return `byte ${(granule << this.memory.shift) - b.offset} of ${b.name}`;
  }

  private thread(t: number): string {
    const lanes = this.context.clocks.lanes;
    const who = t >= lanes ? `the copy of thread ${t - lanes}` : `thread ${t}`;
    return `${who} (warp ${(t % lanes) >> 5})`;
  }

  private word(granule: number): string {
    return hex(this.memory.words[(granule << this.memory.shift) >> 2]!);
  }

  private buffer(site: Site): Note {
    const b = this.memory.buffer(site);
    return { text: `${b.name}: ${b.bytes} B of shared memory (${b.note})`, span: b.span };
  }

  private add(code: Code, key: string, site: Site, message: string, notes: Note[], help: string): void {
    this.context.findings.add(key, code, message, site.span, [...notes, this.buffer(site)], help);
  }

  outside(site: Site, thread: number, offset: number, bytes: number): void {
    const key = `outside ${site.place}`;
    if (this.context.findings.repeated(key)) return;
    const b = this.memory.buffer(site);
    this.add(
      'PAT0405',
      key,
      site,
      `${this.thread(thread)} of block ${showBlock(this.context)} accesses bytes ${offset} to ${offset + bytes - 1} of ${b.name}, which has ${b.bytes} B`,
      [],
      'check the index arithmetic of this access against the extent of the tile',
    );
  }

  misaligned(site: Site, thread: number, offset: number, bytes: number, align: number): void {
    const key = `misaligned ${site.place}`;
    if (this.context.findings.repeated(key)) return;
    this.add(
      'PAT0411',
      key,
      site,
      `${this.thread(thread)} accesses ${bytes} B at offset ${offset}, which is not a multiple of ${align}`,
      [],
      'vector accesses and matrix rows must be aligned to their size',
    );
  }

  uninitialised(site: Site, thread: number, granule: number, holds: number): void {
    const key = `uninitialised ${site.place} ${holds}`;
    if (this.context.findings.repeated(key)) return;
    const other = holds === 0 ? undefined : this.context.kernel.shared[holds - 1]!;
    const notes: Note[] = other
      ? [{ text: `the bytes hold data of ${other.name}, which shares the place`, span: other.span }]
      : [];
    this.add(
      'PAT0404',
      key,
      site,
      `${this.thread(thread)} of block ${showBlock(this.context)} reads ${this.where(site, granule)}, which nothing has written`,
      notes,
      'store to it before, or mask the read',
    );
  }

  /** A tensor copy over bytes, or a wgmma of bytes, that a thread wrote and nothing fenced. */
  unfenced(site: Site, thread: number, granule: number, earlier: Conflict): void {
    const other = this.context.sites[earlier.site]!;
    const key = `unfenced ${site.place} ${other.place}`;
    if (this.context.findings.repeated(key)) return;
    this.add(
      'PAT0401',
      key,
      site,
      `a ${earlier.is === 'read' ? 'wgmma' : 'tensor copy'} of ${this.thread(thread)} of block ${showBlock(this.context)} ${earlier.is === 'read' ? 'reads' : 'overwrites'} ${this.where(site, granule)}, which ${this.thread(earlier.thread)} wrote without a proxy fence after it`,
      [{ text: `${this.thread(earlier.thread)} wrote it here`, span: other.span }],
      'put a proxy fence behind the write, before what lets the copy or the wgmma go',
    );
  }

  race(site: Site, thread: number, granule: number, earlier: Conflict): void {
    const { lanes } = this.context.clocks;
    // Threads may know that a copy set out, and not that it arrived: then no wait covered it before they met.
    const clock = this.context.clocks.of[thread]!;
    const copy = earlier.issued > 0 && clock[earlier.thread % lanes]! >= earlier.issued;
    const code = copy ? 'PAT0406' : 'PAT0401';
    const past = { read: 'read', write: earlier.issued > 0 ? 'copied' : 'wrote' }[earlier.was];
    const other = this.context.sites[earlier.site]!;
    const key = `${code} ${site.place} ${other.place} ${past} ${earlier.is}`;
    if (this.context.findings.repeated(key)) return;
    const value = earlier.is === 'read' || earlier.was === 'write' ? ` (it holds ${this.word(granule)})` : '';
    const verb = { read: 'reads', write: 'writes' }[earlier.is];
    this.add(
      code,
      key,
      site,
      `${this.thread(thread)} of block ${showBlock(this.context)} ${verb} ${this.where(site, granule)}${value}, which ${this.thread(earlier.thread)} ${past}, and nothing orders the two`,
      [{ text: `${this.thread(earlier.thread)} ${past} it here`, span: other.span }],
      copy
        ? 'wait for the copy before the barrier (or on the mbarrier that tracks it)'
        : 'put a barrier between the two accesses, or let one thread do both',
    );
  }

  /** An access to bytes that a copy is still writing. */
  inFlight(site: Site, thread: number, granule: number, flight: Flight, what: 'read' | 'overwrite'): void {
    const clock = this.context.clocks.of[thread]!;
    const known = flight.thread === thread || clock[flight.thread]! >= flight.time;
    const code = known ? 'PAT0406' : 'PAT0401';
    const key = `${code} ${site.place} ${flight.site.place} copied ${what === 'read' ? 'read' : 'write'}`;
    if (this.context.findings.repeated(key)) return;
    const verb = what === 'read' ? 'reads' : 'overwrites';
    this.add(
      code,
      key,
      site,
      `${this.thread(thread)} of block ${showBlock(this.context)} ${verb} ${this.where(site, granule)} while the copy that ${this.thread(flight.thread)} started is still on its way`,
      [{ text: `the copy starts here`, span: flight.site.span }],
      known
        ? 'the last wait leaves this copy pending: let it cover one group more'
        : 'wait for the copy, then put a barrier between the wait and this access',
    );
  }
}
