/** Thread IR expressions as C, with parentheses only where C needs them or -Wparentheses would ask for them. */
import type {
  BinaryName,
  Expr,
  GlobalBuffer,
  RegType,
  UnaryName,
  Var,
} from '../../../compiler/thread/nodes.ts';
import type { Helper } from './helpers.ts';
import type { Names } from './names.ts';
import { splitSteps } from './steps.ts';
import type { Widths } from './wide.ts';

export const typeNames: Record<RegType, string> = { f32: 'float', i32: 'int', u32: 'unsigned', bool: 'bool' };

/** C's precedence, loosest first. */
const level = {
  ternary: 1,
  or: 2,
  and: 3,
  bitOr: 4,
  bitXor: 5,
  bitAnd: 6,
  equal: 7,
  less: 8,
  shift: 9,
  add: 10,
  mul: 11,
  unary: 12,
  primary: 13,
};

interface Text {
  readonly text: string;
  readonly level: number;
}

export interface ExpressionContext {
  readonly names: Names;
  readonly widths: Widths;
  /** Variables of unrolled loops. */
  readonly unrolled: ReadonlySet<Var>;
  readonly use: (helper: Helper) => void;
  readonly bufferName: (b: GlobalBuffer) => string;
  readonly paramName: (name: string) => string;
  readonly threadId: string;
  /** The name of threadId / 32, where the kernel has one. */
  readonly warp?: string;
  readonly blockId: (axis: 0 | 1 | 2) => string;
}

/** threadId / 32. */
const isWarpIndex = (e: Expr): boolean =>
  e.e === 'binary' && e.fn === 'div' && e.a.e === 'threadId' && e.b.e === 'const' && e.b.value === 32;

const operators: Partial<Record<BinaryName, readonly [string, number]>> = {
  add: ['+', level.add],
  sub: ['-', level.add],
  mul: ['*', level.mul],
  div: ['/', level.mul],
  rem: ['%', level.mul],
  and: ['&', level.bitAnd],
  or: ['|', level.bitOr],
  xor: ['^', level.bitXor],
  shl: ['<<', level.shift],
  shr: ['>>', level.shift],
};
const logical: Partial<Record<BinaryName, readonly [string, number]>> = {
  and: ['&&', level.and],
  or: ['||', level.or],
  xor: ['!=', level.equal],
};
const comparisons = {
  lt: ['<', level.less],
  le: ['<=', level.less],
  gt: ['>', level.less],
  ge: ['>=', level.less],
  eq: ['==', level.equal],
  ne: ['!=', level.equal],
} as const;
const functions: Partial<Record<UnaryName, string>> = {
  exp: 'expf',
  log: 'logf',
  log2: 'log2f',
  sqrt: 'sqrtf',
  rsqrt: 'rsqrtf',
  tanh: 'tanhf',
  erf: 'erff',
  sin: 'sinf',
  cos: 'cosf',
  floor: 'floorf',
  ceil: 'ceilf',
};
const bitcasts: Record<string, string> = {
  'f32>u32': '__float_as_uint',
  'f32>i32': '__float_as_int',
  'u32>f32': '__uint_as_float',
  'i32>f32': '__int_as_float',
};

export class Expressions {
  readonly #c: ExpressionContext;

  constructor(context: ExpressionContext) {
    this.#c = context;
  }

  /** As a whole expression. */
  text(e: Expr): string {
    return this.#show(e).text;
  }

  bufferName(buffer: GlobalBuffer): string {
    return this.#c.bufferName(buffer);
  }

