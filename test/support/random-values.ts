/**
 * Values of a random program, with what is known of their numbers: an interval that holds them, and a bound on how far two
 * correct executors may differ. Ops are only applied where the interval keeps the result tame, so that every generated
 * program is a fair comparison, and comparisons are only made of values that all executors agree on exactly.
 */
import type { BinaryFn, Element, UnaryFn } from '../../compiler/ir/nodes.ts';
import type { Tile } from '../../dsl/index.ts';

export interface Val {
  readonly t: Tile;
  readonly lo: number;
  readonly hi: number;
  /** Largest difference between two executors; 0 for values that must agree exactly. */
  readonly err: number;
}

export const elementOf = (v: Val): Element => v.t.element as Element;
export const shapeOf = (v: Val): readonly number[] => v.t.shape as readonly number[];
export const sizeOfVal = (v: Val): number => shapeOf(v).reduce((a, b) => a * b, 1);
export const isFloatVal = (v: Val): boolean => ['f32', 'f16', 'bf16'].includes(elementOf(v));
export const isIntVal = (v: Val): boolean => ['i32', 'u32'].includes(elementOf(v));
export const magnitude = (v: Val): number => Math.max(Math.abs(v.lo), Math.abs(v.hi));

/** Relative difference per rounding: one unit in the last place of a half, a few of an f32. */
const slack: Record<string, number> = { f32: 2 ** -21, f16: 2 ** -10, bf16: 2 ** -7 };
/** Magnitudes kept below this: far from overflow even when squared once more. */
const limit: Record<string, number> = { f32: 4096, f16: 128, bf16: 4096, i32: 2 ** 20, u32: 2 ** 20 };

/** An error beyond this part of the numbers would make a comparison empty. */
export const coarse = 0.02;

export const rounding = (element: Element, mag: number): number => (slack[element] ?? 0) * mag;

/** The value, or undefined when its numbers would leave the tame range. */
export function tame(t: Tile, lo: number, hi: number, err: number): Val | undefined {
  const mag = Math.max(Math.abs(lo), Math.abs(hi));
  if (!Number.isFinite(mag) || mag > (limit[t.element as string] ?? 1)) return undefined;
  if (err > coarse * Math.max(1, mag)) return undefined;
  return { t, lo, hi, err };
}

type Made = Val | undefined;

/** Whether a op b may be formed; its interval and error. `make` is only called when it may. */
export function binaryOf(fn: BinaryFn, a: Val, b: Val): Made {
  const element = elementOf(a);
  const float = isFloatVal(a);
  const apply = (): Tile => (a.t as unknown as Record<string, (b: Tile) => Tile>)[fn]!(b.t);
  const make = (lo: number, hi: number, err: number): Made => {
    const mag = Math.max(Math.abs(lo), Math.abs(hi));
    const total = float ? err + rounding(element, mag) : 0;
    if (element === 'u32' && lo < 0) return undefined;
    if (mag > limit[element]! || total > coarse * Math.max(1, mag)) return undefined;
    return { t: apply(), lo, hi, err: total };
  };
  if (element === 'bool' && fn !== 'and' && fn !== 'or' && fn !== 'xor') return undefined;
  const products = [a.lo * b.lo, a.lo * b.hi, a.hi * b.lo, a.hi * b.hi];
  switch (fn) {
    case 'add':
      return make(a.lo + b.lo, a.hi + b.hi, a.err + b.err);
    case 'sub':
      return make(a.lo - b.hi, a.hi - b.lo, a.err + b.err);
    case 'mul':
      return make(
        Math.min(...products),
        Math.max(...products),
        magnitude(a) * b.err + magnitude(b) * a.err + a.err * b.err,
      );
    case 'min':
      return { t: apply(), lo: Math.min(a.lo, b.lo), hi: Math.min(a.hi, b.hi), err: Math.max(a.err, b.err) };
    case 'max':
      return { t: apply(), lo: Math.max(a.lo, b.lo), hi: Math.max(a.hi, b.hi), err: Math.max(a.err, b.err) };
    case 'div': {
      const least = b.lo > 0 ? b.lo : b.hi < 0 ? -b.hi : 0;
      if (least < (float ? 0.25 : 1)) return undefined;
      const most = magnitude(a) / least;
      if (!float)
        return make(
          a.lo < 0 || b.lo < 0 ? -Math.floor(most) : 0,
          a.hi > 0 || b.lo < 0 ? Math.floor(most) : 0,
          0,
        );
      return make(-most, most, a.err / least + (magnitude(a) * b.err) / least ** 2);
    }
    case 'rem': {
      // Of floats a tiny difference can turn the result by a whole divisor.
      if (float || b.lo < 1) return undefined;
      return { t: apply(), lo: a.lo < 0 ? -(b.hi - 1) : 0, hi: b.hi - 1, err: 0 };
    }
    case 'and':
    case 'or':
    case 'xor': {
      if (element === 'bool') return { t: apply(), lo: 0, hi: 1, err: 0 };
      if (float || a.lo < 0 || b.lo < 0) return undefined;
      const bits = 2 ** Math.ceil(Math.log2(Math.max(a.hi, b.hi) + 1)) - 1;
      return { t: apply(), lo: 0, hi: bits, err: 0 };
    }
    case 'shl':
      if (float || a.lo < 0 || b.lo < 0 || b.hi > 4) return undefined;
      return make(0, a.hi * 2 ** b.hi, 0);
    case 'shr':
      if (float || a.lo < 0 || b.lo < 0 || b.hi > 8) return undefined;
      return make(0, a.hi, 0);
  }
}

