/** From byte offsets and element indices to indices of 32-bit words or vectors. */
import {
  add,
  and,
  constI,
  intOf,
  mul,
  rangeOf,
  select,
  shl,
  shr,
  sub,
  xor,
} from '../../../compiler/thread/build.ts';
import type { Expr } from '../../../compiler/thread/nodes.ts';

/** e / 2^bits where its form shows that this is exact. */
function divideExactly(e: Expr, bits: number): Expr | undefined {
  const c = intOf(e);
  if (c !== undefined) return c % 2 ** bits === 0 ? constI(c / 2 ** bits) : undefined;
  if (e.e === 'select') {
    const a = divideExactly(e.a, bits);
    const b = divideExactly(e.b, bits);
    return a && b && select(e.cond, a, b);
  }
  if (e.e !== 'binary' || e.type !== 'i32') return undefined;
  const by = intOf(e.b);
  switch (e.fn) {
    case 'add':
    case 'sub':
    case 'xor': {
      const a = divideExactly(e.a, bits);
      const b = a && divideExactly(e.b, bits);
      if (!b) return undefined;
      return e.fn === 'add' ? add(a, b) : e.fn === 'sub' ? sub(a, b) : xor(a, b);
    }
    case 'mul': {
      const b = divideExactly(e.b, bits);
      if (b) return mul(e.a, b);
      const a = divideExactly(e.a, bits);
      return a && mul(a, e.b);
    }
    case 'shl':
      return by !== undefined && by >= bits ? shl(e.a, by - bits) : undefined;
    case 'and':
      if (by === undefined || by % 2 ** bits !== 0) return undefined;
      return and(divideExactly(e.a, bits) ?? shr(e.a, bits), by / 2 ** bits);
    default:
      return undefined;
  }
}

/** e >> bits, with the shift moved to where it costs least. Addresses do not wrap. */
export function shiftRight(e: Expr, bits: number): Expr {
  if (bits === 0) return e;
  const exact = divideExactly(e, bits);
  if (exact) return exact;
  if (e.e === 'binary' && e.fn === 'mul') {
    const c = intOf(e.b) ?? 1;
    const twos = Math.min(bits, 31 - Math.clz32(c & -c));
    if (twos > 0) return shiftRight(mul(e.a, c / 2 ** twos), bits - twos);
  }
  if (e.e === 'binary' && e.fn === 'shr') {
    const by = intOf(e.b);
    if (by !== undefined && by >= 0 && by + bits < 32) return shr(e.a, by + bits);
  }
  if (e.e === 'binary' && e.fn === 'add') {
    const a = divideExactly(e.a, bits);
    if (a) return add(a, shiftRight(e.b, bits));
    const b = divideExactly(e.b, bits);
    if (b) return add(shiftRight(e.a, bits), b);
  }
  return shr(e, bits);
}

export const isPowerOfTwo = (x: number): boolean => x > 0 && (x & (x - 1)) === 0;
export const nonNegative = (e: Expr): boolean => rangeOf(e).lo >= 0;