  /** An element index of a global buffer, in 64 bits where it needs them. */
  index(buffer: GlobalBuffer, e: Expr): string {
    return (this.#c.widths.isLarge(buffer) ? this.#wide(e) : this.#show(e)).text;
  }

  /** As an operand that binds at least as tightly as a unary operator's. */
  operand(e: Expr): string {
    return this.#at(this.#show(e), level.unary);
  }

  /** As the right operand of a sum. */
  addend(e: Expr): string {
    return this.#at(this.#show(e), level.mul);
  }

  /** Value for a register that holds linearised offsets in 64 bits. */
  wide(e: Expr): string {
    return this.#wide(e).text;
  }

  /** Pointer to element `index` of a buffer; `pred` keeps the index from being formed where it is false. */
  address(buffer: GlobalBuffer, index: Expr, pred?: string): string {
    const name = this.#c.bufferName(buffer);
    const text = this.#c.widths.isLarge(buffer) ? this.#wide(index) : this.#show(index);
    if (index.e === 'const' && Number(index.value) === 0) return name;
    return pred === undefined
      ? `${name} + ${this.#at(text, level.add)}`
      : `${name} + (${pred} ? ${this.#at(text, level.ternary + 1)} : 0)`;
  }

  /** The same, with what unrolled loops add to the index last, so that accesses share a register. */
  steppedAddress(buffer: GlobalBuffer, index: Expr): string {
    const split = splitSteps(index, this.#c.unrolled);
    if (!split) return this.address(buffer, index);
    return `${this.address(buffer, split.rest)} + ${this.addend(split.step)}`;
  }

  #at(t: Text, minimum: number): string {
    return t.level >= minimum ? t.text : `(${t.text})`;
  }

  /** Left-associative infix. Mixed bit operators, shifts and && in || get the parentheses that readers need. */
  #infix(op: string, at: number, a: Text, b: Text): Text {
    const wrap = (t: Text, minimum: number): string => {
      const bare =
        t.level >= level.unary ||
        (at >= level.add && t.level >= minimum) ||
        ((at === level.and || at === level.or) && (t.level === at || t.level >= level.equal)) ||
        (at < level.add && t.level === at && at !== level.equal && t.level >= minimum);
      return bare ? t.text : `(${t.text})`;
    };
    return { text: `${wrap(a, at)} ${op} ${wrap(b, at + 1)}`, level: at };
  }

