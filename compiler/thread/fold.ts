/** What Thread IR operators compute on constants: 32-bit wrapping integers, f32 rounded after every operator. */
import { roundBf16, roundF16 } from '../ir/numeric.ts';
import type { BinaryName, CompareName, HalfType, RegType, UnaryName } from './nodes.ts';

export type Constant = number | boolean;

const view = new DataView(new ArrayBuffer(4));

/** f32 to the nearest value of the half type (ties to even), as f32. */
export const roundHalf = (to: HalfType, x: number): number => (to === 'f16' ? roundF16(x) : roundBf16(x));

/** The value as the register type holds it. */
export function normalise(type: RegType, x: number): number {
  if (type === 'f32') return Math.fround(x);
  return type === 'i32' ? x | 0 : x >>> 0;
}

/** Undefined where the operator has no value at these constants (division by zero) or folding would not be exact. */
export function foldBinary(fn: BinaryName, type: RegType, a: Constant, b: Constant): Constant | undefined {
  if (typeof a === 'boolean' || typeof b === 'boolean') {
    if (fn === 'and') return Boolean(a) && Boolean(b);
    if (fn === 'or') return Boolean(a) || Boolean(b);
    return fn === 'xor' ? Boolean(a) !== Boolean(b) : undefined;
  }
  const float = type === 'f32';
  switch (fn) {
    case 'add':
      return normalise(type, a + b);
    case 'sub':
      return normalise(type, a - b);
    case 'mul':
      return float ? Math.fround(a * b) : normalise(type, Math.imul(a, b));
    case 'div':
      if (float) return Math.fround(a / b);
      return b === 0 ? undefined : normalise(type, Math.trunc(a / b));
    case 'rem':
      if (float) return b === 0 ? undefined : Math.fround(a % b);
      return b === 0 ? undefined : normalise(type, a % b);
    case 'min':
      return Math.min(a, b);
    case 'max':
      return Math.max(a, b);
    default:
      return float ? undefined : foldBits(fn, type, a, b);
  }
}

function foldBits(fn: BinaryName, type: RegType, a: number, b: number): number | undefined {
  switch (fn) {
    case 'and':
      return normalise(type, a & b);
    case 'or':
      return normalise(type, a | b);
    case 'xor':
      return normalise(type, a ^ b);
    case 'shl':
      return b < 0 || b > 31 ? undefined : normalise(type, a << b);
    case 'shr':
      if (b < 0 || b > 31) return undefined;
      return type === 'i32' ? a >> b : a >>> b;
    default:
      return undefined;
  }
}

/** Only functions whose f32 result is the same everywhere. */
export function foldUnary(fn: UnaryName, type: RegType, a: Constant): Constant | undefined {
  if (typeof a === 'boolean') return fn === 'not' ? !a : undefined;
  switch (fn) {
    case 'neg':
      return normalise(type, -a);
    case 'abs':
      return normalise(type, Math.abs(a));
    case 'floor':
      return Math.floor(a);
    case 'ceil':
      return Math.ceil(a);
    case 'sqrt':
      return Math.fround(Math.sqrt(a));
    case 'not':
      return type === 'f32' ? undefined : normalise(type, ~a);
    default:
      return undefined;
  }
}

export function foldCompare(fn: CompareName, a: Constant, b: Constant): boolean {
  switch (fn) {
    case 'lt':
      return a < b;
    case 'le':
      return a <= b;
    case 'gt':
      return a > b;
    case 'ge':
      return a >= b;
    case 'eq':
      return a === b;
    case 'ne':
      return a !== b;
  }
}

/** Float to integer truncates and saturates; NaN gives 0. */
export function foldConvert(from: RegType, to: RegType, a: Constant): Constant {
  if (to === from) return a;
  if (to === 'bool') return Boolean(a);
  const x = Number(a);
  if (to === 'f32') return Math.fround(x);
  if (from !== 'f32') return normalise(to, x);
  if (Number.isNaN(x)) return 0;
  const [low, high] = to === 'i32' ? [-(2 ** 31), 2 ** 31 - 1] : [0, 2 ** 32 - 1];
  return Math.min(high, Math.max(low, Math.trunc(x))) + 0;
}

export function foldBitcast(from: RegType, to: RegType, a: number): number {
  if (from === 'f32') view.setFloat32(0, a);
  else view.setUint32(0, a >>> 0);
  if (to === 'f32') return view.getFloat32(0);
  return to === 'i32' ? view.getInt32(0) : view.getUint32(0);
}
