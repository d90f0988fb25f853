/**
 * Fills the stages of a loop whose loads run ahead. What the copies' addresses are read from (page tables, the entry's
 * scalars) is read one step before the copies, so that no step waits for a chain of loads.
 */
import { isScalar, operandsOf, type ForOp, type LoadOp, type RaggedOp, type Value } from '../ir/nodes.ts';
import { mul, varRef } from '../thread/build.ts';
import type { Expr, Stmt, Var } from '../thread/nodes.ts';
import { regTypeOf, type Context } from './context.ts';
import { copyToShared, Lookups, type Copiers, type Copy } from './copies.ts';
import type { Scope } from './emitter.ts';
import { entryLoads, type EntryLoads } from './entry-loads.ts';
import { nameOf, scalar } from './evaluate.ts';
import { Follower, makeIterator, type Iterator } from './iterate.ts';
import type { Stage } from './pipeline.ts';

/** What a load's addresses and its mask are computed from. */
export const rootsOf = (load: LoadOp): Value[] => [...load.indices, ...(load.mask ? [load.mask] : [])];

/** The iterator of a loop's arithmetic: the entry's scalars that only the staged loads need are not its business. */
export function consumerIterator(ctx: Context, op: ForOp | RaggedOp, stages: readonly Stage[]): Iterator {
  return makeIterator(ctx, op, '', op.op === 'ragged' ? ownEntryLoads(ctx, op, stages, true) : []);
}

const ownEntryLoads = (ctx: Context, op: RaggedOp, stages: readonly Stage[], trips: boolean): EntryLoads[] =>
  entryLoads(ctx.analysis, op, { without: new Set(stages.map((s) => s.load)), trips });

export class Filler {
  readonly ahead: Iterator;
  private readonly ctx: Context;
  private readonly op: ForOp | RaggedOp;
  private readonly stages: readonly Stage[];
  private readonly by: Copiers;
  private readonly lookups: Lookups;
  /** Scalars of the step (not of its entry alone) that the copies need. */
  private readonly scalars: readonly { load: LoadOp; var: Var }[];

  constructor(ctx: Context, op: ForOp | RaggedOp, stages: readonly Stage[], by: Copiers) {
    this.ctx = ctx;
    this.op = op;
    this.stages = stages;
    this.by = by;
    const roots = stages.flatMap((s) => rootsOf(s.load));
    this.ahead = makeIterator(
      ctx,
      op,
      'next_',
      op.op === 'ragged' ? entryLoads(ctx.analysis, op, { roots, trips: true }) : [],
    );
    this.lookups = new Lookups(
      ctx,
      stages.map(({ load, tile }) => ({ load, to: tile })),
      by,
    );
    this.scalars = this.stepLoads(roots).map((load) => {
      const { result, tensor } = load;
      const name = `next_${nameOf(result, `${tensor.name}_at`)}`;
      return { load, var: ctx.emitter.scalar(name, regTypeOf(result.type.element)) };
    });
  }

  /** Registers that change from step to step. */
  get vars(): Var[] {
    return [...this.ahead.vars, ...this.lookups.held.values(), ...this.scalars.map((s) => s.var)];
  }

  /** The step's scalar loads that the copies need beside what they look up by rows. */
  private stepLoads(roots: readonly Value[]): LoadOp[] {
    const { analysis } = this.ctx;
    const known = this.ctx.emitter.open({ region: this.op.body }, (scope) => this.ahead.bind(scope)).values;
    const found = new Set<LoadOp>();
    const visit = (v: Value): void => {
      const { op, region } = analysis.definition(v);
      if (!op || region !== this.op.body || known.has(v.id)) return;
      if (op.op === 'load' && this.lookups.held.has(op)) return;
      if (op.op === 'load' && isScalar(v.type)) found.add(op);
      else operandsOf(op).forEach(visit);
    };
    roots.forEach(visit);
    return [...found];
  }

  private open(build: (s: Scope) => void): Stmt[] {
    const scope = this.ctx.emitter.open({ region: this.op.body, vars: this.vars }, (s) => {
      this.ahead.bind(s);
      build(s);
    });
    this.ctx.emitter.span = this.op.span;
    return scope.stmts;
  }

  private ifAny(then: Stmt[]): void {
    const { span } = this.op;
    if (then.length > 0)
      this.ctx.emitter.emit({ s: 'if', span, cond: this.ahead.valid, uniform: 'block', then, else: [] });
  }

  /** Reads what the first copies need. */
  start(): void {
    this.ahead.prefetch(false);
    this.lookUp();
  }

  private lookUp(): void {
    this.ifAny(
      this.open(() => {
        for (const s of this.scalars) this.ctx.emitter.assign(s.var, scalar(this.ctx, s.load.result));
        this.lookups.fetch();
      }),
    );
  }

  /** The step's copies into a stage, after a `lookUp` at this step; to stand where the iterator has a step left. */
  private copies(slot: Expr): Stmt[] {
    return this.open((scope) => {
      for (const s of this.scalars)
        scope.values.set(s.load.result.id, { form: 'scalar', expr: varRef(s.var) });
      const copies = this.stages.map(({ load, tile }): Copy => ({
        load,
        to: { ...tile, base: mul(slot, tile.stageBytes) },
      }));
      copyToShared(this.ctx, copies, this.by, false, this.lookups.held);
    });
  }

  /** One step's copies into a stage, if there is a step left. */
  fill(slot: Expr): void {
    this.ifAny(this.copies(slot));
  }

  /** The same, where there is known to be one. */
  fillAlways(slot: Expr): void {
    for (const s of this.copies(slot)) this.ctx.emitter.emit(s);
  }

  /**
   * Moves on, and reads what the step moved to needs: what is needed last first, as one counter may wait for all. `some`
   * as for prefetch.
   */
  advance(some: boolean): void {
    this.ahead.advance();
    this.ahead.prefetch(some);
    this.lookUp();
  }

  /** An iterator `distance` steps behind this one, for the loop's arithmetic. */
  follower(distance: number): Follower | Iterator {
    const { ctx, op, stages } = this;
    if (op.op === 'for') return makeIterator(ctx, op, '');
    return new Follower(ctx, op, ownEntryLoads(ctx, op, stages, false), this.ahead, distance);
  }
}
