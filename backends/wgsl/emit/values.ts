/**
 * What names stand for while a function is written: registers under the name of their current declaration, and values
 * that are already computed. Drivers differ in how much of this they find themselves; SwiftShader finds none.
 */
import { childrenOf, exprsOf, walkExpr, walkStmts, writesOf } from '../../../compiler/thread/build.ts';
import { bodiesOf, type Expr, type LValue, type Stmt, type Var } from '../../../compiler/thread/nodes.ts';
import type { Writer } from './writer.ts';

export class Values {
  readonly fresh: (wish: string) => string;
  private readonly writer: Writer;
  private readonly names = new Map<Var, string>();
  /** Registers whose current declaration is never written again. */
  private readonly fixed = new Set<Var>();
  /** Registers whose declaration waits for their only write. */
  private readonly pending = new Set<Var>();
  /** Text of a fixed value -> its name, innermost block last. */
  private readonly scopes: Map<string, string>[] = [new Map()];

  constructor(writer: Writer, fresh: (wish: string) => string) {
    this.writer = writer;
    this.fresh = fresh;
  }

  nameOf(v: Var): string {
    return this.names.get(v) ?? v.name;
  }

  /** `head { body }`; what is computed inside is not known outside. */
  block(head: string, body: () => void, tail?: string): void {
    this.writer.block(head, () => this.scope(body), tail);
  }

  scope(body: () => void): void {
    this.scopes.push(new Map());
    body();
    this.scopes.pop();
  }

  /** A new name for this declaration of the register. */
  declare(v: Var, how: 'fixed' | 'written'): string {
    const name = this.fresh(v.name);
    this.names.set(v, name);
    if (how === 'fixed') this.fixed.add(v);
    else this.fixed.delete(v);
    return name;
  }

  /** The register is another name for `text`, which does not change. */
  alias(v: Var, text: string): void {
    this.names.set(v, text);
    this.fixed.add(v);
  }

  defer(v: Var): void {
    this.pending.add(v);
  }

  /** True for a register whose declaration waits for this write. */
  takePending(to: LValue): boolean {
    return !to.index && this.pending.delete(to.var);
  }

  /** Whether the value is the same wherever it is computed from here on. */
  isFixed(e: Expr): boolean {
    if (e.e === 'element') return false;
    if (e.e === 'var') return this.fixed.has(e.var);
    if (e.e === 'loadGlobal' && e.buffer.access !== 'read') return false;
    return childrenOf(e).every((x) => this.isFixed(x));
  }

  known(text: string): string | undefined {
    return this.scopes.findLast((s) => s.has(text))?.get(text);
  }

  remember(text: string, name: string): void {
    this.scopes.at(-1)!.set(text, name);
  }

  /** The name of a fixed value that is not a register; computed where it is first needed. */
  shared(text: string, wish: string): string {
    let name = this.known(text);
    if (name === undefined) {
      name = this.fresh(wish);
      this.writer.line(`let ${name} = ${text};`);
      this.remember(text, name);
    }
    return name;
  }

  /** An unchanging i32 as an expression that later addresses can add to. */
  asExpr(name: string): Expr {
    const v: Var = { id: -1, name, type: 'i32' };
    this.fixed.add(v);
    return { e: 'var', type: 'i32', var: v };
  }
}

/** Declarations of a block that can wait for the register's only write, which stands in the same block. */
export function deferrable(block: readonly Stmt[]): ReadonlySet<Stmt> {
  const result = new Set<Stmt>();
  const open = new Map<Var, { declaration: Stmt; writes: number; blocked: boolean }>();
  const close = (v: Var): void => {
    const o = open.get(v);
    if (o && o.writes === 1 && !o.blocked) result.add(o.declaration);
    open.delete(v);
  };
  const read = (e: Expr): void => {
    if (e.e !== 'var') return;
    const o = open.get(e.var);
    if (o?.writes === 0) o.blocked = true;
  };
  for (const s of block) {
    for (const e of exprsOf(s)) walkExpr(e, read);
    for (const nested of bodiesOf(s))
      walkStmts(nested, (x) => {
        for (const e of exprsOf(x)) walkExpr(e, read);
        for (const to of writesOf(x)) {
          const o = open.get(to.var);
          if (o) o.blocked = true;
        }
      });
    if (s.s === 'declare') {
      close(s.var);
      if (!s.init && s.var.size === undefined) open.set(s.var, { declaration: s, writes: 0, blocked: false });
    } else
      for (const to of writesOf(s)) {
        const o = open.get(to.var);
        if (o) o.writes++;
      }
  }
  for (const v of [...open.keys()]) close(v);
  return result;
}
