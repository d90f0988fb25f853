/**
 * Interval analysis of integer expressions, so that address arithmetic folds only where that is exact: dividing a sum
 * term by term, for example, needs every term to be non-negative and the sum not to wrap.
 */
import type { Expr, Var } from './nodes.ts';

export interface Range {
  readonly lo: number;
  readonly hi: number;
}

const i32: Range = { lo: -(2 ** 31), hi: 2 ** 31 - 1 };
const u32: Range = { lo: 0, hi: 2 ** 32 - 1 };
const known = new WeakMap<Var, Range>();

/** Promises that `v` always lies in [lo, hi]; loops note it for their induction variables. */
export function noteRange(v: Var, lo: number, hi: number): void {
  known.set(v, { lo, hi });
}

const full = (e: Expr): Range => (e.type === 'u32' ? u32 : i32);
const within = (r: Range, e: Expr): Range => (r.lo >= full(e).lo && r.hi <= full(e).hi ? r : full(e));
const corners = (a: Range, b: Range, f: (x: number, y: number) => number): Range => {
  const all = [f(a.lo, b.lo), f(a.lo, b.hi), f(a.hi, b.lo), f(a.hi, b.hi)];
  return { lo: Math.min(...all), hi: Math.max(...all) };
};

/** Bounds of an integer expression; the type's own bounds where nothing better is known. */
export function rangeOf(e: Expr): Range {
  switch (e.e) {
    case 'const':
      return { lo: Number(e.value), hi: Number(e.value) };
    case 'threadId':
      return { lo: 0, hi: 1023 };
    case 'blockId':
      return { lo: 0, hi: i32.hi };
    case 'var':
      return known.get(e.var) ?? full(e);
    case 'convert':
      if (e.a.type === 'bool') return { lo: 0, hi: 1 };
      return e.a.type === 'f32' ? full(e) : within(rangeOf(e.a), e);
    case 'select':
      return join(rangeOf(e.a), rangeOf(e.b));
    case 'guard':
      return join(rangeOf(e.value), rangeOf(e.other));
    case 'binary':
      return within(binaryRange(e), e);
    default:
      return full(e);
  }
}

const join = (a: Range, b: Range): Range => ({ lo: Math.min(a.lo, b.lo), hi: Math.max(a.hi, b.hi) });

/** The smallest 2^k - 1 that is at least x. */
const mask = (x: number): number => 2 ** Math.ceil(Math.log2(x + 1)) - 1;

function binaryRange(e: Extract<Expr, { e: 'binary' }>): Range {
  const a = rangeOf(e.a);
  const b = rangeOf(e.b);
  switch (e.fn) {
    case 'add':
      return { lo: a.lo + b.lo, hi: a.hi + b.hi };
    case 'sub':
      return { lo: a.lo - b.hi, hi: a.hi - b.lo };
    case 'mul':
      return corners(a, b, (x, y) => x * y);
    case 'min':
      return { lo: Math.min(a.lo, b.lo), hi: Math.min(a.hi, b.hi) };
    case 'max':
      return { lo: Math.max(a.lo, b.lo), hi: Math.max(a.hi, b.hi) };
    case 'div':
      return b.lo > 0 ? corners(a, b, (x, y) => Math.trunc(x / y) + 0) : full(e);
    case 'rem':
      if (b.lo <= 0) return full(e);
      return { lo: a.lo >= 0 ? 0 : Math.max(a.lo, 1 - b.hi), hi: a.hi <= 0 ? 0 : Math.min(a.hi, b.hi - 1) };
    case 'and':
      if (b.lo >= 0) return { lo: 0, hi: a.lo >= 0 ? Math.min(a.hi, b.hi) : b.hi };
      return a.lo >= 0 ? { lo: 0, hi: a.hi } : full(e);
    case 'or':
    case 'xor':
      return a.lo >= 0 && b.lo >= 0 ? { lo: 0, hi: mask(Math.max(a.hi, b.hi)) } : full(e);
    case 'shl':
      return b.lo >= 0 && b.hi <= 31 ? corners(a, b, (x, y) => x * 2 ** y) : full(e);
    case 'shr':
      return b.lo >= 0 && b.hi <= 31 ? corners(a, b, (x, y) => Math.floor(x / 2 ** y)) : full(e);
  }
}
