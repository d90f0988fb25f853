/**
 * What arithmetic means, by family of element, as JavaScript expressions over `x` and `y`.
 *
 * The typed array that takes the result finishes the job: storing to a Float32Array rounds to f32 (correctly, since the
 * f64 result of + - * / and sqrt on f32 operands rounds to f32 as if computed once), storing to an Int32Array or
 * Uint32Array truncates and wraps at 32 bits. Halves round once more, from the f32 result. So: division by integer
 * zero gives 0, shifts count modulo 32, min and max pass a NaN on.
 */
import type { BinaryFn, CompareFn, ReduceFn, UnaryFn } from '../../../compiler/ir/nodes.ts';
import type { Family } from './storage.ts';

const floatUnary: Record<Exclude<UnaryFn, 'not'>, string> = {
  neg: '-x',
  abs: 'Math.abs(x)',
  exp: 'Math.exp(x)',
  exp2: '2 ** x',
  log: 'Math.log(x)',
  log2: 'Math.log2(x)',
  sqrt: 'Math.sqrt(x)',
  rsqrt: '1 / Math.sqrt(x)',
  tanh: 'Math.tanh(x)',
  erf: 'erf(x)',
  sin: 'Math.sin(x)',
  cos: 'Math.cos(x)',
  floor: 'Math.floor(x)',
  ceil: 'Math.ceil(x)',
};
const integerUnary: Partial<Record<UnaryFn, string>> = { neg: '-x', abs: 'Math.abs(x)', not: '~x' };
const boolUnary: Partial<Record<UnaryFn, string>> = { not: 'x ^ 1' };

const floatBinary: Partial<Record<BinaryFn, string>> = {
  add: 'x + y',
  sub: 'x - y',
  mul: 'x * y',
  div: 'x / y',
  rem: 'x % y',
  min: 'Math.min(x, y)',
  max: 'Math.max(x, y)',
};
const i32Binary: Record<BinaryFn, string> = {
  ...(floatBinary as Record<'add' | 'sub' | 'div' | 'rem' | 'min' | 'max', string>),
  mul: 'Math.imul(x, y)',
  and: 'x & y',
  or: 'x | y',
  xor: 'x ^ y',
  shl: 'x << y',
  shr: 'x >> y',
};
const u32Binary: Record<BinaryFn, string> = { ...i32Binary, shr: 'x >>> y' };
const boolBinary: Partial<Record<BinaryFn, string>> = { and: 'x & y', or: 'x | y', xor: 'x ^ y' };

export function unaryExpression(fn: UnaryFn, family: Family): string | undefined {
  if (family === 'float') return fn === 'not' ? undefined : floatUnary[fn];
  return (family === 'bool' ? boolUnary : integerUnary)[fn];
}

export function binaryExpression(fn: BinaryFn, family: Family): string | undefined {
  return { float: floatBinary, i32: i32Binary, u32: u32Binary, bool: boolBinary }[family][fn];
}

const compare: Record<CompareFn, string> = { lt: '<', le: '<=', gt: '>', ge: '>=', eq: '===', ne: '!==' };

export const compareExpression = (fn: CompareFn): string => `x ${compare[fn]} y ? 1 : 0`;

/** Float to integer truncates and saturates, NaN gives 0; i32 and u32 exchange bits; there is no cast to bool. */
export function castExpression(from: Family, to: Family): string {
  if (from !== 'float' || to === 'float') return 'x';
  return to === 'i32'
    ? 'Math.max(-2147483648, Math.min(2147483647, x))'
    : 'Math.max(0, Math.min(4294967295, x))';
}

/** Folds the next element `x` into `s`, which stays in the family's range. */
export function foldExpression(fn: ReduceFn, family: Exclude<Family, 'bool'>): string {
  if (fn !== 'sum') return `Math.${fn}(s, x)`;
  return { float: 'Math.fround(s + x)', i32: '(s + x) | 0', u32: '(s + x) >>> 0' }[family];
}
