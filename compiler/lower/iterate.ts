/** Loop iterators as register state, so that a loop's loads can run on an iterator ahead of its arithmetic. */
import type { ForOp, RaggedOp } from '../ir/nodes.ts';
import {
  add,
  and,
  constB,
  constI,
  declare,
  eq,
  ge,
  ifThen,
  lt,
  min,
  not,
  select,
  sub,
  varRef,
} from '../thread/build.ts';
import type { Expr, RegType, Stmt, Var } from '../thread/nodes.ts';
import { regTypeOf, type Context } from './context.ts';
import type { EntryLoads } from './entry-loads.ts';
import { constantOf, nameOf, scalar } from './evaluate.ts';
import type { Scope } from './emitter.ts';

export interface Iterator {
  readonly vars: readonly Var[];
  readonly valid: Expr;
  /** The entry of a ragged loop. */
  readonly entry?: Expr;
  /** Emits the step to the next iteration; never moves past the end. */
  advance(): void;
  /**
   * Emits the loads that a later `advance` will need: once an iteration, before loads that the next one waits for. With
   * `some`, the loop is known to have an iteration, and no branch is needed: branches make the assembler wait.
   */
  prefetch(some: boolean): void;
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

/** A scalar of an entry, and the register that holds it. */
interface Field {
  readonly loads: EntryLoads;
  readonly var: Var;
}

function makeField(ctx: Context, loads: EntryLoads, prefix: string, suffix = ''): Field {
  const { result, tensor } = loads.find((l) => l.result.name) ?? loads[0];
  const name = `${prefix}${nameOf(result, `${tensor.name}_at`)}${suffix}`;
  const { element } = result.type;
  return { loads, var: state(ctx, name, constantOf(element, 0), regTypeOf(element)) };
}

/** Reads an entry's scalars where `cond` holds. */
function readEntry(
  ctx: Context,
  op: RaggedOp,
  fields: readonly Field[],
  entry: Expr,
  cond: Expr,
  vars: readonly Var[],
): void {
  if (fields.length === 0) return;
  const { span } = ctx.emitter;
  const loads = ctx.emitter.open({ region: op.body, vars }, (body) => {
    body.values.set(op.body.params[0]!.id, { form: 'scalar', expr: entry });
    ctx.emitter.open({ region: op.trips, inline: true }, (trips) => {
      trips.values.set(op.trips.params[0]!.id, { form: 'scalar', expr: entry });
      const values = fields.map((f) => scalar(ctx, f.loads[0].result));
      fields.forEach((f, i) => ctx.emitter.assign(f.var, values[i]!));
    });
  });
  ctx.emitter.span = span;
  for (const stmt of ifThen(span, cond, 'block', loads.stmts)) ctx.emitter.emit(stmt);
}

function bindFields(s: Scope, fields: readonly Field[]): void {
  for (const f of fields)
    for (const l of f.loads) s.values.set(l.result.id, { form: 'scalar', expr: varRef(f.var) });
}

/**
 * A ragged iterator that repeats the steps of `leader`, `distance` of them behind: it counts no trips, and reads an
 * entry's scalars at the end of the step before it. To be made before the leader advances, and told whenever it has.
 */
export class Follower implements Iterator {
  readonly vars: readonly Var[];
  readonly valid: Expr;
  readonly prefetch = (): void => undefined;
  private readonly e: Var;
  private readonly t: Var;
  private readonly ctx: Context;
  private readonly op: RaggedOp;
  private readonly fields: readonly Field[];
  private readonly leader: Expr;
  /** The entries of the steps between. */
  private readonly between: Var[] = [];

  constructor(ctx: Context, op: RaggedOp, loads: readonly EntryLoads[], leader: Iterator, distance: number) {
    const [pe, pt] = op.body.params;
    this.ctx = ctx;
    this.op = op;
    this.leader = leader.entry!;
    this.e = state(ctx, pe!.name ?? 'e', this.leader);
    this.t = state(ctx, pt!.name ?? 't', constI(0));
    for (let i = 0; i < distance; i++)
      this.between.push(state(ctx, `${pe!.name ?? 'e'}_after_${i + 1}`, varRef(this.e)));
    this.fields = loads.map((l) => makeField(ctx, l, ''));
    this.vars = [this.e, this.t, ...this.between, ...this.fields.map((f) => f.var)];
    const hi = scalar(ctx, op.hi);
    this.valid = lt(varRef(this.e), hi);
    readEntry(ctx, op, this.fields, varRef(this.e), this.valid, this.vars);
  }

