/**
 * 64-bit addressing. Thread IR indexes global buffers by i32 elements, and a KV cache can hold more than 2^31 of them.
 * The rule: in the index of a buffer that may be that large (its length is no small constant), a product that may leave
 * 32 bits is computed in 64, and so is every sum above it. Sums of plain i32 values stay 32-bit: an author's index is an
 * i32 by the language's definition; only the linearised offset may exceed it. A register that holds such a linearised
 * offset, or that accumulates one in a loop, is declared `long long`, unless it is also read as a plain i32 (a mask, say):
 * then it is an author's index.
 */
import type { Expr, GlobalBuffer, Stmt, ThreadKernel, Var } from '../../../compiler/thread/nodes.ts';
import { fitsInt, Ranges } from './ranges.ts';
import { childrenOf, exprsOf, walkStmts } from '../../../compiler/thread/walk.ts';
import { globalAccesses } from './walk.ts';

export class Widths {
  readonly #ranges: Ranges;
  readonly #wide = new Set<number>();
  /** Registers that are read outside sums that form an index. */
  readonly #plain = new Set<number>();

  constructor(kernel: ThreadKernel) {
    this.#ranges = new Ranges(kernel);
    const roots = globalAccesses(kernel.body).filter((a) => this.isLarge(a.buffer));
    this.#findPlain(
      kernel,
      roots.map((r) => r.index),
    );
    // A register found wide can make another one wide that was judged before it: until nothing changes.
    for (let before = -1; before !== this.#wide.size;) {
      before = this.#wide.size;
      const seen = new Set<number>();
      for (const { index } of roots) this.#collect(index, seen);
    }
  }

  /** What feeds an index is decided from the definitions' side: every other read of a register is a plain one. */
  #findPlain(kernel: ThreadKernel, indices: readonly Expr[]): void {
    const feeding = new Set<number>();
    for (const index of indices) this.#feeds(index, feeding);
    const visit = (e: Expr, additive: boolean): void => {
      if ((e.e === 'var' || e.e === 'element') && !additive) this.#plain.add(e.var.id);
      if (e.e === 'binary') {
        const through = additive && (e.fn === 'add' || e.fn === 'sub');
        visit(e.a, through);
        visit(e.b, through);
        return;
      }
      const through = additive ? addends(e) : none;
      for (const x of childrenOf(e))
        visit(x, through.includes(x) || (e.e === 'loadGlobal' && this.isLarge(e.buffer)));
    };
    const additive = (s: Stmt, root: Expr): boolean => {
      if (s.s === 'declare') return feeding.has(s.var.id);
      if (s.s === 'assign') return root === s.value && feeding.has(s.to.var.id);
      if (s.s === 'cpAsync') return root === s.index && this.isLarge(s.from);
      return 'index' in s && root === s.index && this.isLarge(s.buffer);
    };
    walkStmts(kernel.body, (s) => exprsOf(s).forEach((root) => visit(root, additive(s, root))));
  }

  #feeds(e: Expr, found: Set<number>): void {
    if (e.e === 'var' || e.e === 'element') {
      if (found.has(e.var.id)) return;
      found.add(e.var.id);
      for (const d of this.#ranges.definitions.get(e.var.id) ?? []) if (d) this.#feeds(d, found);
    }
    for (const x of addends(e)) this.#feeds(x, found);
  }

  /** Whether a loop bound has the same value on every trip. */
  isFixed(e: Expr): boolean {
    if (e.e === 'var') return this.#ranges.definitions.get(e.var.id)?.length === 1;
    return e.e === 'const' || e.e === 'param';
  }

  isLarge(buffer: GlobalBuffer): boolean {
    const { hi } = this.#ranges.exact(buffer.length);
    return hi >= 2 ** 31 - 1;
  }

  isWideVar(v: Var): boolean {
    return this.#wide.has(v.id);
  }

  /** Whether `e`, as part of a large buffer's index, is a 64-bit value. */
  needs(e: Expr): boolean {
    switch (e.e) {
      case 'var':
      case 'element':
        return this.#wide.has(e.var.id);
      case 'binary':
        if (e.type !== 'i32') return false;
        if (e.fn === 'add' || e.fn === 'sub') return this.needs(e.a) || this.needs(e.b);
        if (e.fn === 'mul' || e.fn === 'shl')
          return this.needs(e.a) || this.needs(e.b) || !fitsInt(this.#ranges.exact(e));
        return false;
      case 'select':
        return this.needs(e.a) || this.needs(e.b);
      case 'guard':
        return this.needs(e.value) || this.needs(e.other);
      default:
        return false;
    }
  }

  #collect(e: Expr, seen: Set<number>): void {
    switch (e.e) {
      case 'var':
      case 'element': {
        if (e.var.type !== 'i32' || seen.has(e.var.id) || this.#plain.has(e.var.id)) return;
        seen.add(e.var.id);
        const definitions = (this.#ranges.definitions.get(e.var.id) ?? []).filter((d) => d !== undefined);
        if (definitions.some((d) => this.needs(d) || accumulates(d, e.var))) this.#wide.add(e.var.id);
        for (const d of definitions) this.#collect(d, seen);
        return;
      }
      default:
        for (const x of addends(e)) this.#collect(x, seen);
    }
  }
}

const none: readonly Expr[] = [];

/** Operands whose sum, or choice, the expression is. */
function addends(e: Expr): readonly Expr[] {
  if (e.e === 'binary') return e.fn === 'add' || e.fn === 'sub' ? [e.a, e.b] : none;
  if (e.e === 'select') return [e.a, e.b];
  return e.e === 'guard' ? [e.value, e.other] : none;
}

/** v = v + something larger than a loop counter's step: an offset that grows. */
function accumulates(e: Expr, v: Var): boolean {
  if (e.e !== 'binary' || (e.fn !== 'add' && e.fn !== 'sub')) return false;
  const self = (x: Expr): boolean => (x.e === 'var' || x.e === 'element') && x.var.id === v.id;
  if (!self(e.a) && !self(e.b)) return false;
  const step = self(e.a) ? e.b : e.a;
  return !(step.e === 'const' && Math.abs(Number(step.value)) <= 64);
}
