/**
 * Intervals of integer expressions, to know which products may leave 32 bits. Loads and arguments may be anything;
 * what helps is constants, thread ids, unrolled loop counters, remainders and masks.
 */
import type { Expr, Stmt, ThreadKernel, Var } from '../../../compiler/thread/nodes.ts';
import { rangeOf, type Range } from '../../../compiler/thread/range.ts';
import { walkStmts, writesOf } from '../../../compiler/thread/walk.ts';

const signed: Range = { lo: -(2 ** 31), hi: 2 ** 31 - 1 };
const unsigned: Range = { lo: 0, hi: 2 ** 32 - 1 };
export const fitsInt = (r: Range): boolean => r.lo >= signed.lo && r.hi <= signed.hi;

const hull = (a: Range, b: Range): Range => ({ lo: Math.min(a.lo, b.lo), hi: Math.max(a.hi, b.hi) });
const corners = (a: Range, b: Range, f: (x: number, y: number) => number): Range => {
  const all = [f(a.lo, b.lo), f(a.lo, b.hi), f(a.hi, b.lo), f(a.hi, b.hi)];
  return { lo: Math.min(...all), hi: Math.max(...all) };
};

/** How a register gets its values: expressions, or something else (undefined). */
export type Definition = Expr | undefined;

export function definitionsOf(body: readonly Stmt[]): Map<number, Definition[]> {
  const found = new Map<number, Definition[]>();
  const add = (v: Var, d: Definition): void => {
    const known = found.get(v.id);
    if (known) known.push(d);
    else found.set(v.id, [d]);
  };
  walkStmts(body, (s) => {
    if (s.s === 'assign') add(s.to.var, s.value);
    else if (s.s !== 'for') for (const to of writesOf(s)) add(to.var, s.s === 'declare' ? s.init : undefined);
  });
  return found;
}

export class Ranges {
  readonly definitions: ReadonlyMap<number, readonly Definition[]>;
  readonly #threads: number;
  readonly #counters = new Map<number, Range>();
  readonly #known = new Map<number, Range>();

  constructor(kernel: ThreadKernel) {
    this.#threads = kernel.threads;
    this.definitions = definitionsOf(kernel.body);
    walkStmts(kernel.body, (s) => {
      if (s.s !== 'for') return;
      const before = this.#counters.get(s.iv.id);
      const here = { lo: this.of(s.lo).lo, hi: Math.max(this.of(s.lo).lo, this.of(s.hi).hi - 1) };
      this.#counters.set(s.iv.id, before ? hull(before, here) : here);
    });
  }

  #variable(v: Var): Range {
    const any = v.type === 'u32' ? unsigned : signed;
    const counter = this.#counters.get(v.id);
    if (counter) return counter;
    const known = this.#known.get(v.id);
    if (known) return known;
    this.#known.set(v.id, any); // what a definition in terms of itself sees
    const found = this.definitions.get(v.id) ?? [];
    const only = found.length === 1 ? found[0] : undefined;
    const noted = rangeOf({ e: 'var', type: v.type, var: v });
    const own = only ? this.of(only) : any;
    const range = { lo: Math.max(noted.lo, own.lo), hi: Math.min(noted.hi, own.hi) };
    this.#known.set(v.id, range);
    return range;
  }

  /** Of the value as the kernel computes it: a result that may leave its type may be anything of that type. */
  of(e: Expr): Range {
    const exact = this.exact(e);
    const any = e.type === 'u32' ? unsigned : signed;
    return exact.lo >= any.lo && exact.hi <= any.hi ? exact : any;
  }

  /** As if the outermost operation had unlimited width. */
  exact(e: Expr): Range {
    const any = e.type === 'u32' ? unsigned : e.type === 'bool' ? { lo: 0, hi: 1 } : signed;
    if (e.type === 'f32') return { lo: -Infinity, hi: Infinity };
    switch (e.e) {
      case 'const':
        return { lo: Number(e.value), hi: Number(e.value) };
      case 'threadId':
        return { lo: 0, hi: this.#threads - 1 };
      case 'blockId':
        return { lo: 0, hi: signed.hi };
      case 'var':
      case 'element':
        return this.#variable(e.var);
      case 'convert':
        return e.a.type === 'f32' ? any : this.of(e.a);
      case 'select':
        return hull(this.of(e.a), this.of(e.b));
      case 'guard':
        return hull(this.of(e.value), this.of(e.other));
      case 'unary':
        return this.#unary(e, any);
      case 'binary':
        return this.#binary(e, any);
      default:
        return any;
    }
  }

  #unary(e: Expr & { e: 'unary' }, any: Range): Range {
    const a = this.of(e.a);
    if (e.fn === 'neg') return { lo: -a.hi, hi: -a.lo };
    if (e.fn === 'abs')
      return { lo: a.lo > 0 ? a.lo : a.hi < 0 ? -a.hi : 0, hi: Math.max(Math.abs(a.lo), Math.abs(a.hi)) };
    return any;
  }

  #binary(e: Expr & { e: 'binary' }, any: Range): Range {
    const a = this.of(e.a);
    const b = this.of(e.b);
    switch (e.fn) {
      case 'add':
        return { lo: a.lo + b.lo, hi: a.hi + b.hi };
      case 'sub':
        return { lo: a.lo - b.hi, hi: a.hi - b.lo };
      case 'mul':
        return corners(a, b, (x, y) => x * y);
      case 'min':
        return { lo: Math.min(a.lo, b.lo), hi: Math.min(a.hi, b.hi) };
      case 'max':
        return { lo: Math.max(a.lo, b.lo), hi: Math.max(a.hi, b.hi) };
      case 'div':
        return b.lo > 0 ? corners(a, b, (x, y) => Math.trunc(x / y)) : any;
      case 'rem':
        return b.lo > 0
          ? { lo: a.lo >= 0 ? 0 : -(b.hi - 1), hi: a.hi <= 0 ? 0 : Math.min(a.hi, b.hi - 1) }
          : any;
      case 'and':
        // A mask without sign bit bounds the result, whatever the other side is.
        if (a.lo >= 0 && b.lo >= 0) return { lo: 0, hi: Math.min(a.hi, b.hi) };
        return a.lo >= 0 ? { lo: 0, hi: a.hi } : b.lo >= 0 ? { lo: 0, hi: b.hi } : any;
      case 'or':
      case 'xor':
        return a.lo >= 0 && b.lo >= 0
          ? { lo: 0, hi: 2 ** Math.ceil(Math.log2(Math.max(a.hi, b.hi) + 1)) - 1 }
          : any;
      case 'shl':
        return b.lo >= 0 && b.hi < 32 ? corners(a, b, (x, y) => x * 2 ** y) : any;
      case 'shr':
        return b.lo >= 0 && b.hi < 32 ? corners(a, b, (x, y) => Math.floor(x / 2 ** y)) : any;
    }
  }
}
