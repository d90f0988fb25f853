/** A place in the kernel that touches memory or synchronises: what findings point at. */
import { showSpan, type Span } from '../../../compiler/ir/span.ts';
import { AccessCounter, type AccessKind, type AccessStatistics } from './statistics.ts';

export interface SiteInfo {
  readonly span: Span;
  readonly space: 'shared' | 'global' | 'none';
  readonly kind: AccessKind | 'barrier' | 'mbarrier' | 'register' | 'warp' | 'wait' | 'loop';
  readonly buffer: string;
  /** Bytes per lane. */
  readonly width: number;
  /** Id of the shared buffer, from 1; 0 for none. */
  readonly shared: number;
  /** Of a barrier that only the first threads take part in: how many. */
  readonly threads?: number;
  /** The innermost condition or loop around it whose lanes may part. */
  readonly control?: Span | undefined;
}

export class Site {
  readonly id: number;
  readonly info: SiteInfo;
  readonly counter: AccessCounter;
  /** Findings at one place of the author's are one finding, however often lowering repeated the statement. */
  readonly place: string;

  constructor(id: number, info: SiteInfo) {
    this.id = id;
    this.info = info;
    this.place = `${showSpan(info.span)} ${info.buffer}`;
    this.counter = new AccessCounter(info.width);
  }

  get span(): Span {
    return this.info.span;
  }
}

/** Counts per access as the author wrote it: statements that one line became are counted together. */
export function accessesOf(sites: readonly Site[]): AccessStatistics[] {
  const merged = new Map<string, AccessStatistics>();
  for (const { info, counter, place } of sites) {
    const { span, space, kind, buffer, width } = info;
    if (space === 'none' || counter.requests === 0) continue;
    const key = `${place} ${space} ${kind} ${width}`;
    const old = merged.get(key) ?? { requests: 0, spent: 0, ideal: 0, worst: 0 };
    merged.set(key, {
      span,
      space,
      kind: kind as AccessKind,
      buffer,
      width,
      requests: old.requests + counter.requests,
      spent: old.spent + counter.spent,
      ideal: old.ideal + counter.ideal,
      worst: Math.max(old.worst, counter.worst),
    });
  }
  return [...merged.values()];
}
