/** Loads and stores of words: one WGSL access where the variable's vectors are as wide as the access, several otherwise. */
import { add, constI, intOf, mul } from '../../../compiler/thread/build.ts';
import type { Expr, GlobalBuffer, LValue, SharedBuffer, Stmt } from '../../../compiler/thread/nodes.ts';
import { elementBytes } from '../../../compiler/ir/nodes.ts';
import { fail } from '../../../compiler/diagnostics/error.ts';
import { shiftRight } from './address.ts';
import type { Expressions } from './expression.ts';
import type { Helpers } from './helpers.ts';
import { isHalf, type Layout, type SharedLayout } from './storage.ts';
import type { Writer } from './writer.ts';

export interface MemoryScope {
  readonly writer: Writer;
  readonly expressions: Expressions;
  readonly helpers: Helpers;
  readonly layoutOf: (b: GlobalBuffer) => Layout;
  readonly sharedLayoutOf: (b: SharedBuffer) => SharedLayout;
  readonly fresh: (wish: string) => string;
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
    if (pred) this.m.writer.block(`if (${this.m.expressions.text(pred)})`, body);
    else body();
  }

  /** `count` words from word index `index`, as `name[...]` texts of scalars or of one vector. */
  private read(l: Layout, index: Expr, count: number): { text: string; words: number }[] {
    const { expressions: x } = this.m;
    if (l.type === 'f16') {
      const first = mulBy2(index);
      return Array.from({ length: count }, (_, i) => {
        const at = (k: number): string => `${l.name}[${x.text(add(first, constI(2 * i + k)))}]`;
        return { text: `bitcast<u32>(vec2<f16>(${at(0)}, ${at(1)}))`, words: 1 };
      });
    }
    if (l.width > count || l.atomic)
      return Array.from({ length: count }, (_, i) => ({ text: x.word(l, add(index, constI(i))), words: 1 }));
    return Array.from({ length: count / l.width }, (_, i) => ({
      text: `${l.name}[${x.text(add(shiftRight(index, Math.log2(l.width)), constI(i)))}]`,
      words: l.width,
    }));
  }

  /** An index that several accesses use, evaluated once. */
  private base(index: Expr, uses: number): Expr {
    if (uses < 2 || isCheap(index)) return index;
    const name = this.m.fresh('at');
    // Constants stay outside, so that neighbouring accesses read well.
    this.m.writer.line(`let ${name} = ${this.m.expressions.text(index)};`);
    return { e: 'var', type: 'i32', var: { id: -1, name, type: 'i32' } };
  }

  private load(dst: readonly LValue[], l: Layout, index: Expr, pred: Expr | undefined): void {
    const { writer, fresh, target } = this.m;
    const pieces = Math.ceil(dst.length / (l.type === 'f16' || l.atomic ? 1 : l.width));
    const type = l.type === 'f16' ? 'u32' : l.type;
    const at = this.base(index, pieces);
    const parts = this.read(l, at, dst.length);
    let next = 0;
    for (const part of parts) {
      const mine = dst.slice(next, next + part.words);
      next += part.words;
      if (part.words === 1) {
        const to = mine[0]!;
        const value = to.var.type === type ? part.text : `bitcast<${to.var.type}>(${part.text})`;
        if (pred) writer.line(`${target(to)} = ${zero(to)};`);
        this.when(pred, () => writer.line(`${target(to)} = ${value};`));
        continue;
      }
      const name = fresh('words');
      const vector = `vec${part.words}<${type}>`;
      if (pred) {
        writer.line(`var ${name} = ${vector}();`);
        this.when(pred, () => writer.line(`${name} = ${part.text};`));
      } else writer.line(`let ${name} = ${part.text};`);
      for (const [i, to] of mine.entries()) {
        const word = `${name}.${lanes[i]}`;
        writer.line(`${target(to)} = ${to.var.type === type ? word : `bitcast<${to.var.type}>(${word})`};`);
      }
    }
  }

  private store(l: Layout, index: Expr, values: readonly Expr[], pred: Expr | undefined): void {
    const { writer, expressions: x, fresh } = this.m;
    this.when(pred, () => {
      const width = l.type === 'f16' || l.atomic ? 1 : l.width;
      const at = this.base(index, values.length / width);
      for (let i = 0; i < values.length; i += width) {
        if (l.type === 'f16') {
          const pair = fresh('pair');
          writer.line(`let ${pair} = bitcast<vec2<f16>>(${x.as('u32', values[i]!)});`);
          for (const k of [0, 1])
            writer.line(`${l.name}[${x.text(add(mulBy2(at), constI(2 * i + k)))}] = ${pair}.${lanes[k]};`);
          continue;
        }
        if (l.atomic) {
          writer.line(`atomicStore(&${l.name}[${x.text(add(at, constI(i)))}], ${x.as(l.type, values[i]!)});`);
          continue;
        }
        const element = `${l.name}[${x.text(add(shiftRight(at, Math.log2(width)), constI(i / width)))}]`;
        const words = values.slice(i, i + width).map((v) => x.as(l.type as 'u32', v));
        writer.line(
          `${element} = ${width === 1 ? words[0] : `vec${width}<${l.type}>(${words.join(', ')})`};`,
        );
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

const zero = (to: LValue): string => ({ f32: '0.0', i32: '0', u32: '0u', bool: 'false' })[to.var.type];
const mulBy2 = (e: Expr): Expr => mul(e, constI(2));

/** A name or a constant, with a constant added at most. */
function isCheap(e: Expr): boolean {
  if (e.e === 'binary' && e.fn === 'add' && intOf(e.b) !== undefined) return isCheap(e.a);
  return e.e === 'const' || e.e === 'var' || e.e === 'param' || e.e === 'threadId';
}
