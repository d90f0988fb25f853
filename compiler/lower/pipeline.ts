/**
 * Software pipelining of the loads that feed a loop's dots: a ring of stages in shared memory, filled by asynchronous
 * copies `stages - 1` iterations ahead by an iterator of their own, one barrier an iteration. (The scheme of CUTLASS's and
 * Triton's multi-stage loops; the ragged iterator keeps it full across entries.)
 */
import {
  operandsOf,
  type DotOp,
  type ForOp,
  type LoadOp,
  type RaggedOp,
  type Region,
  type Value,
} from '../ir/nodes.ts';
import { regionsOf } from '../ir/nodes.ts';
import { add, constI, eq, mul, select, varRef } from '../thread/build.ts';
import type { Var } from '../thread/nodes.ts';
import type { Context } from './context.ts';
import { boxesOf } from './boxes.ts';
import { nameOf } from './evaluate.ts';
import { Filler } from './fill.ts';
import { Follower } from './iterate.ts';
import { assignYields, bindCarried, carry, lowerOps } from './regions.ts';
import { ringConsumer } from './ring.ts';
import { allThreads } from './copies.ts';
import { asShared } from './shared.ts';
import { newSharedTile } from './shared-layout.ts';
import type { SharedTile } from './values.ts';

/** Whether a value comes from nothing that a loop carries or works out in registers. */
function freeOf(ctx: Context, op: ForOp | RaggedOp): (v: Value) => boolean {
  const ivs = new Set(op.body.params.slice(0, op.op === 'for' ? 1 : 2));
  const free = (v: Value): boolean => {
    const { op: def, region } = ctx.analysis.definition(v);
    if (!ctx.analysis.within(region, op.body)) return true;
    if (!def) return ivs.has(v);
    if (ctx.analysis.anchored.has(v.id) || regionsOf(def).length > 0) return false;
    if (def.op === 'load' && !ctx.analysis.readOnly(def.tensor)) return false;
    return operandsOf(def).every(free);
  };
  return free;
}

/** The loads of a loop body that can run ahead: staged, and addressed by nothing that the loop carries. */
export function stagesFor(ctx: Context, op: ForOp | RaggedOp): LoadOp[] {
  if (!ctx.target.features.cpAsync || (ctx.kernel.tile.stages ?? 2) < 2) return [];
  const free = freeOf(ctx, op);
  return op.body.ops.filter(
    (x): x is LoadOp =>
      x.op === 'load' &&
      ctx.analysis.staged.has(x.result.id) &&
      ctx.analysis.readOnly(x.tensor) &&
      operandsOf(x).every((v) => v === x.evictFirst || free(v)),
  );
}

/** A hint that whoever copies can work out; one that depends on data in registers is dropped. */
function hintOf(ctx: Context, op: ForOp | RaggedOp, { evictFirst }: LoadOp): Value | undefined {
  const lazy = (v: Value): boolean => {
    const { op: def } = ctx.analysis.definition(v);
    return !ctx.analysis.anchored.has(v.id) && (!def || operandsOf(def).every(lazy));
  };
  return evictFirst && freeOf(ctx, op)(evictFirst) && lazy(evictFirst) ? evictFirst : undefined;
}

export interface Stage {
  readonly load: LoadOp;
  readonly evictFirst?: Value;
  readonly tile: SharedTile & { stageBytes: number };
}

