/**
 * Over which threads values agree: divergence analysis, optimistic where memory or shuffles are involved. It serves to
 * refute claims (a barrier under a condition that depends on the thread), not to prove them; the simulator sees the rest.
 */
import { childrenOf } from './walk.ts';
import type { Expr, LValue, Stmt, Var } from './nodes.ts';

export type Uniformity = 'block' | 'warp' | 'none';

const order: Readonly<Record<Uniformity, number>> = { none: 0, warp: 1, block: 2 };
export function meet(...levels: readonly Uniformity[]): Uniformity {
  let least: Uniformity = 'block';
  for (const level of levels) if (order[level] < order[least]) least = level;
  return least;
}
export const atLeast = (level: Uniformity, need: Uniformity): boolean => order[level] >= order[need];

const lanes = 32;

/** Levels of variables, by a fixed point over the kernel's statements: they only fall, so what is at 'none' is done. */
export class Divergence {
  private readonly levels = new Map<Var, Uniformity>();
  private changed = false;

  constructor(body: readonly Stmt[]) {
    do {
      this.changed = false;
      this.block(body, 'block');
    } while (this.changed);
  }

  of(e: Expr): Uniformity {
    switch (e.e) {
      case 'threadId':
        return 'none';
      case 'var':
        return this.levels.get(e.var) ?? 'block';
      case 'element':
        return meet(this.levels.get(e.var) ?? 'block', this.of(e.index));
      case 'binary':
        return isWarpIndex(e) ? 'warp' : this.children(e);
      case 'compare':
        return isWarpBound(e) ? 'warp' : this.children(e);
      default:
        return this.children(e);
    }
  }

  private children(e: Expr): Uniformity {
    let least: Uniformity = 'block';
    for (const x of childrenOf(e)) least = meet(least, this.of(x));
    return least;
  }

  /** `value`: what is written, looked at only where it can still lower a target. */
  private lower(targets: readonly LValue[], flow: Uniformity, ...value: readonly (Expr | undefined)[]): void {
    let level: Uniformity | undefined;
    for (const { var: v, index } of targets) {
      const before = this.levels.get(v) ?? 'block';
      if (before === 'none') continue;
      level ??= meet(flow, ...value.map((e) => (e ? this.of(e) : 'block')));
      const after = meet(before, level, index ? this.of(index) : 'block');
      if (after === before) continue;
      this.levels.set(v, after);
      this.changed = true;
    }
  }

  private block(body: readonly Stmt[], flow: Uniformity): void {
    for (const s of body) this.stmt(s, flow);
  }

  private stmt(s: Stmt, flow: Uniformity): void {
    switch (s.s) {
      case 'declare':
        if (s.init) this.lower([{ var: s.var }], flow, s.init);
        return;
      case 'assign':
        return this.lower([s.to], flow, s.value);
      case 'for': {
        const level = meet(flow, this.of(s.lo), this.of(s.hi));
        this.lower([{ var: s.iv }], level);
        return this.block(s.body, level);
      }
      case 'while':
        return this.block(s.body, meet(flow, this.of(s.cond)));
      case 'if': {
        const level = meet(flow, this.of(s.cond));
        this.block(s.then, level);
        return this.block(s.else, level);
      }
      case 'loadGlobalWords':
        return this.lower(s.dst, flow, s.index, s.pred);
      case 'loadShared':
        return this.lower(s.dst, flow, s.offset);
      case 'ldmatrix':
        return this.lower(s.dst, 'none');
      case 'mma':
      case 'wgmma':
        return this.lower(s.acc, 'none');
      case 'shuffleXor':
        // A butterfly may well have made it the same in all lanes.
        return this.lower([s.dst], meet(flow, 'warp'));
      case 'warpAny':
        return this.lower([s.dst], meet(flow, 'warp'));
      default:
        return;
    }
  }
}

/** threadId divided by whole warps. */
function isWarpIndex(e: Extract<Expr, { e: 'binary' }>): boolean {
  if (e.a.e !== 'threadId' || e.b.e !== 'const') return false;
  const c = Number(e.b.value);
  return (e.fn === 'div' && c > 0 && c % lanes === 0) || (e.fn === 'shr' && c >= 5);
}

/** threadId below or above a whole number of warps. */
function isWarpBound(e: Extract<Expr, { e: 'compare' }>): boolean {
  if (e.a.e !== 'threadId' || e.b.e !== 'const') return false;
  const c = Number(e.b.value);
  if (e.fn === 'lt' || e.fn === 'ge') return c % lanes === 0;
  return (e.fn === 'le' || e.fn === 'gt') && (c + 1) % lanes === 0;
}
