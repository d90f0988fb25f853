/** Loads and stores of words: one WGSL access where the variable's vectors are as wide as the access, several otherwise. */
import { add, constI, intOf, mul } from '../../../compiler/thread/build.ts';
import type { Expr, GlobalBuffer, LValue, SharedBuffer, Stmt } from '../../../compiler/thread/nodes.ts';
import { elementBytes } from '../../../compiler/ir/nodes.ts';
import { fail } from '../../../compiler/diagnostics/error.ts';
import { shiftRight } from './address.ts';
import type { Expressions } from './expression.ts';
import type { Helpers } from './helpers.ts';
import { isHalf, type Layout, type SharedLayout, type Word } from './storage.ts';
import type { Values } from './values.ts';
import type { Writer } from './writer.ts';

export interface MemoryScope {
  readonly writer: Writer;
  readonly expressions: Expressions;
  readonly helpers: Helpers;
  readonly layoutOf: (b: GlobalBuffer) => Layout;
  readonly sharedLayoutOf: (b: SharedBuffer) => SharedLayout;
  readonly values: Values;
  readonly target: (to: LValue) => string;
}

type Of<S extends Stmt['s']> = Extract<Stmt, { s: S }>;
const lanes = 'xyzw';

export class Memory {
  private readonly m: MemoryScope;

  constructor(m: MemoryScope) {
    this.m = m;
  }

  private when(pred: Expr | undefined, body: () => void): void {
    if (pred) this.m.values.block(`if (${this.m.expressions.text(pred)})`, body);
    else body();
  }

  /** An address whose part before "+ constant" is computed once for all that share it. */
  private based(index: Expr): Expr {
    const { values, expressions: x } = this.m;
    const constant = index.e === 'binary' && index.fn === 'add' ? intOf(index.b) : undefined;
    const base = constant === undefined ? index : (index as Extract<Expr, { e: 'binary' }>).a;
    if (isName(base) || !values.isFixed(base)) return index;
    return add(values.asExpr(values.shared(x.text(base), 'at')), constI(constant ?? 0));
  }

  /** Array elements per access, and the index of the first, for `count` words from word `index`. */
  private elements(l: Layout, index: Expr): { at: Expr; words: number } {
    if (l.type === 'f16') return { at: this.based(mul(index, constI(2))), words: 1 };
    if (l.atomic) return { at: this.based(index), words: 1 };
    return { at: this.based(shiftRight(index, Math.log2(l.width))), words: l.width };
  }

  private load(dst: readonly LValue[], l: Layout, index: Expr, pred: Expr | undefined): void {
    const { writer, expressions: x, values } = this.m;
    const type = l.type === 'f16' ? 'u32' : l.type;
    if (l.width > dst.length)
      return dst.forEach((to, i) => this.register(to, type, x.word(l, add(index, constI(i))), pred));
    const { at, words } = this.elements(l, index);
    for (let i = 0; i < dst.length; i += words) {
      const element = (k: number): string => `${l.name}[${x.text(add(at, constI(k)))}]`;
      if (l.type === 'f16') {
        const pair = `bitcast<u32>(vec2<f16>(${element(2 * i)}, ${element(2 * i + 1)}))`;
        this.register(dst[i]!, type, pair, pred);
      } else if (words === 1)
        this.register(dst[i]!, type, l.atomic ? `atomicLoad(&${element(i)})` : element(i), pred);
      else {
        const name = values.fresh('words');
        const vector = `vec${words}<${type}>`;
        if (pred) {
          writer.line(`var ${name} = ${vector}();`);
          this.when(pred, () => writer.line(`${name} = ${element(i / words)};`));
        } else writer.line(`let ${name} = ${element(i / words)};`);
        dst.slice(i, i + words).forEach((to, k) => this.component(to, type, `${name}.${lanes[k]}`));
      }
    }
  }

  /** `to` = a component of a vector that does not change. */
  private component(to: LValue, type: Word, text: string): void {
    const { writer, values, target } = this.m;
    const bits = sameBits(to, type, text);
    if (values.takePending(to)) values.alias(to.var, bits);
    else writer.line(`${target(to)} = ${bits};`);
  }

  /** `to` = one loaded word, or zero bits where `pred` does not hold. */
  private register(to: LValue, type: Word, text: string, pred: Expr | undefined): void {
    const { writer, values, target } = this.m;
    const bits = sameBits(to, type, text);
    const pending = values.takePending(to);
    if (pending && !pred) {
      const name = values.declare(to.var, 'fixed');
      return writer.line(`let ${name} = ${bits};`);
    }
    // Spelt out: Dawn's SPIR-V zeroes a variable without initial value once a function, not once an iteration.
    if (pending) writer.line(`var ${values.declare(to.var, 'fixed')} = ${zero(to)};`);
    else if (pred) writer.line(`${target(to)} = ${zero(to)};`);
    this.when(pred, () => writer.line(`${target(to)} = ${bits};`));
  }

