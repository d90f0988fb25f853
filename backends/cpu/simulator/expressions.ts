/** Thread IR expressions as JavaScript over one lane: `w` is the warp, `l` the lane, `o` = 32 w. Bools are booleans. */
import { PatcError } from '../../../compiler/diagnostics/error.ts';
import type { BinaryName, Expr, GlobalBuffer, UnaryName, Var } from '../../../compiler/thread/nodes.ts';

/** How the compiled kernel names what expressions refer to. */
export interface Names {
  /** An lvalue or rvalue for a variable's storage; `raw` names its bits as u32. */
  slot(v: Var, index: Expr | undefined, raw: boolean): string;
  param(name: string): string;
  /** A call that loads one element and checks the access. */
  load(buffer: GlobalBuffer, index: string): string;
}

const literal = (x: number | boolean): string => {
  if (Object.is(x, -0)) return '(-0)';
  return typeof x === 'number' && x < 0 ? `(${x})` : String(x);
};

const floatUnary: Partial<Record<UnaryName, (a: string) => string>> = {
  neg: (a) => `(-${a})`,
  abs: (a) => `Math.abs(${a})`,
  exp: (a) => `fr(Math.exp(${a}))`,
  exp2: (a) => `fr(Math.pow(2,${a}))`,
  log: (a) => `fr(Math.log(${a}))`,
  log2: (a) => `fr(Math.log2(${a}))`,
  sqrt: (a) => `fr(Math.sqrt(${a}))`,
  rsqrt: (a) => `fr(1/Math.sqrt(${a}))`,
  tanh: (a) => `fr(Math.tanh(${a}))`,
  erf: (a) => `fr(erf(${a}))`,
  sin: (a) => `fr(Math.sin(${a}))`,
  cos: (a) => `fr(Math.cos(${a}))`,
  floor: (a) => `Math.floor(${a})`,
  ceil: (a) => `Math.ceil(${a})`,
};

function unary(e: Extract<Expr, { e: 'unary' }>, a: string): string {
  if (e.type === 'bool') return `(!${a})`;
  if (e.type === 'f32') {
    const make = floatUnary[e.fn];
    if (make) return make(a);
  }
  const wrap = e.type === 'i32' ? '|0' : '>>>0';
  if (e.fn === 'not') return `(~${a}${wrap})`;
  if (e.fn === 'neg') return `(-${a}${wrap})`;
  if (e.fn === 'abs') return e.type === 'u32' ? a : `(Math.abs(${a})|0)`;
  throw new PatcError({ code: 'PAT0305', message: `${e.fn} of ${e.type}` });
}

const signs: Partial<Record<BinaryName, string>> = {
  add: '+',
  sub: '-',
  div: '/',
  rem: '%',
  and: '&',
  or: '|',
  xor: '^',
  shl: '<<',
};

function binary(e: Extract<Expr, { e: 'binary' }>, a: string, b: string): string {
  const { fn, type } = e;
  if (type === 'bool') {
    if (fn === 'and') return `(${a}&&${b})`;
    return fn === 'or' ? `(${a}||${b})` : `(${a}!==${b})`;
  }
  if (fn === 'min' || fn === 'max') return `Math.${fn}(${a},${b})`;
  if (type === 'f32') return fn === 'mul' ? `fr(${a}*${b})` : `fr(${a}${signs[fn]}${b})`;
  if (fn === 'shr') return type === 'i32' ? `(${a}>>${b})` : `(${a}>>>${b})`;
  const wrap = type === 'i32' ? '|0' : '>>>0';
  return fn === 'mul' ? `(imul(${a},${b})${wrap})` : `((${a}${signs[fn]}${b})${wrap})`;
}

const compare = { lt: '<', le: '<=', gt: '>', ge: '>=', eq: '===', ne: '!==' };

function convert(e: Extract<Expr, { e: 'convert' }>, a: string): string {
  const from = e.a.type;
  if (from === e.type) return a;
  if (e.type === 'bool') return `(${a}!==0)`;
  if (from === 'bool') return `(${a}?1:0)`;
  if (e.type === 'f32') return `fr(${a})`;
  if (from === 'f32') return e.type === 'i32' ? `toI32(${a})` : `toU32(${a})`;
  return e.type === 'i32' ? `(${a}|0)` : `(${a}>>>0)`;
}

function bitcast(e: Extract<Expr, { e: 'bitcast' }>, names: Names): string {
  const { a, type } = e;
  if (a.type === type) return expression(a, names);
  if (a.type === 'f32') {
    // Storage has the bits as they are; a JavaScript number might not keep a NaN's.
    const bits =
      a.e === 'var' || a.e === 'element'
        ? names.slot(a.var, a.e === 'element' ? a.index : undefined, true)
        : `floatBits(${expression(a, names)})`;
    return type === 'i32' ? `(${bits}|0)` : bits;
  }
  const x = expression(a, names);
  if (type === 'f32') return `bitsFloat(${x})`;
  return type === 'i32' ? `(${x}|0)` : `(${x}>>>0)`;
}

export function expression(e: Expr, names: Names): string {
  const x = (y: Expr): string => expression(y, names);
  switch (e.e) {
    case 'const':
      return literal(e.value);
    case 'var':
    case 'element': {
      const slot = names.slot(e.var, e.e === 'element' ? e.index : undefined, false);
      return e.type === 'bool' ? `(${slot}!==0)` : slot;
    }
    case 'param':
      return e.type === 'bool' ? `(${names.param(e.name)}!==0)` : names.param(e.name);
    case 'threadId':
      return '(o+l)';
    case 'blockId':
      return `b${'xyz'[e.axis]}`;
    case 'unary':
      return unary(e, x(e.a));
    case 'binary':
      return binary(e, x(e.a), x(e.b));
    case 'compare':
      return `(${x(e.a)}${compare[e.fn]}${x(e.b)})`;
    case 'select':
      return `(${x(e.cond)}?${x(e.a)}:${x(e.b)})`;
    case 'guard':
      return `(${x(e.cond)}?${x(e.value)}:${x(e.other)})`;
    case 'fma':
      // The product of two f32 is exact in f64.
      return `fr(${x(e.a)}*${x(e.b)}+${x(e.c)})`;
    case 'convert':
      return convert(e, x(e.a));
    case 'bitcast':
      return bitcast(e, names);
    case 'round':
      return e.to === 'f16' ? `roundF16(${x(e.a)})` : `roundBf16(${x(e.a)})`;
    case 'pack':
      return e.to === 'f16' ? `packF16(${x(e.lo)},${x(e.hi)})` : `packBf16(${x(e.lo)},${x(e.hi)})`;
    case 'unpack': {
      const half = e.half === 0 ? `${x(e.a)}&65535` : `${x(e.a)}>>>16`;
      return `${e.from}[${half}]`;
    }
    case 'loadGlobal':
      return names.load(e.buffer, x(e.index));
  }
}
