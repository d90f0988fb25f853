/** Expressions as WGSL text. Every WGSL expression is safe to evaluate speculatively, so guards become selects. */
import { and, intOf } from '../../../compiler/thread/build.ts';
import type { BinaryName, Expr, GlobalBuffer, RegType, UnaryName } from '../../../compiler/thread/nodes.ts';
import { isPowerOfTwo, nonNegative, shiftRight } from './address.ts';
import type { Helpers } from './helpers.ts';
import { isHalf, type Layout } from './storage.ts';
import type { Values } from './values.ts';

// How tightly text binds; WGSL's grammar lets shifts and bit operators take only unary operands.
const level = { bits: 1, compare: 2, shift: 3, add: 4, mul: 5, unary: 6, primary: 7 } as const;

const operators: Readonly<
  Partial<Record<BinaryName, { text: string; level: number; left: number; right: number }>>
> = {
  add: { text: '+', level: level.add, left: level.add, right: level.mul },
  sub: { text: '-', level: level.add, left: level.add, right: level.mul },
  mul: { text: '*', level: level.mul, left: level.mul, right: level.unary },
  div: { text: '/', level: level.mul, left: level.mul, right: level.unary },
  rem: { text: '%', level: level.mul, left: level.mul, right: level.unary },
  and: { text: '&', level: level.bits, left: level.unary, right: level.unary },
  or: { text: '|', level: level.bits, left: level.unary, right: level.unary },
  xor: { text: '^', level: level.bits, left: level.unary, right: level.unary },
};
const comparisons = { lt: '<', le: '<=', gt: '>', ge: '>=', eq: '==', ne: '!=' } as const;
const functions: Readonly<Partial<Record<UnaryName, string>>> = { rsqrt: 'inverseSqrt' };

export interface Scope {
  readonly values: Values;
  readonly paramOf: (name: string) => string;
  readonly layoutOf: (buffer: GlobalBuffer) => Layout;
  readonly helpers: Helpers;
  readonly f16: boolean;
}

export class Expressions {
  private readonly scope: Scope;

  constructor(scope: Scope) {
    this.scope = scope;
  }

  /** Text that may stand where an operand binding as tightly as `need` is expected. */
  text(e: Expr, need: number = 0): string {
    const [text, binds] = this.print(e);
    return binds < need ? `(${text})` : text;
  }

  /** The expression with the bits of `to`. */
  as(to: RegType | 'f16', e: Expr, need = 0): string {
    if (e.type === to) return this.text(e, need);
    if (e.e === 'bitcast' && e.a.type === to) return this.text(e.a, need);
    return `bitcast<${to}>(${this.text(e)})`;
  }

  private print(e: Expr): [text: string, binds: number] {
    switch (e.e) {
      case 'const':
        return this.constant(e.type, e.value);
      case 'var':
        return [this.scope.values.nameOf(e.var), level.primary];
      case 'element':
        return [`${this.scope.values.nameOf(e.var)}[${this.text(e.index)}]`, level.primary];
      case 'param':
        return [
          e.type === 'bool' ? `bool(${this.scope.paramOf(e.name)})` : this.scope.paramOf(e.name),
          level.primary,
        ];
      case 'threadId':
        return ['thread', level.primary];
      case 'blockId':
        return [`block.${'xyz'[e.axis]}`, level.primary];
      case 'unary':
        return this.unary(e);
      case 'binary':
        return this.binary(e);
      case 'compare':
        return [
          `${this.text(e.a, level.shift)} ${comparisons[e.fn]} ${this.text(e.b, level.shift)}`,
          level.compare,
        ];
      case 'select':
        return this.call('select', e.b, e.a, e.cond);
      case 'guard':
        return this.call('select', e.other, e.value, e.cond);
      case 'fma':
        return this.call('fma', e.a, e.b, e.c);
      case 'convert':
        return this.call(e.type, e.a);
      case 'bitcast':
        return this.call(`bitcast<${e.type}>`, e.a);
      case 'round':
        if (e.to === 'f16' && this.scope.f16) return [`f32(f16(${this.text(e.a)}))`, level.primary];
        return this.call(this.scope.helpers.use(`round_${e.to}`), e.a);
      case 'pack':
        if (e.to === 'f16' && this.scope.f16)
          return [
            `bitcast<u32>(vec2<f16>(vec2<f32>(${this.text(e.lo)}, ${this.text(e.hi)})))`,
            level.primary,
          ];
        return this.call(this.scope.helpers.use(`pack_${e.to}`), e.lo, e.hi);
      case 'unpack':
        return [this.unpack(e), level.primary];
      case 'loadGlobal':
        return [this.load(e), level.primary];
    }
  }

  private call(name: string, ...args: Expr[]): [string, number] {
    return [`${name}(${args.map((a) => this.text(a)).join(', ')})`, level.primary];
  }