export function pipelinedLoop(
  ctx: Context,
  op: ForOp | RaggedOp,
  params: readonly Value[],
  loads: readonly LoadOp[],
): void {
  const count = ctx.kernel.tile.stages ?? 2;
  const outer = ctx.emitter.top;
  const span = op.span;
  const ring = ctx.analysis.regionOf.get(op) === ctx.kernel.body && ctx.producers > 0;
  const found = ring && ctx.kernel.tile.bulk !== 0 ? loads.map((load) => boxesOf(ctx, load)) : [];
  const boxes = found.flatMap((b) => b ?? []);
  const boxed = ring && boxes.length === loads.length;
  const stages = loads.map((load): Stage => {
    ctx.emitter.span = load.span;
    const name = nameOf(load.result, load.tensor.name);
    const tile = newSharedTile(
      ctx,
      load.result,
      name,
      true,
      count,
      load.tensor.element,
      boxed ? 'panels' : ctx.formOf(load.result),
    );
    ctx.managed.add(tile.buffer);
    const evictFirst = hintOf(ctx, op, load);
    return { load, tile, ...(evictFirst ? { evictFirst } : {}) };
  });
  ctx.emitter.span = span;
  if (ring) {
    const barriers = ctx.addShared(
      'ring_barriers',
      'u32',
      16 * count,
      `${count} stages x full, empty x 8 B`,
      span,
    );
    ctx.managed.add(barriers);
    stageInvariants(ctx, op.body, op.body, false);
    ctx.emitter.span = span;
    ctx.ring = { op, stages, count, barriers, producers: ctx.producers, ...(boxed ? { boxes } : {}) };
    return ringConsumer(ctx, ctx.ring, params);
  }
  // Everything that waits for memory is issued before the first of it is needed.
  const filler = new Filler(ctx, op, stages, allThreads(ctx));
  const it = filler.follower(count - 1);
  const led = (steps: number): void => (it instanceof Follower ? it.led(steps) : undefined);
  filler.start();
  const staged = stageInvariants(ctx, op.body, op.body, true);
  ctx.emitter.span = span;
  if (staged) ctx.emitter.emit({ s: 'cpAsyncCommit', span });
  for (let s = 0; s < count - 1; s++) {
    filler.fill(constI(s));
    ctx.emitter.emit({ s: 'cpAsyncCommit', span });
    filler.advance(false);
    led(s + 1);
  }
  if (staged) ctx.emitter.emit({ s: 'cpAsyncWait', span, pending: count - 1 });
  const carried = params.map((p, i) => carry(ctx, p, op.inits[i]!));
  const stage = ctx.emitter.scalar('stage', 'i32', constI(0));
  const slot = ctx.emitter.scalar('fill_stage', 'i32', constI(count - 1));
  const body = ctx.emitter.open(
    { region: op.body, vars: [...it.vars, ...filler.vars, stage, slot] },
    (scope) => {
      ctx.emitter.emit({ s: 'cpAsyncWait', span, pending: count - 2 });
      // wgmma reads by another proxy than the copies write by.
      if (ctx.wgmma) ctx.emitter.emit({ s: 'proxyFence', span });
      ctx.emitter.emit({ s: 'barrier', span });
      filler.fill(varRef(slot));
      ctx.emitter.emit({ s: 'cpAsyncCommit', span });
      filler.advance(true);
      advanceStage(ctx, slot, count);
      it.bind(scope);
      params.forEach((p, i) => bindCarried(scope, p, carried[i]!));
      for (const { load, tile } of stages)
        ctx.stagedTiles.set(`${load.result.id}:${scope.id}`, {
          ...tile,
          base: mul(varRef(stage), tile.stageBytes),
        });
      lowerOps(ctx, op.body);
      assignYields(ctx, op.body, carried);
      ctx.emitter.span = span;
      it.advance();
      led(count - 1);
      advanceStage(ctx, stage, count);
    },
  );
  ctx.emitter.emit({ s: 'while', span, cond: it.valid, body: body.stmts });
  ctx.emitter.emit({ s: 'cpAsyncWait', span, pending: 0 });
  op.results.forEach((r, i) => bindCarried(outer, r, carried[i]!));
}

const advanceStage = (ctx: Context, v: Var, count: number): void =>
  ctx.emitter.assign(v, select(eq(varRef(v), count - 1), constI(0), add(varRef(v), 1)));

/** Stages dot operands that come from outside the loop before the ring fills; `later` as for asShared. */
function stageInvariants(ctx: Context, region: Region, loop: Region, later: boolean): boolean {
  let any = false;
  const visit = (dot: DotOp): void => {
    for (const v of [dot.a, dot.b]) {
      const { region: home } = ctx.analysis.definition(v);
      if (ctx.analysis.within(home, loop) || ctx.analysis.anchored.has(v.id)) continue;
      asShared(ctx, v, true, later);
      any = true;
    }
  };
  for (const op of region.ops) {
    if (op.op === 'dot') visit(op);
    for (const r of regionsOf(op)) any = stageInvariants(ctx, r, loop, later) || any;
  }
  return any;
}
