/**
 * Constructors of Thread IR expressions. They fold constants and simplify integer arithmetic, exactly: the simplified
 * expression has the same 32-bit value for every input (range.ts proves what depends on magnitudes). A plain number as an
 * operand takes the type of the other operand.
 */
import { PatcError } from '../diagnostics/error.ts';
import {
  foldBinary,
  foldBitcast,
  foldCompare,
  foldConvert,
  foldUnary,
  normalise,
  roundHalf,
  type Constant,
} from './fold.ts';
import { rangeOf } from './range.ts';
import { splitDiv } from './linear.ts';
import type {
  BinaryName,
  CompareName,
  Expr,
  GlobalBuffer,
  HalfType,
  LValue,
  RegType,
  UnaryName,
  Var,
} from './nodes.ts';

export type Operand = Expr | number | boolean;

export const constI = (value: number): Expr => ({ e: 'const', type: 'i32', value: value | 0 });
export const constU = (value: number): Expr => ({ e: 'const', type: 'u32', value: value >>> 0 });
export const constF = (value: number): Expr => ({ e: 'const', type: 'f32', value: Math.fround(value) });
export const constB = (value: boolean): Expr => ({ e: 'const', type: 'bool', value });

export const constant = (type: RegType, value: Constant): Expr =>
  type === 'bool' ? constB(Boolean(value)) : { e: 'const', type, value: normalise(type, Number(value)) };

/** The value of a constant integer expression. */
export const intOf = (e: Expr): number | undefined =>
  e.e === 'const' && typeof e.value === 'number' && e.type !== 'f32' ? e.value : undefined;

const lift = (x: Operand, other: Operand): Expr => {
  if (typeof x === 'boolean') return constB(x);
  if (typeof x !== 'number') return x;
  return typeof other === 'object' ? constant(other.type, x) : constI(x);
};

function pair(a: Operand, b: Operand): [Expr, Expr] {
  const [x, y] = [lift(a, b), lift(b, a)];
  if (x.type !== y.type) throw mismatch(`operands have types ${x.type} and ${y.type}`);
  return [x, y];
}

const mismatch = (text: string): PatcError => new PatcError({ code: 'PAT0305', message: text });

const node = (fn: BinaryName, a: Expr, b: Expr): Expr => ({ e: 'binary', type: a.type, fn, a, b });

/** The operands of a `fn` node whose right side is a constant. */
function withConst(fn: BinaryName, e: Expr): { a: Expr; c: number } | undefined {
  if (e.e !== 'binary' || e.fn !== fn) return undefined;
  const c = intOf(e.b);
  return c === undefined ? undefined : { a: e.a, c };
}

function binary(fn: BinaryName, left: Operand, right: Operand): Expr {
  const [a, b] = fn === 'shl' || fn === 'shr' ? shiftOperands(left, right) : pair(left, right);
  if (a.e === 'const' && b.e === 'const') {
    const folded = foldBinary(fn, a.type, a.value, b.value);
    if (folded !== undefined) return constant(a.type, folded);
  }
  const simple = a.type === 'f32' ? simplifyFloat(fn, a, b) : simplify(fn, a, b);
  return simple ?? node(fn, a, b);
}

/** The amount of a shift may be i32 or u32 whatever is shifted. */
function shiftOperands(left: Operand, right: Operand): [Expr, Expr] {
  const a = lift(left, right);
  return [a, typeof right === 'object' ? right : constant(a.type, right)];
}

const commutes = (fn: BinaryName): boolean =>
  fn === 'add' || fn === 'mul' || fn === 'and' || fn === 'or' || fn === 'xor' || fn === 'min' || fn === 'max';

/** Only what is exact for signed zeros and NaN too. */
function simplifyFloat(fn: BinaryName, a: Expr, b: Expr): Expr | undefined {
  if (fn === 'mul' && a.e === 'const' && a.value === 1) return b;
  if ((fn === 'mul' || fn === 'div') && b.e === 'const' && b.value === 1) return a;
  if (fn === 'sub' && b.e === 'const' && Object.is(b.value, 0)) return a;
  return undefined;
}

