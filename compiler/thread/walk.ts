/** Walking and rewriting Thread IR. Rewritten expressions are rebuilt through the constructors, so they fold again. */
import {
  binaryOf,
  bitcast,
  compare,
  convert,
  element,
  fma,
  guard,
  loadGlobal,
  pack,
  round,
  select,
  unary,
  unpack,
} from './expr.ts';
import { bodiesOf, type Expr, type LValue, type Stmt, type TensorMap, type Var } from './nodes.ts';

const none: readonly Expr[] = [];

/** Direct operands, in evaluation order. */
export function childrenOf(e: Expr): readonly Expr[] {
  switch (e.e) {
    case 'const':
    case 'var':
    case 'param':
    case 'threadId':
    case 'blockId':
      return none;
    case 'element':
    case 'loadGlobal':
      return [e.index];
    case 'unary':
    case 'convert':
    case 'bitcast':
    case 'round':
    case 'unpack':
      return [e.a];
    case 'binary':
    case 'compare':
      return [e.a, e.b];
    case 'select':
      return [e.cond, e.a, e.b];
    case 'fma':
      return [e.a, e.b, e.c];
    case 'pack':
      return [e.lo, e.hi];
    case 'guard':
      return [e.cond, e.value, e.other];
  }
}

/** The same operator on other operands (as many as childrenOf gives), simplified. */
export function withChildren(e: Expr, [a, b, c]: readonly Expr[]): Expr {
  switch (e.e) {
    case 'const':
    case 'var':
    case 'param':
    case 'threadId':
    case 'blockId':
      return e;
    case 'element':
      return element(e.var, a!);
    case 'loadGlobal':
      return loadGlobal(e.buffer, a!);
    case 'unary':
      return unary(e.fn, a!);
    case 'convert':
      return convert(e.type, a!);
    case 'bitcast':
      return bitcast(e.type, a!);
    case 'round':
      return round(e.to, a!);
    case 'unpack':
      return unpack(e.from, a!, e.half);
    case 'binary':
      return binaryOf(e.fn, a!, b!);
    case 'compare':
      return compare(e.fn, a!, b!);
    case 'select':
      return select(a!, b!, c!);
    case 'fma':
      return fma(a!, b!, c!);
    case 'pack':
      return pack(e.to, a!, b!);
    case 'guard':
      return guard(a!, b!, c!);
  }
}

/** Rewrites bottom-up: operands first, then `f` on the rebuilt node. */
export function mapExpr(e: Expr, f: (e: Expr) => Expr): Expr {
  const before = childrenOf(e);
  const after = before.map((x) => mapExpr(x, f));
  return f(after.every((x, i) => x === before[i]) ? e : withChildren(e, after));
}

export function walkExpr(e: Expr, visit: (e: Expr) => void): void {
  visit(e);
  // Most operators have two operands: no list for them.
  if (e.e === 'binary' || e.e === 'compare') {
    walkExpr(e.a, visit);
    walkExpr(e.b, visit);
  } else for (const x of childrenOf(e)) walkExpr(x, visit);
}

