/**
 * A ring's producer with tensor copies: the lanes of the producer warps share out the boxes of a stage (see boxes.ts). What
 * the boxes' coordinates depend on (page ids) is loaded a step ahead. A box that the mask leaves out as a whole is copied
 * from outside the tensor, which fills it with zeros at no cost. Where the mask cuts a box, the step's rows are copied by
 * cp.async instead, chunk by chunk, into the same places: sequences end inside pages, but once each.
 *
 * Why memory is ordered. Consumers read a slot, arrive on `empty`, and the producer's lanes wait for it before any of them
 * copies into the slot again. Each lane expects the bytes of its own boxes as it arrives on `full`, before it copies them,
 * so a phase cannot complete early; after cp.async a lane's arrival comes when its own copies have landed (and are fenced,
 * where wgmma reads them).
 */
import { elementBytes, type LoadOp } from '../ir/nodes.ts';
import {
  add,
  and,
  constB,
  constI,
  div,
  element,
  lt,
  mul,
  not,
  or,
  rem,
  select,
  varRef,
} from '../thread/build.ts';
import type { Expr, Stmt, Var } from '../thread/nodes.ts';
import { masksOf, type Boxes } from './boxes.ts';
import { regTypeOf, type Context } from './context.ts';
import { copyToShared, lookupsOf, type Copiers, type Copy } from './copies.ts';
import { predicate } from './emitter.ts';
import { indexAt, lazyAt, lazyKey, nameOf } from './evaluate.ts';
import { rootsOf } from './fill.ts';
import { entryLoads } from './entry-loads.ts';
import { makeIterator, type Iterator } from './iterate.ts';
import type { Stage } from './pipeline.ts';
import type { Ring } from './ring.ts';

interface Boxed extends Stage {
  readonly boxes: Boxes;
}

/** Stages whose tiles are cut alike, and the boxes that a lane copies: one a round of each. */
interface Group {
  readonly stages: readonly Boxed[];
  readonly rounds: readonly Round[];
  readonly lookups: readonly { readonly load: LoadOp; readonly found: Var }[];
}

interface Round {
  readonly row: Expr;
  readonly panel: Expr;
  /** Whether the lane has a box in the round at all. */
  readonly inside: Expr;
}

interface Box {
  readonly stage: Boxed;
  readonly round: Round;
  readonly at: readonly Expr[];
  readonly live: Expr;
  readonly evictFirst?: Expr;
  /** The mask cuts the lane's box; absent where none can be cut. */
  readonly cut?: Expr;
}

export class TensorProducer {
  readonly ahead: Iterator;
  private readonly ctx: Context;
  private readonly ring: Ring;
  private readonly by: Copiers;
  private readonly groups: readonly Group[];

  constructor(ctx: Context, ring: Ring, boxes: readonly Boxes[], by: Copiers) {
    this.ctx = ctx;
    this.ring = ring;
    this.by = by;
    const { op } = ring;
    const stages = ring.stages.map((s, i): Boxed => ({ ...s, boxes: boxes[i]! }));
    const roots = stages.flatMap(({ load, evictFirst }) => [
      ...rootsOf(load),
      ...(evictFirst ? [evictFirst] : []),
    ]);
    const fields = op.op === 'ragged' ? entryLoads(ctx.analysis, op, { roots, trips: true }) : [];
    this.ahead = makeIterator(ctx, op, 'next_', fields);
    const alike = new Map<string, Boxed[]>();
    for (const s of stages) {
      const key = `${s.tile.rows} ${s.tile.columns} ${s.boxes.run} ${s.boxes.columns}`;
      alike.set(key, [...(alike.get(key) ?? []), s]);
    }
    this.groups = [...alike.values()].map((g) => this.group(g));
    this.ahead.prefetch(false);
    this.fetch();
  }

  private group(stages: readonly Boxed[]): Group {
    const { ctx, by } = this;
    const { tile, boxes } = stages[0]!;
    const across = tile.rows / boxes.run;
    const count = across * (tile.columns / boxes.columns);
    const rounds = Array.from({ length: Math.ceil(count / by.count) }, (_, i): Round => {
      const index = add(by.id, by.count * i);
      const all = count - by.count * i >= by.count;
      const row = ctx.emitter.scalar('box_row', 'i32', mul(rem(index, across), boxes.run));
      return {
        row: varRef(row),
        panel: varRef(ctx.emitter.scalar('panel', 'i32', div(index, across))),
        inside: all ? constB(true) : varRef(ctx.emitter.scalar('copies', 'bool', lt(index, count))),
      };
    });
    const lookups = lookupsOf(
      ctx,
      stages.map(({ load, tile: to }) => ({ load, to })),
    ).map((load) => {
      const name = `next_${nameOf(load.result, load.tensor.name)}`;
      const type = regTypeOf(load.result.type.element);
      return { load, found: ctx.emitter.array(name, type, rounds.length) };
    });
    return { stages, rounds, lookups };
  }

  /** Loads what the coordinates of the iterator's step depend on, if it has one. */
  private fetch(): void {
    const { ctx, ahead } = this;
    const span = ctx.emitter.span;
    if (this.groups.every((g) => g.lookups.length === 0)) return;
    const loads = ctx.emitter.open({ region: this.ring.op.body, vars: ahead.vars }, (scope) => {
      ahead.bind(scope);
      for (const { rounds, lookups } of this.groups)
        rounds.forEach(({ row }, i) => {
          for (const { load, found } of lookups)
            ctx.emitter.assign(found, lazyAt(ctx, load.result, [row]), constI(i));
        });
    });
    ctx.emitter.span = span;
    const cond = ahead.valid;
    ctx.emitter.emit({ s: 'if', span, cond, uniform: 'block', then: loads.stmts, else: [] });
  }