function simplify(fn: BinaryName, a: Expr, b: Expr): Expr | undefined {
  if (a.type === 'bool') return simplifyBool(fn, a, b);
  // Constants stand on the right.
  if (a.e === 'const' && commutes(fn)) return binary(fn, b, a);
  const c = intOf(b);
  switch (fn) {
    case 'add':
      return simplifyAdd(a, b, c);
    case 'sub':
      if (c !== undefined) return add(a, constant(a.type, -c));
      if (sameExpr(a, b)) return constant(a.type, 0);
      return undefined;
    case 'mul':
      return c === undefined ? undefined : simplifyMul(a, c);
    case 'div':
      return c === undefined || c <= 0 ? undefined : simplifyDiv(a, c);
    case 'rem':
      return c === undefined || c <= 0 ? undefined : simplifyRem(a, c);
    case 'min':
    case 'max':
      return simplifyBound(fn, a, b);
    case 'xor':
      return c === undefined ? simplifyXor(a, b) : simplifyBits(fn, a, c);
    default:
      return c === undefined ? undefined : simplifyBits(fn, a, c);
  }
}

function simplifyBool(fn: BinaryName, a: Expr, b: Expr): Expr | undefined {
  for (const [x, other] of [
    [a, b],
    [b, a],
  ] as const) {
    if (x.e !== 'const') continue;
    if (fn === 'and') return x.value === true ? other : constB(false);
    if (fn === 'or') return x.value === true ? constB(true) : other;
    if (fn === 'xor') return x.value === true ? unary('not', other) : other;
  }
  return fn !== 'xor' && sameExpr(a, b) ? a : undefined;
}

function simplifyAdd(a: Expr, b: Expr, c: number | undefined): Expr | undefined {
  if (c === 0) return a;
  const inner = withConst('add', a);
  if (c !== undefined) return inner ? add(inner.a, constant(a.type, inner.c + c)) : undefined;
  // Constants move outwards, so that addresses end in "+ constant".
  if (inner) return add(add(inner.a, b), constant(a.type, inner.c));
  const right = withConst('add', b);
  return right ? add(add(a, right.a), constant(a.type, right.c)) : undefined;
}

function simplifyMul(a: Expr, c: number): Expr | undefined {
  if (c === 0) return constant(a.type, 0);
  if (c === 1) return a;
  const product = withConst('mul', a);
  if (product) return mul(product.a, constant(a.type, Math.imul(product.c, c)));
  const sum = withConst('add', a);
  return sum ? add(mul(sum.a, constant(a.type, c)), constant(a.type, Math.imul(sum.c, c))) : undefined;
}

function simplifyDiv(a: Expr, c: number): Expr | undefined {
  if (c === 1) return a;
  const r = rangeOf(a);
  if (r.lo >= 0 && r.hi < c) return constant(a.type, 0);
  const quotient = withConst('div', a);
  if (quotient && quotient.c > 0 && quotient.c * c < 2 ** 31)
    return div(quotient.a, constant(a.type, quotient.c * c));
  const parts = splitDiv(a, c);
  return (
    parts && add(rebuild(parts.multiples, a.type), div(rebuild(parts.rest, a.type), constant(a.type, c)))
  );
}

function simplifyRem(a: Expr, c: number): Expr | undefined {
  if (c === 1) return constant(a.type, 0);
  const r = rangeOf(a);
  if (r.lo >= 0 && r.hi < c) return a;
  const parts = splitDiv(a, c);
  return parts && rem(rebuild(parts.rest, a.type), constant(a.type, c));
}

const rebuild = (terms: readonly { e: Expr | undefined; k: number }[], type: RegType): Expr =>
  terms.reduce<Expr>(
    (sum, t) => add(sum, t.e ? mul(t.e, constant(type, t.k)) : constant(type, t.k)),
    constant(type, 0),
  );

function simplifyBound(fn: 'min' | 'max', a: Expr, b: Expr): Expr | undefined {
  const [x, y] = [rangeOf(a), rangeOf(b)];
  if (x.hi <= y.lo) return fn === 'min' ? a : b;
  if (y.hi <= x.lo) return fn === 'min' ? b : a;
  return sameExpr(a, b) ? a : undefined;
}

/** What lies above the bits of b is not touched: (m * 2^k + r) ^ b is m * 2^k + (r ^ b) for r and b below 2^k. */
function simplifyXor(a: Expr, b: Expr): Expr | undefined {
  const { lo, hi } = rangeOf(b);
  if (lo < 0 || hi >= 2 ** 16) return undefined;
  const unit = 2 ** Math.ceil(Math.log2(hi + 1));
  const parts = splitDiv(a, unit);
  if (!parts) return undefined;
  const rest = rebuild(parts.rest, a.type);
  return rangeOf(rest).hi < unit ? add(mul(rebuild(parts.multiples, a.type), unit), xor(rest, b)) : undefined;
}

