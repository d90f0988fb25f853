/** Loop iterators as register state, so that a loop's loads can run on an iterator ahead of its arithmetic. */
import type { ForOp, RaggedOp } from '../ir/nodes.ts';
import { add, and, constB, constI, declare, eq, ge, lt, sub, varRef } from '../thread/build.ts';
import type { Expr, RegType, Stmt, Var } from '../thread/nodes.ts';
import { regTypeOf, type Context } from './context.ts';
import type { EntryLoads } from './entry-loads.ts';
import { constantOf, nameOf, scalar } from './evaluate.ts';
import type { Scope } from './emitter.ts';

export interface Iterator {
  readonly vars: readonly Var[];
  readonly valid: Expr;
  /** Emits the step to the next iteration; never moves past the end. */
  advance(): void;
  /** Emits the loads that a later `advance` will need: once an iteration, before loads that the next one waits for. */
  prefetch(): void;
  /** Binds the body's induction variables in a scope that instantiates the body. */
  bind(scope: Scope): void;
}

const state = (ctx: Context, name: string, init: Expr, type: RegType = 'i32'): Var => {
  const v = ctx.emitter.registers.scalar(name, type);
  ctx.emitter.emit(declare(ctx.emitter.span, v, init));
  ctx.emitter.top.vars.add(v);
  return v;
};

/** An iterator; `fields` are scalars of the ragged loop's entries that it reads one entry ahead of their use. */
export const makeIterator = (
  ctx: Context,
  op: ForOp | RaggedOp,
  prefix: string,
  fields: readonly EntryLoads[] = [],
): Iterator => (op.op === 'for' ? counted(ctx, op, prefix) : ragged(ctx, op, prefix, fields));

function counted(ctx: Context, op: ForOp, prefix: string): Iterator {
  const i = state(ctx, `${prefix}${op.body.params[0]!.name ?? 'i'}`, scalar(ctx, op.lo));
  const hi = scalar(ctx, op.hi);
  return {
    vars: [i],
    valid: lt(varRef(i), hi),
    advance: () => ctx.emitter.assign(i, add(varRef(i), op.step)),
    prefetch: () => undefined,
    bind: (s) => s.values.set(op.body.params[0]!.id, { form: 'scalar', expr: varRef(i) }),
  };
}

interface Field {
  readonly loads: EntryLoads;
  /** Its value for this entry and for the next. */
  readonly now: Var;
  readonly next: Var;
}

/** e, t and the trip count of e; starts one step before the first iteration and takes it. */
function ragged(ctx: Context, op: RaggedOp, prefix: string, entryLoads: readonly EntryLoads[]): Iterator {
  const [pe, pt] = op.body.params as [(typeof op.body.params)[0], (typeof op.body.params)[0]];
  const [lo, hi] = [scalar(ctx, op.lo), scalar(ctx, op.hi)];
  const e = state(ctx, `${prefix}${pe!.name ?? 'e'}`, sub(lo, 1));
  const t = state(ctx, `${prefix}${pt!.name ?? 't'}`, constI(0));
  const n = state(ctx, `${prefix}trips`, constI(0));
  const span = ctx.emitter.span;
  const fields = entryLoads.map((loads): Field => {
    const { result, tensor } = loads.find((l) => l.result.name) ?? loads[0];
    const name = `${prefix}${nameOf(result, `${tensor.name}_at`)}`;
    const type = regTypeOf(result.type.element);
    const now = state(ctx, name, constantOf(result.type.element, 0), type);
    return { loads, now, next: state(ctx, `${name}_ahead`, constantOf(result.type.element, 0), type) };
  });
  const vars = [e, t, n, ...fields.flatMap((f) => [f.now, f.next])];

  const fetch = (entry: Expr, when: Expr): void => {
    if (fields.length === 0) return;
    const loads = ctx.emitter.open({ region: op.body, vars }, (body) => {
      body.values.set(pe!.id, { form: 'scalar', expr: entry });
      ctx.emitter.open({ region: op.trips, inline: true }, (trips) => {
        trips.values.set(op.trips.params[0]!.id, { form: 'scalar', expr: entry });
        const values = fields.map((f) => scalar(ctx, f.loads[0].result));
        fields.forEach((f, i) => ctx.emitter.assign(f.next, values[i]!));
      });
    });
    ctx.emitter.span = span;
    const cond = and(when, lt(entry, hi));
    ctx.emitter.emit({ s: 'if', span, cond, uniform: 'block', then: loads.stmts, else: [] });
  };
  const bindFields = (s: Scope): void => {
    for (const f of fields)
      for (const l of f.loads) s.values.set(l.result.id, { form: 'scalar', expr: varRef(f.now) });
  };

  const advance = (): void => {
    ctx.emitter.assign(t, add(varRef(t), 1));
    const next = ctx.emitter.open({ vars }, () => {
      // Past an entry without steps: nothing has been read ahead.
      fetch(add(varRef(e), 1), eq(varRef(t), 0));
      ctx.emitter.assign(e, add(varRef(e), 1));
      ctx.emitter.assign(t, constI(0));
      ctx.emitter.assign(n, constI(0));
      for (const f of fields) ctx.emitter.assign(f.now, varRef(f.next));
      const trips = ctx.emitter.open({ region: op.trips, vars }, (s) => {
        s.values.set(op.trips.params[0]!.id, { form: 'scalar', expr: varRef(e) });
        bindFields(s);
        ctx.emitter.assign(n, scalar(ctx, op.trips.yields[0]!));
      });
      const inside: Stmt = {
        s: 'if',
        span,
        cond: lt(varRef(e), hi),
        uniform: 'block',
        then: trips.stmts,
        else: [],
      };
      ctx.emitter.emit(inside);
    });
    const cond = and(ge(varRef(t), varRef(n)), lt(varRef(e), hi));
    ctx.emitter.emit({ s: 'while', span, cond, body: next.stmts });
  };
  fetch(lo, constB(true));
  advance();
  return {
    vars,
    valid: lt(varRef(e), hi),
    advance,
    prefetch: () => fetch(add(varRef(e), 1), eq(varRef(t), 0)),
    bind: (s) => {
      s.values.set(pe!.id, { form: 'scalar', expr: varRef(e) });
      s.values.set(pt!.id, { form: 'scalar', expr: varRef(t) });
      bindFields(s);
    },
  };
}
