/**
 * A ring's producer with bulk copies: a row of a tile is one copy of the asynchronous proxy, and the lanes of the producer
 * warps share out the rows. What the rows' addresses depend on (page ids) is loaded a step ahead, into registers, before the
 * producer waits for a stage and copies into it, so that the chain of lookups stands beside the copies and not before them.
 *
 * Why memory is ordered. Consumers read a slot, arrive on `empty`, and the producer's lanes wait for it before any of them
 * copies into the slot again. Zeros for masked rows are stores of a lane that then arrives on `full`, which releases them to
 * the consumers; they go through the generic proxy, so a proxy fence follows them: it, and the chain full, empty, wait, stand
 * between them and the next bulk copy into that row, whichever lane carries it out. A lane expects the bytes of its rows as
 * it arrives, before its warp copies them, so a phase cannot complete early.
 */
import { elementBytes, type LoadOp } from '../ir/nodes.ts';
import {
  add,
  and,
  constI,
  div,
  element,
  lt,
  min,
  mul,
  select,
  sub,
  threadId,
  unary,
  varRef,
} from '../thread/build.ts';
import type { Expr, Stmt, Var } from '../thread/nodes.ts';
import { regTypeOf, type Context } from './context.ts';
import { isZero, lookupsOf } from './copies.ts';
import { predicate } from './emitter.ts';
import { constantOf, elementIndex, indexAt, lazyAt, lazyKey, nameOf } from './evaluate.ts';
import type { Iterator } from './iterate.ts';
import type { Stage } from './pipeline.ts';
import { movesTogether } from './registers.ts';
import type { Ring } from './ring.ts';

/** Whether every row of a staged load is one contiguous run in memory, aligned to 16 bytes, and masked as a whole. */
export function hasBulkRows(ctx: Context, load: LoadOp): boolean {
  const columns = load.result.type.shape[1]!;
  const eb = elementBytes(load.tensor.element);
  if (!ctx.target.features.hopper || (columns * eb) % 16 !== 0 || !isZero(ctx, load.other)) return false;
  if (load.mask && !ctx.divisibility.uniform(load.mask, 1, columns)) return false;
  return movesTogether(ctx, load, 1, 16 / eb);
}

/** Rows of one extent, and the row that this lane copies in a round. */
interface Group {
  readonly stages: readonly Stage[];
  readonly rows: readonly Expr[];
  /** Whether the lane has a row in the round at all. */
  readonly inside: readonly Expr[];
  readonly lookups: readonly { readonly load: LoadOp; readonly found: Var }[];
}

interface Row {
  readonly stage: Stage;
  readonly round: number;
  readonly row: Expr;
  readonly index: Expr;
  readonly live: Expr;
  /** The lane's row is in the tile and masked: absent where no row can be. */
  readonly masked?: Expr;
}

export class BulkProducer {
  private readonly ctx: Context;
  private readonly ring: Ring;
  private readonly ahead: Iterator;
  private readonly groups: readonly Group[];

  constructor(ctx: Context, ring: Ring, lane: Expr, ahead: Iterator) {
    this.ctx = ctx;
    this.ring = ring;
    this.ahead = ahead;
    const extents = new Set(ring.stages.map((s) => s.tile.rows));
    this.groups = [...extents].map((n) => this.group(n, lane));
    this.fetch();
  }

  private get copiers(): number {
    return 32 * this.ring.producers;
  }

  private group(extent: number, lane: Expr): Group {
    const { ctx, copiers } = this;
    const stages = this.ring.stages.filter((s) => s.tile.rows === extent);
    const rounds = Math.ceil(extent / copiers);
    const whole = extent % copiers === 0;
    const all = Array.from({ length: rounds }, (_, i) => add(lane, copiers * i));
    const lookups = lookupsOf(
      ctx,
      stages.map(({ load, tile }) => ({ load, to: tile })),
    ).map((load) => {
      const name = `next_${nameOf(load.result, load.tensor.name)}`;
      return { load, found: ctx.emitter.array(name, regTypeOf(load.result.type.element), rounds) };
    });
    return {
      stages,
      rows: all.map((r) => (whole ? r : varRef(ctx.emitter.scalar('row', 'i32', min(r, extent - 1))))),
      inside: all.map((r) => (whole ? constantOf('bool', true) : lt(r, extent))),
      lookups,
    };
  }

