/** Loop iterators as register state, so that a loop's loads can run on an iterator ahead of its arithmetic. */
import type { ForOp, RaggedOp, Region } from '../ir/nodes.ts';
import { add, and, constI, declare, ge, lt, sub, varRef } from '../thread/build.ts';
import type { Expr, Stmt, Var } from '../thread/nodes.ts';
import type { Context } from './context.ts';
import { scalar } from './evaluate.ts';
import type { Scope } from './emitter.ts';

export interface Iterator {
  readonly vars: readonly Var[];
  readonly valid: Expr;
  /** Emits the step to the next iteration; never moves past the end. */
  advance(): void;
  /** Binds the body's induction variables in a scope that instantiates the body. */
  bind(scope: Scope): void;
}

const state = (ctx: Context, name: string, init: Expr): Var => {
  const v = ctx.emitter.registers.scalar(name, 'i32');
  ctx.emitter.emit(declare(ctx.emitter.span, v, init));
  ctx.emitter.top.vars.add(v);
  return v;
};

export const makeIterator = (ctx: Context, op: ForOp | RaggedOp, prefix: string): Iterator =>
  op.op === 'for' ? counted(ctx, op, prefix) : ragged(ctx, op, prefix);

function counted(ctx: Context, op: ForOp, prefix: string): Iterator {
  const i = state(ctx, `${prefix}${op.body.params[0]!.name ?? 'i'}`, scalar(ctx, op.lo));
  const hi = scalar(ctx, op.hi);
  return {
    vars: [i],
    valid: lt(varRef(i), hi),
    advance: () => ctx.emitter.assign(i, add(varRef(i), op.step)),
    bind: (s) => s.values.set(op.body.params[0]!.id, { form: 'scalar', expr: varRef(i) }),
  };
}

/** e, t and the trip count of e; starts one step before the first iteration and takes it. */
function ragged(ctx: Context, op: RaggedOp, prefix: string): Iterator {
  const [pe, pt] = op.body.params as [(typeof op.body.params)[0], (typeof op.body.params)[0]];
  const hi = scalar(ctx, op.hi);
  const e = state(ctx, `${prefix}${pe!.name ?? 'e'}`, sub(scalar(ctx, op.lo), 1));
  const t = state(ctx, `${prefix}${pt!.name ?? 't'}`, constI(0));
  const n = state(ctx, `${prefix}trips`, constI(0));
  const span = ctx.emitter.span;
  const advance = (): void => {
    ctx.emitter.assign(t, add(varRef(t), 1));
    const next = ctx.emitter.open({ vars: [e, t, n] }, () => {
      ctx.emitter.assign(e, add(varRef(e), 1));
      ctx.emitter.assign(t, constI(0));
      ctx.emitter.assign(n, constI(0));
      const load = ctx.emitter.open({ region: op.trips as Region, vars: [e] }, (s) => {
        s.values.set(op.trips.params[0]!.id, { form: 'scalar', expr: varRef(e) });
        ctx.emitter.assign(n, scalar(ctx, op.trips.yields[0]!));
      });
      const inside: Stmt = {
        s: 'if',
        span,
        cond: lt(varRef(e), hi),
        uniform: 'block',
        then: load.stmts,
        else: [],
      };
      ctx.emitter.emit(inside);
    });
    const cond = and(ge(varRef(t), varRef(n)), lt(varRef(e), hi));
    ctx.emitter.emit({ s: 'while', span, cond, body: next.stmts });
  };
  advance();
  return {
    vars: [e, t, n],
    valid: lt(varRef(e), hi),
    advance,
    bind: (s) => {
      s.values.set(pe!.id, { form: 'scalar', expr: varRef(e) });
      s.values.set(pt!.id, { form: 'scalar', expr: varRef(t) });
    },
  };
}