  private store(l: Layout, index: Expr, stored: readonly Expr[], pred: Expr | undefined): void {
    const { writer, expressions: x, values } = this.m;
    this.when(pred, () => {
      const { at, words } = this.elements(l, index);
      const element = (k: number): string => `${l.name}[${x.text(add(at, constI(k)))}]`;
      for (let i = 0; i < stored.length; i += words) {
        if (l.type === 'f16') {
          const pair = values.fresh('pair');
          writer.line(`let ${pair} = bitcast<vec2<f16>>(${x.as('u32', stored[i]!)});`);
          for (const k of [0, 1]) writer.line(`${element(2 * i + k)} = ${pair}.${lanes[k]};`);
        } else if (l.atomic) writer.line(`atomicStore(&${element(i)}, ${x.as(l.type, stored[i]!)});`);
        else {
          const type = l.type;
          const bits = stored.slice(i, i + words).map((v) => x.as(type, v));
          const value = words === 1 ? bits[0] : `vec${words}<${type}>(${bits.join(', ')})`;
          writer.line(`${element(i / words)} = ${value};`);
        }
      }
    });
  }

  /** Element index of a global buffer -> index of 32-bit words. */
  private wordIndex(s: Of<'loadGlobalWords' | 'storeGlobalWords'>): Expr {
    return elementBytes(s.buffer.element) === 2 ? shiftRight(s.index, 1) : s.index;
  }

  private sharedIndex(l: SharedLayout, s: Of<'loadShared' | 'storeShared'>): Expr {
    return shiftRight(add(s.offset, constI(s.buffer.offset - l.offset)), 2);
  }

  loadGlobalWords(s: Of<'loadGlobalWords'>): void {
    this.load(s.dst, this.m.layoutOf(s.buffer), this.wordIndex(s), s.pred);
  }

  storeGlobalWords(s: Of<'storeGlobalWords'>): void {
    this.store(this.m.layoutOf(s.buffer), this.wordIndex(s), s.values, s.pred);
  }

  loadShared(s: Of<'loadShared'>): void {
    const l = this.m.sharedLayoutOf(s.buffer);
    this.load(s.dst, l, this.sharedIndex(l, s), undefined);
  }

  storeShared(s: Of<'storeShared'>): void {
    const l = this.m.sharedLayoutOf(s.buffer);
    this.store(l, this.sharedIndex(l, s), s.values, s.pred);
  }

  storeGlobal(s: Of<'storeGlobal'>): void {
    const { writer, expressions: x, helpers } = this.m;
    const l = this.m.layoutOf(s.buffer);
    if (!isHalf(s.buffer.element)) return this.store(l, s.index, [s.value], s.pred);
    const element = s.buffer.element;
    const at = x.text(s.index);
    const value = x.text(s.value);
    this.when(s.pred, () => {
      if (l.type === 'f16') writer.line(`${l.name}[${at}] = f16(${value});`);
      else writer.line(`${helpers.writeHalf(l, element)}(${at}, ${value});`);
    });
  }

  atomicGlobal(s: Of<'atomicGlobal'>): void {
    const { writer, expressions: x, helpers } = this.m;
    const l = this.m.layoutOf(s.buffer);
    const at = x.text(s.index);
    const value = x.text(s.value);
    const { element } = s.buffer;
    if (isHalf(element) || (element === 'f32' && s.fn !== 'add'))
      return fail('PAT0303', `WGSL has no atomic ${s.fn} of ${element}`, { span: s.span });
    const name = { add: 'atomicAdd', max: 'atomicMax', min: 'atomicMin' }[s.fn];
    this.when(s.pred, () => {
      if (element === 'f32') writer.line(`${helpers.atomicAddF32(l)}(${at}, ${value});`);
      else writer.line(`${name}(&${l.name}[${at}], ${value});`);
    });
  }
}

const zero = (to: LValue): string => ({ f32: '0.0f', i32: '0i', u32: '0u', bool: 'false' })[to.var.type];
const sameBits = (to: LValue, type: Word, text: string): string =>
  to.var.type === type ? text : `bitcast<${to.var.type}>(${text})`;
const isName = (e: Expr): boolean =>
  e.e === 'const' || e.e === 'var' || e.e === 'param' || e.e === 'threadId';