/** Expressions that a statement evaluates itself (not those of nested statements), indices of its targets included. */
export function exprsOf(s: Stmt): readonly Expr[] {
  const present = (...xs: (Expr | undefined)[]): Expr[] => xs.filter((x) => x !== undefined);
  switch (s.s) {
    case 'comment':
    case 'barrier':
    case 'warpBarrier':
    case 'cpAsyncCommit':
    case 'cpAsyncWait':
    case 'proxyFence':
    case 'wgmmaFence':
    case 'wgmmaCommit':
    case 'wgmmaWait':
    case 'setMaxRegisters':
      return none;
    case 'declare':
      return present(s.init);
    case 'assign':
      return present(s.to.index, s.value);
    case 'for':
      return [s.lo, s.hi];
    case 'while':
    case 'if':
      return [s.cond];
    case 'loadGlobalWords':
      return present(s.index, s.pred, ...s.dst.map((d) => d.index));
    case 'storeGlobalWords':
      return present(s.index, ...s.values, s.pred);
    case 'storeGlobal':
    case 'atomicGlobal':
      return present(s.index, s.value, s.pred);
    case 'loadShared':
    case 'ldmatrix':
      return present(s.offset, ...s.dst.map((d) => d.index));
    case 'storeShared':
      return present(s.offset, ...s.values, s.pred);
    case 'storeSharedHalf':
      return present(s.offset, s.value, s.pred);
    case 'cpAsync':
      return present(s.offset, s.index, s.pred);
    case 'mma':
      return present(...s.acc.map((d) => d.index), ...s.a, ...s.b);
    case 'wgmma':
      return present(...s.acc.map((d) => d.index), ...s.a, s.left?.offset, s.offset);
    case 'shuffleXor':
    case 'warpAny':
      return present(s.dst.index, s.value);
    case 'mbarrierInit':
    case 'mbarrierArrive':
    case 'mbarrierArriveCpAsync':
      return [s.offset];
    case 'mbarrierArriveExpect':
      return [s.offset, s.bytes];
    case 'tensorCopy':
      return present(s.offset, ...s.at, s.barrierOffset, s.pred, s.evictFirst);
    case 'mbarrierWait':
      return [s.offset, s.parity];
  }
}

/** Variables that a statement itself writes (mma and wgmma also read their accumulators). */
export function writesOf(s: Stmt): readonly LValue[] {
  switch (s.s) {
    case 'declare':
      return s.init ? [{ var: s.var }] : [];
    case 'assign':
      return [s.to];
    case 'for':
      return [{ var: s.iv }];
    case 'loadGlobalWords':
    case 'loadShared':
    case 'ldmatrix':
      return s.dst;
    case 'mma':
    case 'wgmma':
      return s.acc;
    case 'shuffleXor':
    case 'warpAny':
      return [s.dst];
    default:
      return [];
  }
}

/** Every statement, outer before inner, in program order. */
export function walkStmts(stmts: readonly Stmt[], visit: (s: Stmt) => void): void {
  for (const s of stmts) {
    visit(s);
    for (const body of bodiesOf(s)) walkStmts(body, visit);
  }
}

/** Whether a statement, or one nested in it, is such a one. */
export const someStmt = (stmts: readonly Stmt[], is: (s: Stmt) => boolean): boolean =>
  stmts.some((s) => is(s) || bodiesOf(s).some((body) => someStmt(body, is)));

export function exprUsesVar(e: Expr, v: Var): boolean {
  if ((e.e === 'var' || e.e === 'element') && e.var === v) return true;
  return childrenOf(e).some((x) => exprUsesVar(x, v));
}

/** Whether a variable is read, written or declared in the statements. */
export function stmtsUseVar(stmts: readonly Stmt[], v: Var): boolean {
  let used = false;
  walkStmts(stmts, (s) => {
    used ||=
      (s.s === 'declare' && s.var === v) ||
      ((s.s === 'wgmmaFence' || s.s === 'wgmmaWait') && s.registers.includes(v)) ||
      writesOf(s).some((to) => to.var === v) ||
      exprsOf(s).some((e) => exprUsesVar(e, v));
  });
  return used;
}

/** Replaces reads of scalar variables. */
export function substitute(e: Expr, by: ReadonlyMap<Var, Expr>): Expr {
  return mapExpr(e, (x) => (x.e === 'var' ? (by.get(x.var) ?? x) : x));
}

export interface StmtRewrite {
  /** Applied to every expression as a whole; use mapExpr inside for bottom-up rewrites. */
  readonly expr?: (e: Expr) => Expr;
  /** Applied to a target after its index was rewritten. */
  readonly target?: (to: LValue) => LValue;
  /** Applied to each rewritten statement: what stands there instead. */
  readonly stmt?: (s: Stmt) => readonly Stmt[];
}

