/** Bank conflicts and coalescing: what each memory access of the kernel cost, and which costs are worth a warning. */
import { showSpan, type Span } from '../../../compiler/ir/span.ts';
import type { Finding } from './report.ts';

export type AccessKind = 'load' | 'store' | 'copy' | 'ldmatrix' | 'atomic';

export interface AccessStatistics {
  readonly span: Span;
  readonly space: 'shared' | 'global';
  readonly kind: AccessKind;
  readonly buffer: string;
  /** Bytes per lane. */
  readonly width: number;
  /** Times that a warp executed it with at least one lane taking part. */
  readonly requests: number;
  /** Shared: wavefronts spent, and wavefronts that conflict-free addresses would take. Global: 32-byte sectors. */
  readonly spent: number;
  readonly ideal: number;
  /** Shared: the most words of one bank in one wavefront. Global: the most sectors of one request over its ideal. */
  readonly worst: number;
}

/** Shared memory has 32 banks of 4 bytes; global memory moves in sectors of 32 bytes. */
const banks = 32;
const sector = 32;

/** Counts for one access; lanes note their addresses, then the warp's request is closed. */
export class AccessCounter {
  requests = 0;
  spent = 0;
  ideal = 0;
  worst = 0;
  private n = 0;
  private readonly addresses = new Int32Array(32);
  private readonly lanes = new Uint8Array(32);
  private readonly width: number;

  constructor(width: number) {
    this.width = width;
  }

  note(lane: number, address: number): void {
    const n = this.n++;
    if (n >= 32) return;
    this.addresses[n] = address;
    this.lanes[n] = lane;
  }

  /** Forgets what was noted: the access is not one of data. */
  drop(): void {
    this.n = 0;
  }

  /** A wavefront serves 128 bytes: 32 lanes of 4 bytes, 16 of 8, 8 of 16. Lanes that read one word share it. */
  closeShared(seen: Int32Array, load: Int32Array): void {
    const n = Math.min(this.n, 32);
    if (n === 0) return;
    this.n = 0;
    this.requests++;
    const bytes = Math.max(4, this.width);
    const words = bytes >> 2;
    for (let i = 0; i < n;) {
      const wave = (this.lanes[i]! * bytes) >> 7;
      const stamp = ++stampCounter;
      load.fill(0);
      let degree = 1;
      for (; i < n && (this.lanes[i]! * bytes) >> 7 === wave; i++) {
        const first = this.addresses[i]! >> 2;
        for (let word = first; word < first + words; word++) {
          if (seen[word] === stamp) continue;
          seen[word] = stamp;
          const of = ++load[word % banks]!;
          if (of > degree) degree = of;
        }
      }
      this.spent += degree;
      this.ideal++;
      if (degree > this.worst) this.worst = degree;
    }
  }

  closeGlobal(): void {
    const n = Math.min(this.n, 32);
    if (n === 0) return;
    this.n = 0;
    this.requests++;
    let sectors = 0;
    let distinct = 0;
    for (let i = 0; i < n; i++) {
      const address = this.addresses[i]!;
      const place = Math.floor(address / sector);
      let newAddress = true;
      let newSector = true;
      for (let j = i - 1; j >= 0 && (newAddress || newSector); j--) {
        const other = this.addresses[j]!;
        if (other === address) newAddress = false;
        if (Math.floor(other / sector) === place) newSector = false;
      }
      if (newAddress) distinct++;
      if (newSector) sectors++;
    }
    const ideal = Math.ceil((distinct * this.width) / sector);
    // Of accesses wider than a sector only the first was counted.
    sectors *= Math.max(1, Math.ceil(this.width / sector));
    this.spent += sectors;
    this.ideal += ideal;
    if (sectors / ideal > this.worst) this.worst = sectors / ideal;
  }
}
let stampCounter = 0;

/** An access is worth a warning where it costs twice its ideal and a tenth of the kernel's total. */
export function diagnosePerformance(accesses: readonly AccessStatistics[]): Finding[] {
  const warnings: Finding[] = [];
  for (const space of ['shared', 'global'] as const) {
    const all = accesses.filter((a) => a.space === space);
    const total = all.reduce((sum, a) => sum + a.spent, 0);
    for (const a of all)
      if (a.spent >= 2 * a.ideal && a.spent - a.ideal >= 0.1 * total) warnings.push(describe(a, total));
  }
  return warnings;
}

function describe(a: AccessStatistics, total: number): Finding {
  const average = (a.spent / a.ideal).toFixed(1);
  const share = Math.round((100 * a.spent) / total);
  if (a.space === 'shared')
    return {
      code: 'PAT0409',
      message: `${a.kind} of ${a.buffer} has bank conflicts: ${a.worst} ways at worst, ${average} on average`,
      span: a.span,
      notes: [
        { text: `${a.requests} requests took ${a.spent} wavefronts, ${a.ideal} without conflicts` },
        { text: `that is ${share}% of the kernel's shared-memory time` },
      ],
      help: 'swizzle or pad the buffer, so that lanes of one wavefront fall into different banks',
      count: a.requests,
    };
  return {
    code: 'PAT0410',
    message: `${a.kind} of ${a.buffer} is not coalesced: ${average} times the sectors it needs`,
    span: a.span,
    notes: [
      {
        text: `${a.requests} requests of ${a.width} B per lane moved ${a.spent} sectors of 32 B, ${a.ideal} would do`,
      },
      { text: `that is ${share}% of the kernel's global traffic, at ${showSpan(a.span)}` },
    ],
    help: 'let neighbouring lanes take neighbouring elements',
    count: a.requests,
  };
}