  /** The leader is now `steps` ahead. */
  led(steps: number): void {
    this.ctx.emitter.assign(this.between[steps - 1]!, this.leader);
  }

  advance(): void {
    const { ctx, op, e, t, between } = this;
    const next = varRef(between[0]!);
    const same = eq(next, varRef(e));
    ctx.emitter.assign(t, select(same, add(varRef(t), 1), constI(0)));
    const changed = and(not(same), lt(next, scalar(ctx, op.hi)));
    readEntry(ctx, op, this.fields, next, changed, this.vars);
    [e, ...between].slice(0, -1).forEach((v, i) => ctx.emitter.assign(v, varRef(between[i]!)));
  }

  bind(s: Scope): void {
    const [pe, pt] = this.op.body.params;
    s.values.set(pe!.id, { form: 'scalar', expr: varRef(this.e) });
    s.values.set(pt!.id, { form: 'scalar', expr: varRef(this.t) });
    bindFields(s, this.fields);
  }
}

/** e, t and the trip count of e; starts one step before the first iteration and takes it. */
function ragged(ctx: Context, op: RaggedOp, prefix: string, entryLoads: readonly EntryLoads[]): Iterator {
  const [pe, pt] = op.body.params as [(typeof op.body.params)[0], (typeof op.body.params)[0]];
  const [lo, hi] = [scalar(ctx, op.lo), scalar(ctx, op.hi)];
  const e = state(ctx, `${prefix}${pe!.name ?? 'e'}`, sub(lo, op.step));
  const t = state(ctx, `${prefix}${pt!.name ?? 't'}`, constI(0));
  const n = state(ctx, `${prefix}trips`, constI(0));
  const span = ctx.emitter.span;
  // Each entry's scalars for this entry, and already for the next.
  const now = entryLoads.map((l) => makeField(ctx, l, prefix));
  const ahead = entryLoads.map((l) => makeField(ctx, l, prefix, '_ahead'));
  const vars = [e, t, n, ...[...now, ...ahead].map((f) => f.var)];
  const fetch = (entry: Expr, when: Expr): void =>
    readEntry(ctx, op, ahead, entry, and(when, lt(entry, hi)), vars);

  const enter = (): void => {
    ctx.emitter.assign(e, add(varRef(e), op.step));
    ctx.emitter.assign(t, constI(0));
    ctx.emitter.assign(n, constI(0));
    now.forEach((f, i) => ctx.emitter.assign(f.var, varRef(ahead[i]!.var)));
    const trips = ctx.emitter.open({ region: op.trips, vars }, (s) => {
      s.values.set(op.trips.params[0]!.id, { form: 'scalar', expr: varRef(e) });
      bindFields(s, now);
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
  };
  const advance = (): void => {
    ctx.emitter.assign(t, add(varRef(t), 1));
    const cond = and(ge(varRef(t), varRef(n)), lt(varRef(e), hi));
    if (ahead.length === 0) {
      const next = ctx.emitter.open({ vars }, enter);
      ctx.emitter.emit({ s: 'while', span, cond, body: next.stmts });
      return;
    }
    const next = ctx.emitter.open({ vars }, () => {
      enter();
      // Past an entry without steps: nothing has been read ahead.
      const more = ctx.emitter.open({ vars }, () => {
        fetch(add(varRef(e), op.step), constB(true));
        enter();
      });
      ctx.emitter.emit({ s: 'while', span, cond, body: more.stmts });
    });
    ctx.emitter.emit({ s: 'if', span, cond, uniform: 'block', then: next.stmts, else: [] });
  };
  fetch(lo, constB(true));
  advance();
  return {
    vars,
    entry: varRef(e),
    valid: lt(varRef(e), hi),
    advance,
    prefetch: (some) => {
      const next = add(varRef(e), op.step);
      const last = op.step === 1 ? min(next, sub(hi, 1)) : select(lt(next, hi), next, lo);
      if (some) readEntry(ctx, op, ahead, last, constB(true), vars);
      else fetch(next, eq(varRef(t), 0));
    },
    bind: (s) => {
      s.values.set(pe!.id, { form: 'scalar', expr: varRef(e) });
      s.values.set(pt!.id, { form: 'scalar', expr: varRef(t) });
      bindFields(s, now);
    },
  };
}