/** The function where its argument keeps it tame; undefined elsewhere. */
export function unaryOf(fn: UnaryFn, a: Val): Made {
  const element = elementOf(a);
  const mag = magnitude(a);
  const apply = (): Tile => (a.t as unknown as Record<string, () => Tile>)[fn]!();
  if (element === 'bool') return fn === 'not' ? { t: apply(), lo: 0, hi: 1, err: 0 } : undefined;
  const make = (ok: boolean, lo: number, hi: number, slope: number, extra = 0): Made => {
    if (!ok) return undefined;
    const most = Math.max(Math.abs(lo), Math.abs(hi));
    const err = slope * a.err + extra + 2 * rounding(element, most);
    return most > limit[element]! || err > coarse * Math.max(1, most)
      ? undefined
      : { t: apply(), lo, hi, err };
  };
  if (fn === 'neg' || fn === 'abs') {
    if (fn === 'neg' && element === 'u32') return undefined;
    if (fn === 'neg') return { t: apply(), lo: -a.hi, hi: -a.lo, err: a.err };
    return { t: apply(), lo: a.lo > 0 ? a.lo : a.hi < 0 ? -a.hi : 0, hi: mag, err: a.err };
  }
  if (!isFloatVal(a)) return undefined;
  // Half an ulp of the argument also moves the result of a steep function computed in the element type.
  switch (fn) {
    case 'exp':
      return make(
        a.hi <= 4 && a.lo >= -8,
        Math.exp(a.lo),
        Math.exp(a.hi),
        Math.exp(a.hi),
        rounding(element, 2 * mag * Math.exp(a.hi)),
      );
    case 'exp2':
      return make(
        a.hi <= 6 && a.lo >= -12,
        2 ** a.lo,
        2 ** a.hi,
        2 ** a.hi,
        rounding(element, 2 * mag * 2 ** a.hi),
      );
    case 'log':
      return make(a.lo >= 0.25, Math.log(a.lo), Math.log(a.hi), 4, rounding(element, 1));
    case 'log2':
      return make(a.lo >= 0.25, Math.log2(a.lo), Math.log2(a.hi), 6, rounding(element, 1));
    case 'sqrt':
      return make(a.lo >= 0.25, Math.sqrt(a.lo), Math.sqrt(a.hi), 1);
    case 'rsqrt':
      return make(a.lo >= 0.25, 1 / Math.sqrt(a.hi), 1 / Math.sqrt(a.lo), 4);
    case 'tanh':
    case 'erf':
      return make(mag <= 8, -1, 1, 1.2, 2 ** -18);
    case 'sin':
    case 'cos':
      // WGSL promises 2^-11 within [-pi, pi] only.
      return make(mag <= 3, -1, 1, 1, 2 ** -10);
    case 'floor':
    case 'ceil':
      return a.err === 0 ? { t: apply(), lo: Math.floor(a.lo), hi: Math.ceil(a.hi), err: 0 } : undefined;
    default:
      return undefined;
  }
}

/** Casts that every executor must agree on up to the rounding of the target. */
export function castOf(a: Val, to: Element): Made {
  const from = elementOf(a);
  if (from === to || to === 'bool') return undefined;
  const mag = magnitude(a);
  if (mag > limit[to]!) return undefined;
  if (to === 'i32' || to === 'u32') {
    if (a.err > 0 || (to === 'u32' && a.lo < 0)) return undefined;
    return { t: a.t.cast(to), lo: Math.floor(a.lo), hi: Math.ceil(a.hi), err: 0 };
  }
  // To f32 nothing is lost; to a half both sides round, the same way only when they agree before.
  const exact = to === 'f32' || a.err === 0;
  return tame(a.t.cast(to), a.lo, a.hi, exact ? a.err : a.err + rounding(to, mag));
}