  private constant(type: RegType, value: number | boolean): [string, number] {
    if (typeof value === 'boolean') return [String(value), level.primary];
    if (type === 'u32') return [`${value >>> 0}u`, level.primary];
    const negative = value < 0 || Object.is(value, -0);
    const binds = negative ? level.unary : level.primary;
    if (type === 'i32')
      return value === -(2 ** 31) ? ['i32(-2147483648)', level.primary] : [String(value), binds];
    // WGSL has no literals for these.
    if (Number.isNaN(value)) return [this.scope.helpers.use('nan'), level.primary];
    if (!Number.isFinite(value)) return [`${negative ? '-' : ''}${this.scope.helpers.use('inf')}`, binds];
    const text = String(Math.abs(value));
    return [`${negative ? '-' : ''}${/[.e]/.test(text) ? text : `${text}.0`}`, binds];
  }

  private unary(e: Extract<Expr, { e: 'unary' }>): [string, number] {
    if (e.fn === 'neg') {
      if (e.type === 'u32') return [`0u - ${this.text(e.a, level.mul)}`, level.add];
      const text = this.text(e.a, level.unary);
      return [text.startsWith('-') ? `-(${text})` : `-${text}`, level.unary];
    }
    if (e.fn === 'not')
      return [`${e.type === 'bool' ? '!' : '~'}${this.text(e.a, level.unary)}`, level.unary];
    if (e.fn === 'abs' && e.type === 'u32') return this.print(e.a);
    if (e.fn === 'erf') return this.call(this.scope.helpers.use('erf'), e.a);
    // Drivers compute tanh through exp, which overflows; it is 1 to f32 from 9.1 on.
    if (e.fn === 'tanh') return [`tanh(clamp(${this.text(e.a)}, -10.0, 10.0))`, level.primary];
    return this.call(functions[e.fn] ?? e.fn, e.a);
  }

  private binary(e: Extract<Expr, { e: 'binary' }>): [string, number] {
    const { fn, type, a, b } = e;
    if (fn === 'min' || fn === 'max') return this.call(fn, a, b);
    if (fn === 'shl' || fn === 'shr') {
      const by = intOf(b);
      const amount =
        by !== undefined
          ? `${by & 31}u`
          : b.type === 'u32'
            ? this.text(b, level.unary)
            : `u32(${this.text(b)})`;
      return [`${this.text(a, level.unary)} ${fn === 'shl' ? '<<' : '>>'} ${amount}`, level.shift];
    }
    if (type === 'bool' && fn === 'xor')
      return [`${this.text(a, level.shift)} != ${this.text(b, level.shift)}`, level.compare];
    const c = intOf(b);
    if (type === 'i32' && (fn === 'div' || fn === 'rem') && c !== undefined && c > 0 && nonNegative(a)) {
      // Signed division checks for overflow in WGSL; this needs none.
      if (isPowerOfTwo(c)) return this.print(fn === 'div' ? shiftRight(a, Math.log2(c)) : and(a, c - 1));
      return [`i32(u32(${this.text(a)}) ${fn === 'div' ? '/' : '%'} ${c}u)`, level.primary];
    }
    if (fn === 'add' && type === 'i32' && c !== undefined && c < 0 && c > -(2 ** 31))
      return [`${this.text(a, level.add)} - ${-c}`, level.add];
    const op = operators[fn]!;
    // A chain of one bit operator needs no parentheses.
    const left = op.level === level.bits && a.e === 'binary' && a.fn === fn ? level.bits : op.left;
    return [`${this.text(a, left)} ${op.text} ${this.text(b, op.right)}`, op.level];
  }

  private unpack(e: Extract<Expr, { e: 'unpack' }>): string {
    if (e.from === 'f16') {
      const part = e.half === 0 ? 'x' : 'y';
      const pair = `${this.scope.f16 ? 'bitcast<vec2<f16>>' : 'unpack2x16float'}(${this.text(e.a)})`;
      const half = this.scope.values.isFixed(e.a) ? this.scope.values.shared(pair, 'halves') : pair;
      return this.scope.f16 ? `f32(${half}.${part})` : `${half}.${part}`;
    }
    const word = this.text(e.a, level.unary);
    return `bitcast<f32>(${e.half === 0 ? `${word} << 16u` : `${word} & 0xffff0000u`})`;
  }

  private load(e: Extract<Expr, { e: 'loadGlobal' }>): string {
    const l = this.scope.layoutOf(e.buffer);
    if (l.type === 'f16') return `f32(${l.name}[${this.text(e.index)}])`;
    if (isHalf(e.buffer.element))
      return `${this.scope.helpers.readHalf(l, e.buffer.element)}(${this.text(e.index)})`;
    const word = this.word(l, e.index);
    return l.type === e.type ? word : `bitcast<${e.type}>(${word})`;
  }

  /** One 32-bit word of a storage variable, whatever its vector width. */
  word(l: Layout, index: Expr): string {
    if (l.atomic) return `atomicLoad(&${l.name}[${this.text(index)}])`;
    if (l.width === 1) return `${l.name}[${this.text(index)}]`;
    const at = this.text(shiftRight(index, Math.log2(l.width)));
    return `${l.name}[${at}]${this.component(and(index, l.width - 1))}`;
  }

  private component(index: Expr): string {
    const c = intOf(index);
    return c === undefined ? `[${this.text(index)}]` : `.${'xyzw'[c]}`;
  }
}
