/**
 * Scopes of statements under construction. Lowering is demand driven: a value is computed when something needs it, and
 * its statement is placed in the outermost open scope where all it reads is visible, so that what depends on the row
 * alone is computed once a row and not once an element.
 */
import type { Region } from '../ir/nodes.ts';
import type { Span } from '../ir/span.ts';
import {
  assign,
  declare,
  forLoop,
  noteLoopRange,
  Registers,
  varRef,
  walkExpr,
  constI,
  lvalue,
} from '../thread/build.ts';
import type { Expr, RegType, Stmt, Var } from '../thread/nodes.ts';
import type { Lowered } from './values.ts';

export interface Scope {
  readonly id: number;
  readonly stmts: Stmt[];
  readonly vars: Set<Var>;
  readonly cache: Map<string, Expr>;
  /** The Tile IR region this scope is an instance of, if any, and the values lowered in it. */
  readonly region?: Region;
  readonly values: Map<number, Lowered>;
}

export class Emitter {
  readonly registers = new Registers();
  readonly scopes: Scope[] = [];
  private nextScope = 0;
  span: Span;

  constructor(span: Span) {
    this.span = span;
  }

  get top(): Scope {
    return this.scopes.at(-1)!;
  }

  emit(stmt: Stmt): void {
    this.top.stmts.push(stmt);
  }

  /** Runs `build` in a new scope and returns the scope. With `inline`, statements go to the enclosing scope's list. */
  open(
    options: { region?: Region; inline?: boolean; vars?: readonly Var[] },
    build: (s: Scope) => void,
  ): Scope {
    const scope: Scope = {
      id: this.nextScope++,
      stmts: options.inline ? this.top.stmts : [],
      vars: new Set(options.vars ?? []),
      cache: new Map(),
      values: new Map(),
      ...(options.region ? { region: options.region } : {}),
    };
    this.scopes.push(scope);
    build(scope);
    this.scopes.pop();
    return scope;
  }

  /** The innermost open instance of a region. */
  instance(region: Region): Scope {
    for (let i = this.scopes.length - 1; i >= 0; i--)
      if (this.scopes[i]!.region === region) return this.scopes[i]!;
    throw new Error('region is not open');
  }

  /** Index of the outermost scope in which `e` can be evaluated. */
  depthOf(e: Expr): number {
    let depth = 0;
    walkExpr(e, (x) => {
      if (x.e !== 'var' && x.e !== 'element') return;
      for (let i = this.scopes.length - 1; i > depth; i--)
        if (this.scopes[i]!.vars.has(x.var)) {
          depth = i;
          return;
        }
    });
    return depth;
  }

  cached(key: string): Expr | undefined {
    for (const s of this.scopes) {
      const hit = s.cache.get(key);
      if (hit) return hit;
    }
    return undefined;
  }

  /** Evaluates `e` once into a register, as far out as possible but not outside `floor`; `key` finds it again. */
  once(name: string, key: string, e: Expr, floor: Scope): Expr {
    const hit = this.cached(key);
    if (hit) return hit;
    const scope = this.scopes[Math.max(this.depthOf(e), this.scopes.indexOf(floor))]!;
    const v = this.registers.scalar(name, e.type);
    scope.stmts.push(declare(this.span, v, e));
    scope.vars.add(v);
    const ref = varRef(v);
    scope.cache.set(key, ref);
    return ref;
  }

  /** Runs `build` as if `scope` were the innermost: for values that belong to an enclosing scope. */
  at<T>(scope: Scope, build: () => T): T {
    const depth = this.scopes.indexOf(scope);
    const inner = this.scopes.splice(depth + 1);
    try {
      return build();
    } finally {
      this.scopes.push(...inner);
    }
  }

  /** A new scalar register in the current scope. */
  scalar(name: string, type: RegType, init?: Expr): Var {
    const v = this.registers.scalar(name, type);
    this.top.stmts.push(declare(this.span, v, init));
    this.top.vars.add(v);
    return v;
  }

  array(name: string, type: RegType, size: number, scope: Scope = this.top): Var {
    const v = this.registers.array(name, type, size);
    scope.stmts.push(declare(this.span, v));
    scope.vars.add(v);
    return v;
  }

  assign(to: Var, value: Expr, index?: Expr): void {
    this.emit(assign(this.span, lvalue(to, index), value));
  }

  /** An unrolled loop over 0..n-1; no loop for n = 1. */
  unrolled(name: string, n: number, body: (i: Expr) => void): void {
    if (n === 1) return body(constI(0));
    const iv = this.registers.scalar(name, 'i32');
    noteLoopRange(iv, constI(0), constI(n));
    const scope = this.open({ vars: [iv] }, () => body(varRef(iv)));
    this.emit(forLoop(this.span, iv, constI(0), constI(n), 1, true, scope.stmts));
  }

  /** A rolled loop over lo, lo+step, … < hi. */
  loop(
    name: string,
    lo: Expr,
    hi: Expr,
    step: number,
    region: Region | undefined,
    body: (i: Expr) => void,
  ): void {
    const iv = this.registers.scalar(name, 'i32');
    noteLoopRange(iv, lo, hi);
    const scope = this.open({ vars: [iv], ...(region ? { region } : {}) }, () => body(varRef(iv)));
    this.emit(forLoop(this.span, iv, lo, hi, step, false, scope.stmts));
  }
}

/** Statements moved under a condition that holds for whole warps: what was uniform over the block is so over warps. */
export const underWarpCondition = (stmts: readonly Stmt[]): Stmt[] =>
  stmts.map((s): Stmt => {
    if (s.s === 'for' || s.s === 'while') return { ...s, body: underWarpCondition(s.body) };
    if (s.s !== 'if') return s;
    const uniform = s.uniform === 'block' ? 'warp' : s.uniform;
    return { ...s, uniform, then: underWarpCondition(s.then), else: underWarpCondition(s.else) };
  });

/** The predicate of a statement: none where the condition always holds. */
export const predicate = (cond: Expr): { pred?: Expr } =>
  cond.e === 'const' && cond.value === true ? {} : { pred: cond };

/** Structural key of an expression, for caches. */
export function exprKey(e: Expr): string {
  switch (e.e) {
    case 'const':
      return `c${e.value}`;
    case 'var':
      return `v${e.var.id}`;
    case 'element':
      return `v${e.var.id}[${exprKey(e.index)}]`;
    case 'param':
      return `p${e.name}`;
    case 'threadId':
      return 't';
    case 'blockId':
      return `b${e.axis}`;
    case 'unary':
      return `${e.fn}(${exprKey(e.a)})`;
    case 'binary':
    case 'compare':
      return `${e.fn}(${exprKey(e.a)},${exprKey(e.b)})`;
    case 'select':
      return `sel(${exprKey(e.cond)},${exprKey(e.a)},${exprKey(e.b)})`;
    case 'fma':
      return `fma(${exprKey(e.a)},${exprKey(e.b)},${exprKey(e.c)})`;
    case 'convert':
    case 'bitcast':
      return `${e.e}${e.type}(${exprKey(e.a)})`;
    case 'round':
      return `round${e.to}(${exprKey(e.a)})`;
    case 'pack':
      return `pack${e.to}(${exprKey(e.lo)},${exprKey(e.hi)})`;
    case 'unpack':
      return `unpack${e.from}${e.half}(${exprKey(e.a)})`;
    case 'loadGlobal':
      return `${e.buffer.name}[${exprKey(e.index)}]`;
    case 'guard':
      return `guard(${exprKey(e.cond)},${exprKey(e.value)},${exprKey(e.other)})`;
  }
}