function simplifyBits(fn: BinaryName, a: Expr, c: number): Expr | undefined {
  if (c === 0) return fn === 'and' ? constant(a.type, 0) : a;
  if (fn !== 'and' && fn !== 'xor') return undefined;
  const inner = withConst(fn, a);
  if (inner) return fn === 'and' ? and(inner.a, inner.c & c) : xor(inner.a, inner.c ^ c);
  const r = rangeOf(a);
  // c is 2^k - 1 and a has no bit outside it.
  return fn === 'and' && c > 0 && ((c + 1) & c) === 0 && r.lo >= 0 && r.hi <= c ? a : undefined;
}

export const add = (a: Operand, b: Operand): Expr => binary('add', a, b);
export const sub = (a: Operand, b: Operand): Expr => binary('sub', a, b);
export const mul = (a: Operand, b: Operand): Expr => binary('mul', a, b);
/** Integer division truncates toward zero. */
export const div = (a: Operand, b: Operand): Expr => binary('div', a, b);
export const rem = (a: Operand, b: Operand): Expr => binary('rem', a, b);
export const min = (a: Operand, b: Operand): Expr => binary('min', a, b);
export const max = (a: Operand, b: Operand): Expr => binary('max', a, b);
export const and = (a: Operand, b: Operand): Expr => binary('and', a, b);
export const or = (a: Operand, b: Operand): Expr => binary('or', a, b);
export const xor = (a: Operand, b: Operand): Expr => binary('xor', a, b);
export const shl = (a: Operand, b: Operand): Expr => binary('shl', a, b);
export const shr = (a: Operand, b: Operand): Expr => binary('shr', a, b);
/** Any binary operator by name, simplified like the named constructors. */
export const binaryOf = binary;

export function unary(fn: UnaryName, a: Expr): Expr {
  if (a.e === 'const') {
    const folded = foldUnary(fn, a.type, a.value);
    if (folded !== undefined) return constant(a.type, folded);
  }
  if (a.e === 'unary' && a.fn === fn && (fn === 'neg' || fn === 'not')) return a.a;
  return { e: 'unary', type: a.type, fn, a };
}
export const neg = (a: Expr): Expr => unary('neg', a);
export const not = (a: Expr): Expr => unary('not', a);

export function compare(fn: CompareName, left: Operand, right: Operand): Expr {
  const [a, b] = pair(left, right);
  if (a.e === 'const' && b.e === 'const') return constB(foldCompare(fn, a.value, b.value));
  if (a.type === 'i32' || a.type === 'u32') {
    const [x, y] = [rangeOf(a), rangeOf(b)];
    if (fn === 'lt' || fn === 'ge') {
      if (x.hi < y.lo) return constB(fn === 'lt');
      if (x.lo >= y.hi) return constB(fn === 'ge');
    } else if (fn === 'le' || fn === 'gt') {
      if (x.hi <= y.lo) return constB(fn === 'le');
      if (x.lo > y.hi) return constB(fn === 'gt');
    } else if (x.hi < y.lo || x.lo > y.hi) return constB(fn === 'ne');
    if (sameExpr(a, b)) return constB(fn === 'le' || fn === 'ge' || fn === 'eq');
  }
  return { e: 'compare', type: 'bool', fn, a, b };
}
export const lt = (a: Operand, b: Operand): Expr => compare('lt', a, b);
export const le = (a: Operand, b: Operand): Expr => compare('le', a, b);
export const gt = (a: Operand, b: Operand): Expr => compare('gt', a, b);
export const ge = (a: Operand, b: Operand): Expr => compare('ge', a, b);
export const eq = (a: Operand, b: Operand): Expr => compare('eq', a, b);
export const ne = (a: Operand, b: Operand): Expr => compare('ne', a, b);

/** cond ? a : b; both are evaluated. */
export function select(cond: Expr, left: Operand, right: Operand): Expr {
  const [a, b] = pair(left, right);
  if (cond.e === 'const') return cond.value === true ? a : b;
  if (sameExpr(a, b)) return a;
  return { e: 'select', type: a.type, cond, a, b };
}
/** cond ? value : other; `value` is evaluated only where cond holds. */
export function guard(cond: Expr, value: Expr, otherwise: Operand): Expr {
  const [, other] = pair(value, otherwise);
  if (cond.e === 'const') return cond.value === true ? value : other;
  return { e: 'guard', type: value.type, cond, value, other };
}
export const fma = (a: Expr, b: Expr, c: Expr): Expr => ({ e: 'fma', type: 'f32', a, b, c });