/** Rewrites statements bottom-up. */
export function mapStmts(stmts: readonly Stmt[], f: StmtRewrite): Stmt[] {
  const expr = f.expr ?? ((e: Expr) => e);
  const target = f.target ?? ((to: LValue) => to);
  const to = (x: LValue): LValue => target(x.index ? { var: x.var, index: expr(x.index) } : x);
  const pred = (x: { readonly pred?: Expr }): { pred?: Expr } => (x.pred ? { pred: expr(x.pred) } : {});
  const one = (s: Stmt): Stmt => {
    switch (s.s) {
      case 'comment':
      case 'barrier':
      case 'warpBarrier':
      case 'cpAsyncCommit':
      case 'cpAsyncWait':
      case 'proxyFence':
      case 'wgmmaFence':
      case 'wgmmaCommit':
      case 'wgmmaWait':
      case 'setMaxRegisters':
        return s;
      case 'declare':
        return s.init ? { ...s, init: expr(s.init) } : s;
      case 'assign':
        return { ...s, to: to(s.to), value: expr(s.value) };
      case 'for':
        return { ...s, lo: expr(s.lo), hi: expr(s.hi), body: mapStmts(s.body, f) };
      case 'while':
        return { ...s, cond: expr(s.cond), body: mapStmts(s.body, f) };
      case 'if':
        return { ...s, cond: expr(s.cond), then: mapStmts(s.then, f), else: mapStmts(s.else, f) };
      case 'loadGlobalWords':
        return { ...s, index: expr(s.index), dst: s.dst.map(to), ...pred(s) };
      case 'storeGlobalWords':
        return { ...s, index: expr(s.index), values: s.values.map(expr), ...pred(s) };
      case 'storeGlobal':
      case 'atomicGlobal':
        return { ...s, index: expr(s.index), value: expr(s.value), ...pred(s) };
      case 'loadShared':
      case 'ldmatrix':
        return { ...s, offset: expr(s.offset), dst: s.dst.map(to) };
      case 'storeShared':
        return { ...s, offset: expr(s.offset), values: s.values.map(expr), ...pred(s) };
      case 'storeSharedHalf':
        return { ...s, offset: expr(s.offset), value: expr(s.value), ...pred(s) };
      case 'cpAsync':
        return { ...s, offset: expr(s.offset), index: expr(s.index), ...pred(s) };
      case 'mma':
        return { ...s, acc: s.acc.map(to), a: s.a.map(expr), b: s.b.map(expr) };
      case 'wgmma':
        return {
          ...s,
          acc: s.acc.map(to),
          a: s.a.map(expr),
          offset: expr(s.offset),
          ...(s.left ? { left: { ...s.left, offset: expr(s.left.offset) } } : {}),
        };
      case 'shuffleXor':
      case 'warpAny':
        return { ...s, dst: to(s.dst), value: expr(s.value) };
      case 'mbarrierInit':
      case 'mbarrierArrive':
      case 'mbarrierArriveCpAsync':
        return { ...s, offset: expr(s.offset) };
      case 'mbarrierArriveExpect':
        return { ...s, offset: expr(s.offset), bytes: expr(s.bytes) };
      case 'tensorCopy': {
        const barrierOffset = expr(s.barrierOffset);
        const evictFirst = s.evictFirst && { evictFirst: expr(s.evictFirst) };
        return { ...s, offset: expr(s.offset), at: s.at.map(expr), barrierOffset, ...pred(s), ...evictFirst };
      }
      case 'mbarrierWait':
        return { ...s, offset: expr(s.offset), parity: expr(s.parity) };
    }
  };
  return stmts.flatMap((s) => (f.stmt ? f.stmt(one(s)) : [one(s)]));
}

/** The tensor maps of a body's copies, in program order. */
export function tensorMapsOf(stmts: readonly Stmt[]): TensorMap[] {
  const found = new Set<TensorMap>();
  walkStmts(stmts, (s) => {
    if (s.s === 'tensorCopy') found.add(s.map);
  });
  return [...found];
}

/** Replaces reads of scalar variables in statements. */
export const substituteStmts = (stmts: readonly Stmt[], by: ReadonlyMap<Var, Expr>): Stmt[] =>
  mapStmts(stmts, { expr: (e) => substitute(e, by) });