  /** a + b, where a negative constant b is subtracted. */
  #sum(op: string, a: Text, b: Text, right: Expr): Text {
    const n = right.e === 'const' && right.type === 'i32' ? Number(right.value) : 0;
    if (op !== '+' || n >= 0 || n === -(2 ** 31)) return this.#infix(op, level.add, a, b);
    return this.#infix('-', level.add, a, { text: String(-n), level: level.primary });
  }

  #call(name: string, ...args: Expr[]): Text {
    return { text: `${name}(${args.map((a) => this.text(a)).join(', ')})`, level: level.primary };
  }

  #cast(type: string, e: Text): Text {
    return { text: `(${type})${this.#at(e, level.unary)}`, level: level.unary };
  }

  #wide(e: Expr): Text {
    if (!this.#c.widths.needs(e)) return this.#show(e);
    switch (e.e) {
      case 'var':
      case 'element':
        return this.#register(e);
      case 'binary': {
        const [op, at] = operators[e.fn]!;
        const [a, b] = [this.#wide(e.a), this.#wide(e.b)];
        if (e.fn === 'add' || e.fn === 'sub') return this.#sum(op, a, b, e.b);
        const left = this.#c.widths.needs(e.a) ? a : this.#cast('long long', a);
        return this.#infix(op, at, left, b);
      }
      case 'select':
      case 'guard': {
        const [a, b] = e.e === 'select' ? [e.a, e.b] : [e.value, e.other];
        return this.#ternary(e.cond, this.#wide(a), this.#wide(b));
      }
      default:
        return this.#show(e);
    }
  }

  #ternary(cond: Expr, a: Text, b: Text): Text {
    const [c, x, y] = [this.#show(cond), a, b].map((t) => this.#at(t, level.ternary + 1));
    return { text: `${c} ? ${x} : ${y}`, level: level.ternary };
  }

  #register(e: Expr & { e: 'var' | 'element' }): Text {
    const name = this.#c.names.of(e.var);
    return { text: e.e === 'var' ? name : `${name}[${this.text(e.index)}]`, level: level.primary };
  }

  #show(e: Expr): Text {
    switch (e.e) {
      case 'const':
        return this.#constant(e.type, e.value);
      case 'var':
      case 'element': {
        const register = this.#register(e);
        return this.#c.widths.isWideVar(e.var) ? this.#cast('int', register) : register;
      }
      case 'param':
        return { text: this.#c.paramName(e.name), level: level.primary };
      case 'threadId':
        return { text: this.#c.threadId, level: level.primary };
      case 'blockId':
        return { text: this.#c.blockId(e.axis), level: level.primary };
      case 'unary':
        return this.#unary(e);
      case 'binary':
        return this.#binary(e);
      case 'compare': {
        const [op, at] = comparisons[e.fn];
        // Comparisons do not chain: an operand that is one itself is wrapped.
        // Only conditions on the warp name it: elsewhere it costs registers (44 B spilled by one kernel of 9 warps).
        const side = (x: Expr): string =>
          isWarpIndex(x) && this.#c.warp !== undefined ? this.#c.warp : this.#at(this.#show(x), level.shift);
        return { text: `${side(e.a)} ${op} ${side(e.b)}`, level: at };
      }
      case 'select':
        return this.#ternary(e.cond, this.#show(e.a), this.#show(e.b));
      case 'guard':
        return this.#ternary(e.cond, this.#show(e.value), this.#show(e.other));
      case 'fma':
        return this.#call('fmaf', e.a, e.b, e.c);
      case 'convert':
        return this.#convert(e.type, e.a);
      case 'bitcast': {
        if (e.type === e.a.type) return this.#show(e.a);
        const f = bitcasts[`${e.a.type}>${e.type}`];
        return f ? this.#call(f, e.a) : this.#cast(typeNames[e.type], this.#show(e.a));
      }
      case 'round':
        this.#c.use(e.to);
        return this.#call(`round_${e.to}`, e.a);
      case 'pack':
        this.#c.use(e.to);
        return this.#call(`pack_${e.to}`, e.lo, e.hi);
      case 'unpack':
        this.#c.use(e.from);
        return this.#call(`${e.half === 0 ? 'low' : 'high'}_${e.from}`, e.a);
      case 'loadGlobal': {
        const { element } = e.buffer;
        const text = `${this.#c.bufferName(e.buffer)}[${this.index(e.buffer, e.index)}]`;
        if (element !== 'f16' && element !== 'bf16') return { text, level: level.primary };
        this.#c.use(element);
        return { text: `from_${element}(${text})`, level: level.primary };
      }
    }
  }

  #constant(type: RegType, value: number | boolean): Text {
    if (type === 'bool') return { text: value ? 'true' : 'false', level: level.primary };
    const n = Number(value);
    const negative = n < 0 || Object.is(n, -0) ? level.unary : level.primary;
    if (type === 'u32')
      return { text: n > 0xffff ? `0x${(n >>> 0).toString(16)}u` : `${n >>> 0}u`, level: level.primary };
    if (type === 'i32')
      return n === -(2 ** 31)
        ? { text: '(-2147483647 - 1)', level: level.primary }
        : { text: `${n}`, level: negative };
    if (Number.isNaN(n)) {
      this.#c.use('nan');
      return { text: 'NOT_A_NUMBER', level: level.primary };
    }
    if (!Number.isFinite(Math.fround(n))) {
      this.#c.use('inf');
      return { text: n < 0 ? '-INF' : 'INF', level: negative };
    }
    const digits = Object.is(n, -0) ? '-0' : shortest(n);
    return { text: /[.e]/.test(digits) ? `${digits}f` : `${digits}.0f`, level: negative };
  }

  #unary(e: Expr & { e: 'unary' }): Text {
    if (e.fn === 'neg') {
      const a = this.#at(this.#show(e.a), level.unary);
      return { text: a.startsWith('-') ? `-(${a})` : `-${a}`, level: level.unary };
    }
    if (e.fn === 'not')
      return { text: `${e.type === 'bool' ? '!' : '~'}${this.operand(e.a)}`, level: level.unary };
    if (e.fn === 'abs')
      return e.type === 'u32' ? this.#show(e.a) : this.#call(e.type === 'f32' ? 'fabsf' : 'abs', e.a);
    if (e.fn === 'exp2') {
      this.#c.use('exp2');
      return this.#call('exp2_approx', e.a);
    }
    return this.#call(functions[e.fn]!, e.a);
  }

  #binary(e: Expr & { e: 'binary' }): Text {
    if (e.fn === 'div' && e.type === 'f32') {
      this.#c.use('divide');
      return this.#call('divide', e.a, e.b);
    }
    if (e.fn === 'min' || e.fn === 'max') return this.#call(e.type === 'f32' ? `f${e.fn}f` : e.fn, e.a, e.b);
    const table = e.type === 'bool' ? logical : operators;
    const found = table[e.fn];
    if (!found) throw new Error(`${e.fn} on ${e.type} has no C form`);
    const [op, at] = found;
    const [a, b] = [this.#show(e.a), this.#show(e.b)];
    return e.fn === 'add' ? this.#sum(op, a, b, e.b) : this.#infix(op, at, a, b);
  }

  #convert(to: RegType, a: Expr): Text {
    if (to === a.type) return this.#show(a);
    if (to === 'bool') return { text: `${this.#at(this.#show(a), level.shift)} != 0`, level: level.equal };
    if (a.type === 'bool') {
      const zero = to === 'f32' ? ['1.0f', '0.0f'] : to === 'u32' ? ['1u', '0u'] : ['1', '0'];
      return {
        text: `${this.#at(this.#show(a), level.ternary + 1)} ? ${zero[0]} : ${zero[1]}`,
        level: level.ternary,
      };
    }
    return this.#cast(typeNames[to], this.#show(a));
  }
}

/** The shortest decimal that rounds to the same f32. */
function shortest(n: number): string {
  for (let digits = 1; digits <= 9; digits++) {
    const rounded = Number(n.toPrecision(digits));
    if (Math.fround(rounded) === Math.fround(n)) return String(rounded);
  }
  return String(n);
}