export function convert(type: RegType, a: Expr): Expr {
  if (a.type === type) return a;
  if (a.e === 'const') return constant(type, foldConvert(a.type, type, a.value));
  return { e: 'convert', type, a };
}
export function bitcast(type: RegType, a: Expr): Expr {
  if (a.type === type) return a;
  if (type === 'bool' || a.type === 'bool') throw mismatch('bool has no bits to copy');
  if (a.e === 'bitcast') return bitcast(type, a.a);
  // NaN payloads would not survive folding to a number.
  if (a.e === 'const') {
    const value = foldBitcast(a.type, type, Number(a.value));
    if (!Number.isNaN(value) && !Number.isNaN(a.value)) return constant(type, value);
  }
  return { e: 'bitcast', type, a };
}
/** f32 rounded to nearest even at the half type, still f32. */
export function round(to: HalfType, a: Expr): Expr {
  if (a.e === 'const') return constF(roundHalf(to, Number(a.value)));
  if ((a.e === 'round' && a.to === to) || (a.e === 'unpack' && a.from === to)) return a;
  return { e: 'round', type: 'f32', to, a };
}
const unrounded = (to: HalfType, a: Expr): Expr => (a.e === 'round' && a.to === to ? a.a : a);
/** Two f32 rounded to the half type, in one u32; `lo` is at the lower address. */
export const pack = (to: HalfType, lo: Expr, hi: Expr): Expr =>
  lo.e === 'const' && hi.e === 'const' && Object.is(lo.value, 0) && Object.is(hi.value, 0)
    ? constU(0)
    : { e: 'pack', type: 'u32', to, lo: unrounded(to, lo), hi: unrounded(to, hi) };
export function unpack(from: HalfType, a: Expr, half: 0 | 1): Expr {
  if (a.e === 'const' && a.value === 0) return constF(0);
  if (a.e === 'pack' && a.to === from) return round(from, half === 0 ? a.lo : a.hi);
  return { e: 'unpack', type: 'f32', from, a, half };
}

export const varRef = (v: Var): Expr => ({ e: 'var', type: v.type, var: v });
export const element = (v: Var, index: Operand): Expr => ({
  e: 'element',
  type: v.type,
  var: v,
  index: lift(index, 0),
});
export const lvalue = (v: Var, index?: Operand): LValue =>
  index === undefined ? { var: v } : { var: v, index: lift(index, 0) };
/** The expression that reads what an lvalue names. */
export const readOf = (to: LValue): Expr => (to.index ? element(to.var, to.index) : varRef(to.var));
export const param = (name: string, type: RegType): Expr => ({ e: 'param', type, name });
export const threadId = (): Expr => ({ e: 'threadId', type: 'i32' });
export const blockId = (axis: 0 | 1 | 2): Expr => ({ e: 'blockId', type: 'i32', axis });
/** One element, halves widened to f32. */
export const loadGlobal = (buffer: GlobalBuffer, index: Operand): Expr => ({
  e: 'loadGlobal',
  type: registerType(buffer.element),
  buffer,
  index: lift(index, 0),
});
/** The register type that holds one element of memory. */
export const registerType = (m: GlobalBuffer['element']): RegType =>
  m === 'f16' || m === 'bf16' ? 'f32' : m;

/** Same structure; loads are never the same, since memory may change between them. */
export function sameExpr(a: Expr, b: Expr): boolean {
  if (a === b) return a.e !== 'loadGlobal';
  if (a.e !== b.e || a.type !== b.type) return false;
  switch (a.e) {
    case 'const':
      return Object.is(a.value, (b as typeof a).value);
    case 'var':
      return a.var === (b as typeof a).var;
    case 'element':
      return a.var === (b as typeof a).var && sameExpr(a.index, (b as typeof a).index);
    case 'param':
      return a.name === (b as typeof a).name;
    case 'threadId':
      return true;
    case 'blockId':
      return a.axis === (b as typeof a).axis;
    case 'unary':
      return a.fn === (b as typeof a).fn && sameExpr(a.a, (b as typeof a).a);
    case 'binary':
    case 'compare': {
      const other = b as typeof a;
      return a.fn === other.fn && sameExpr(a.a, other.a) && sameExpr(a.b, other.b);
    }
    case 'convert':
    case 'bitcast':
      return sameExpr(a.a, (b as typeof a).a);
    default:
      return false;
  }
}