  /** Loads what the addresses of the iterator's step depend on, if it has one. */
  private fetch(): void {
    const { ctx, ahead } = this;
    const span = ctx.emitter.span;
    if (this.groups.every((g) => g.lookups.length === 0)) return;
    const loads = ctx.emitter.open({ region: this.ring.op.body, vars: ahead.vars }, (scope) => {
      ahead.bind(scope);
      for (const { rows, lookups } of this.groups)
        rows.forEach((row, i) => {
          for (const { load, found } of lookups)
            ctx.emitter.assign(found, lazyAt(ctx, load.result, [row]), constI(i));
        });
    });
    ctx.emitter.span = span;
    const cond = ahead.valid;
    ctx.emitter.emit({ s: 'if', span, cond, uniform: 'block', then: loads.stmts, else: [] });
  }

  /** One step, in the scope of the loop's body: `wait` comes when the addresses are known, before the first copy. */
  step(slot: Expr, full: Expr, wait: () => void): void {
    const { ctx } = this;
    const span = ctx.emitter.span;
    const rows = this.groups.flatMap((g) => this.addresses(g));
    ctx.emitter.span = span;
    this.ahead.advance();
    this.fetch();
    wait();
    for (const r of rows) if (r.masked) this.clear(r, slot);
    ctx.emitter.span = span;
    const bytes = rows.reduce<Expr>((sum, r) => add(sum, select(r.live, rowBytes(r.stage), 0)), constI(0));
    const { barriers } = this.ring;
    ctx.emitter.emit({ s: 'mbarrierArriveExpect', span, buffer: barriers, offset: full, bytes });
    const warp = sub(div(threadId(), 32), ctx.threads / 32);
    for (const { stage, round, index, live } of rows) {
      const { load, tile } = stage;
      const first = add(mul(warp, 32), this.copiers * round);
      ctx.emitter.emit({
        s: 'bulkRows',
        span: load.span,
        buffer: tile.buffer,
        offset: add(mul(slot, tile.stageBytes), mul(first, tile.pitch)),
        pitch: tile.pitch,
        from: ctx.buffer(load.tensor),
        index,
        bytes: rowBytes(stage),
        rows: Math.min(32, tile.rows),
        barrier: barriers,
        barrierOffset: full,
        ...predicate(live),
      });
    }
    ctx.emitter.span = span;
  }

  /** Addresses and masks of the step, in registers, from what was fetched for it. */
  private addresses({ stages, rows, inside, lookups }: Group): Row[] {
    const { ctx } = this;
    const { cache } = ctx.emitter.top;
    return rows.flatMap((row, round) => {
      for (const { load, found } of lookups)
        cache.set(lazyKey(ctx, load.result, [row]), element(found, constI(round)));
      return stages.map((stage): Row => {
        const { load } = stage;
        ctx.emitter.span = load.span;
        const coords = [row, constI(0)];
        const at = elementIndex(ctx, load, (v) => indexAt(ctx, v, coords));
        const index = varRef(ctx.emitter.scalar('from', 'i32', at));
        const all = inside[round]!;
        if (!load.mask) return { stage, round, row, index, live: all };
        const mask = varRef(ctx.emitter.scalar('live', 'bool', indexAt(ctx, load.mask, coords)));
        const masked = all.e === 'const' ? unary('not', mask) : and(all, unary('not', mask));
        return { stage, round, row, index, live: all.e === 'const' ? mask : and(all, mask), masked };
      });
    });
  }

  private clear({ stage, row, masked }: Row, slot: Expr): void {
    const { ctx } = this;
    const { load, tile } = stage;
    const span = (ctx.emitter.span = load.span);
    const start = add(mul(slot, tile.stageBytes), mul(row, tile.pitch));
    const zeros = ctx.emitter.open({}, () => {
      ctx.emitter.loop('c', constI(0), constI(rowBytes(stage)), 16, undefined, (c) => {
        const values = [0, 0, 0, 0].map((x) => constantOf('u32', x));
        const to: Stmt = { s: 'storeShared', span, buffer: tile.buffer, offset: add(start, c), values };
        ctx.emitter.emit(to);
      });
      ctx.emitter.emit({ s: 'proxyFence', span });
    });
    ctx.emitter.emit({ s: 'if', span, cond: masked!, uniform: 'none', then: zeros.stmts, else: [] });
  }
}

const rowBytes = ({ load }: Stage): number => load.result.type.shape[1]! * elementBytes(load.tensor.element);