  /** One step, in the scope of the loop's body: `wait` comes when the coordinates are known, before the first copy. */
  step(slot: Expr, full: Expr, wait: () => void): void {
    const { ctx } = this;
    const span = ctx.emitter.span;
    const boxes = this.groups.flatMap((g) => this.boxes(g));
    ctx.emitter.span = span;
    const cuts = boxes.flatMap((b) => (b.cut ? [b.cut] : []));
    if (cuts.length === 0) {
      wait();
      this.copyBoxes(boxes, slot, full);
    } else {
      const cut = ctx.emitter.scalar('cut', 'bool');
      ctx.emitter.emit({ s: 'warpAny', span, dst: { var: cut }, value: cuts.reduce((a, b) => or(a, b)) });
      wait();
      const rows = ctx.emitter.open({}, () => this.copyRows(slot, full));
      const whole = ctx.emitter.open({}, () => this.copyBoxes(boxes, slot, full));
      ctx.emitter.span = span;
      ctx.emitter.emit({
        s: 'if',
        span,
        cond: varRef(cut),
        uniform: 'warp',
        then: rows.stmts,
        else: whole.stmts,
      });
    }
    this.ahead.advance();
    this.ahead.prefetch(true);
    this.fetch();
  }

  /** Coordinates and masks of the step, in registers, from what was fetched for it. */
  private boxes({ stages, rounds, lookups }: Group): Box[] {
    const { ctx } = this;
    const { cache } = ctx.emitter.top;
    return rounds.flatMap((round, i) => {
      const { row, panel, inside } = round;
      for (const { load, found } of lookups)
        cache.set(lazyKey(ctx, load.result, [row]), element(found, constI(i)));
      return stages.map((stage): Box => {
        const { load, boxes } = stage;
        ctx.emitter.span = load.span;
        const scalarOf = (name: string, type: 'i32' | 'bool', e: Expr): Expr =>
          e.e === 'const' || e.e === 'var' ? e : varRef(ctx.emitter.scalar(name, type, e));
        const coords = [row, mul(panel, boxes.columns)];
        const at = load.indices.map((v) => indexAt(ctx, v, coords)).reverse();
        const mask = masksOf(ctx, boxes.masks, boxes.run, row, add(row, boxes.run - 1));
        const none = mask && scalarOf('none', 'bool', mask.none);
        if (none) at[0] = select(none, constI(-boxes.columns), at[0]!);
        const { evictFirst } = stage;
        const first = evictFirst && scalarOf('evict_first', 'bool', indexAt(ctx, evictFirst, []));
        const kept = mask && boxes.cut ? scalarOf('kept', 'bool', or(mask.whole, none!)) : undefined;
        return {
          stage,
          round,
          at: at.map((e) => scalarOf('from', 'i32', e)),
          live: inside,
          ...(first ? { evictFirst: first } : {}),
          ...(kept ? { cut: and(inside, not(kept)) } : {}),
        };
      });
    });
  }

  private copyBoxes(boxes: readonly Box[], slot: Expr, full: Expr): void {
    const { ctx, ring } = this;
    const span = ctx.emitter.span;
    const bytesOf = ({ stage: { load, boxes: b } }: Box): number =>
      b.run * b.columns * elementBytes(load.tensor.element);
    const bytes = boxes.reduce<Expr>((sum, b) => add(sum, select(b.live, bytesOf(b), 0)), constI(0));
    ctx.emitter.emit({ s: 'mbarrierArriveExpect', span, buffer: ring.barriers, offset: full, bytes });
    for (const { stage, round, at, live, evictFirst } of boxes) {
      const { load, tile, boxes: b } = stage;
      const place = add(mul(round.panel, tile.rows * tile.pitch), mul(round.row, tile.pitch));
      const copy: Stmt = {
        s: 'tensorCopy',
        span: load.span,
        buffer: tile.buffer,
        offset: add(mul(slot, tile.stageBytes), place),
        map: b.map,
        at,
        barrier: ring.barriers,
        barrierOffset: full,
        ...predicate(live),
        ...(evictFirst ? { evictFirst } : {}),
      };
      ctx.emitter.emit(copy);
    }
  }

  /** The whole step by cp.async. */
  private copyRows(slot: Expr, full: Expr): void {
    const { ctx, ring } = this;
    const span = ctx.emitter.span;
    const copies = ring.stages.map(({ load, tile }): Copy => ({
      load,
      to: { ...tile, base: mul(slot, tile.stageBytes) },
    }));
    ctx.emitter.open({ region: ring.op.body, vars: this.ahead.vars, inline: true }, (scope) => {
      this.ahead.bind(scope);
      // A producer has few registers for addresses.
      copyToShared(ctx, copies, this.by, false, undefined, 4);
    });
    ctx.emitter.span = span;
    if (!ctx.wgmma) {
      ctx.emitter.emit({ s: 'mbarrierArriveCpAsync', span, buffer: ring.barriers, offset: full });
      return;
    }
    // What wgmma reads must be fenced by whom it is copied, after it has landed. It is rare: the consumers' steps are not.
    ctx.emitter.emit({ s: 'cpAsyncCommit', span });
    ctx.emitter.emit({ s: 'cpAsyncWait', span, pending: 0 });
    ctx.emitter.emit({ s: 'proxyFence', span });
    ctx.emitter.emit({ s: 'mbarrierArrive', span, buffer: ring.barriers, offset: full });
  }
}
