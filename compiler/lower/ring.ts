/**
 * Warp-specialised loops: producer warps run the loop's loads on an iterator of their own into a ring of stages; consumer
 * warps run everything else, free of each other. A stage has two mbarriers: `full`, completed by the producer's copies as
 * they land, and `empty`, by one lane of every consumer warp. (The structure of CUTLASS's Hopper mainloops. The copies are
 * tensor copies where the target has them and the tiles are made of boxes, see tensor-copies.ts; else cp.async, so that any
 * row gather works and sm_80 runs it too. The tile number `bulk` = 0 asks for cp.async.)
 */
import type { ForOp, RaggedOp, Value } from '../ir/nodes.ts';
import {
  add,
  and,
  constI,
  declare,
  div,
  eq,
  ge,
  lt,
  mul,
  noteRange,
  rem,
  select,
  sub,
  threadId,
  varRef,
  walkStmts,
  xor,
} from '../thread/build.ts';
import type { Target } from '../target.ts';
import type { Expr, SharedBuffer, Stmt, Var } from '../thread/nodes.ts';
import type { Context } from './context.ts';
import type { Boxes } from './boxes.ts';
import { deferGroup, type Deferred } from './defer.ts';
import { TensorProducer } from './tensor-copies.ts';
import { underWarpCondition } from './emitter.ts';
import { consumerIterator, Filler } from './fill.ts';
import type { Stage } from './pipeline.ts';
import { assignYields, bindCarried, carry, lowerOps } from './regions.ts';

export interface Ring {
  readonly op: ForOp | RaggedOp;
  readonly stages: readonly Stage[];
  readonly count: number;
  /** Warps that copy. */
  readonly producers: number;
  /** full[count], then empty[count], 8 bytes each. */
  readonly barriers: SharedBuffer;
  /** How each stage's tile is cut into tensor copies, where that is how it is filled. */
  readonly boxes?: readonly Boxes[];
}

/** Warps that copy: of boxes there are few, and the lanes of one warp agree by a vote. */
const copyingWarps = (ring: Ring): number => (ring.boxes ? 1 : ring.producers);

const full = (slot: Expr): Expr => mul(slot, 8);
const empty = (ring: Ring, slot: Expr): Expr => add(mul(slot, 8), ring.count * 8);

/** A slot of the ring and the parity of its current use. */
class Cursor {
  readonly slot: Var;
  readonly parity: Var;
  private readonly ctx: Context;
  private readonly count: number;

  constructor(ctx: Context, count: number, prefix: string) {
    this.ctx = ctx;
    this.count = count;
    this.slot = ctx.emitter.scalar(`${prefix}stage`, 'i32', constI(0));
    this.parity = ctx.emitter.scalar(`${prefix}parity`, 'i32', constI(0));
  }

  advance(): void {
    const last = eq(varRef(this.slot), this.count - 1);
    this.ctx.emitter.assign(this.parity, select(last, xor(varRef(this.parity), 1), varRef(this.parity)));
    this.ctx.emitter.assign(this.slot, select(last, constI(0), add(varRef(this.slot), 1)));
  }
}

/**
 * The consumers' loop; the producer's is emitted by `withProducer` once the rest of the kernel is done. A stage is released at
 * the end of its step, or, where the products that read it go on into the next, when that one knows them to be done. The last
 * may stay unreleased: nothing fills it again.
 */
export function ringConsumer(ctx: Context, ring: Ring, params: readonly Value[]): void {
  const { op, stages, count, barriers: buffer } = ring;
  const outer = ctx.emitter.top;
  const span = op.span;
  const carried = params.map((p, i) => carry(ctx, p, op.inits[i]!));
  const it = consumerIterator(ctx, op, stages);
  const at = new Cursor(ctx, count, '');
  const release = (slot: Expr, when?: Expr): Stmt[] => {
    const first = eq(rem(threadId(), 32), 0);
    const arrive: Stmt = { s: 'mbarrierArrive', span, buffer, offset: empty(ring, slot) };
    return [
      { s: 'warpBarrier', span },
      {
        s: 'if',
        span,
        cond: when ? and(first, when) : first,
        uniform: 'none',
        then: [arrive],
        else: [],
      },
    ];
  };
  let deferred: Deferred | undefined;
  const before = ctx.emitter.registers.scalar('stage_before', 'i32');
  const body = ctx.emitter.open({ region: op.body, vars: [...it.vars, at.slot, at.parity] }, (scope) => {
    const slot = varRef(at.slot);
    ctx.emitter.emit({ s: 'mbarrierWait', span, buffer, offset: full(slot), parity: varRef(at.parity) });
    // wgmma reads by another proxy than cp.async writes by.
    if (ctx.wgmma && !ring.boxes) ctx.emitter.emit({ s: 'proxyFence', span });
    it.prefetch(true);
    it.bind(scope);
    params.forEach((p, i) => bindCarried(scope, p, carried[i]!));
    for (const { load, tile } of stages)
      ctx.stagedTiles.set(`${load.result.id}:${scope.id}`, { ...tile, base: mul(slot, tile.stageBytes) });
    lowerOps(ctx, op.body);
    assignYields(ctx, op.body, carried);
    ctx.emitter.span = span;
    deferred = deferGroup(scope.stmts);
    if (deferred) {
      const { stmts, waited } = deferred;
      const freed = release(varRef(before), ge(varRef(before), 0));
      scope.stmts.splice(0, Infinity, ...stmts.slice(0, waited), ...freed, ...stmts.slice(waited));
      ctx.emitter.assign(before, slot);
      it.advance();
    } else {
      const freed = release(slot);
      // Ahead of the wait for a product that still runs; else the sooner the producer has its stage back the better.
      if (!ctx.wgmma) for (const s of freed) ctx.emitter.emit(s);
      it.advance();
      if (ctx.wgmma) for (const s of freed) ctx.emitter.emit(s);
    }
    at.advance();
  });
  if (deferred) ctx.emitter.emit(declare(span, before, constI(-1)));
  ctx.emitter.emit({ s: 'while', span, cond: it.valid, body: body.stmts });
  if (deferred) ctx.emitter.emit({ s: 'wgmmaWait', span, pending: 0, registers: deferred.registers });
  op.results.forEach((r, i) => bindCarried(outer, r, carried[i]!));
}

const storesShared = (stmts: readonly Stmt[]): boolean => {
  let found = false;
  walkStmts(stmts, (s) => void (found ||= s.s === 'storeShared' || s.s === 'storeSharedHalf'));
  return found;
};

function producer(ctx: Context, ring: Ring): Stmt[] {
  const { op, stages, count, barriers: buffer } = ring;
  const span = op.span;
  return ctx.emitter.open({ region: ctx.kernel.body }, () => {
    ctx.emitter.span = span;
    const lane = ctx.emitter.scalar('lane', 'i32', sub(threadId(), ctx.threads));
    noteRange(lane, 0, 32 * ring.producers - 1);
    const at = new Cursor(ctx, count, 'fill_');
    const wait = (slot: Expr): void => {
      // A stage is empty for its first use: the phase before the first counts as complete.
      const parity = xor(varRef(at.parity), 1);
      ctx.emitter.emit({ s: 'mbarrierWait', span, buffer, offset: empty(ring, slot), parity });
    };
    if (ring.boxes) {
      const boxes = new TensorProducer(ctx, ring, ring.boxes, {
        count: 32,
        id: varRef(lane),
      });
      const { ahead } = boxes;
      const vars = [...ahead.vars, at.slot, at.parity];
      const body = ctx.emitter.open({ region: op.body, vars }, (scope) => {
        ahead.bind(scope);
        const slot = varRef(at.slot);
        boxes.step(slot, full(slot), () => wait(slot));
        at.advance();
      });
      ctx.emitter.emit({ s: 'while', span, cond: ahead.valid, body: body.stmts });
      ctx.emitter.emit({ s: 'cpAsyncWait', span, pending: 0 });
      return;
    }
    const filler = new Filler(ctx, op, stages, { count: 32 * ring.producers, id: varRef(lane) });
    filler.start();
    const body = ctx.emitter.open({ vars: [...filler.vars, at.slot, at.parity] }, () => {
      const slot = varRef(at.slot);
      wait(slot);
      const before = ctx.emitter.top.stmts.length;
      filler.fillAlways(slot);
      ctx.emitter.span = span;
      if (storesShared(ctx.emitter.top.stmts.slice(before))) {
        // The arrival of cp.async says nothing of what went through registers.
        ctx.emitter.emit({ s: 'cpAsyncCommit', span });
        ctx.emitter.emit({ s: 'cpAsyncWait', span, pending: 0 });
        if (ctx.wgmma) ctx.emitter.emit({ s: 'proxyFence', span });
        ctx.emitter.emit({ s: 'mbarrierArrive', span, buffer, offset: full(slot) });
      } else ctx.emitter.emit({ s: 'mbarrierArriveCpAsync', span, buffer, offset: full(slot) });
      filler.advance(true);
      at.advance();
    });
    ctx.emitter.emit({ s: 'while', span, cond: filler.ahead.valid, body: body.stmts });
    ctx.emitter.emit({ s: 'cpAsyncCommit', span });
    ctx.emitter.emit({ s: 'cpAsyncWait', span, pending: 0 });
  }).stmts;
}

/** Code of one role: its block barriers are among the role's threads. */
const among = (stmts: readonly Stmt[], threads: number): Stmt[] =>
  stmts.map((s): Stmt => {
    if (s.s === 'barrier') return { ...s, threads };
    if (s.s === 'for' || s.s === 'while') return { ...s, body: among(s.body, threads) };
    return s.s === 'if' ? { ...s, then: among(s.then, threads), else: among(s.else, threads) } : s;
  });

const role = (stmts: readonly Stmt[], threads: number): Stmt[] => among(underWarpCondition(stmts), threads);

/**
 * Blocks of a kernel with a ring that registers should leave room for: as many as shared memory does, as long as a thread
 * keeps 168 registers. They are given per scheduler, so odd warps, as a producer is, cost more than their share.
 */
export function ringBlocks(target: Target, threads: number, sharedBytes: number): number {
  const reserved = 1024;
  const shared = Math.floor((target.sharedBytes + reserved) / (sharedBytes + reserved));
  const [schedulers, perScheduler, warps] = [4, 16384 / 32, threads / 32];
  const registers = Math.floor((schedulers * Math.floor(perScheduler / 168)) / warps);
  const blocks = Math.min(shared, registers);
  return blocks > 1 ? blocks : 0;
}

/** Blocks per SM, and registers of consumers and producers from their roles on, where some give theirs to the others. */
export interface RoleRegisters {
  readonly blocks: number;
  readonly counts?: { readonly consumer: number; readonly producer: number };
}

/** Whether the producer may copy a step in chunks of 16 bytes, by cp.async. */
export const copiesChunks = (ring: Ring): boolean => !ring.boxes || ring.boxes.some((b) => b.cut);

/** What a producer needs: one that copies boxes alone, and one that works out an address for every 16 bytes. */
const producerRegisters = (chunks: boolean): number => (chunks ? 56 : 40);

/**
 * For a kernel whose consumers and producers are whole warpgroups: as many blocks as shared memory allows while consumers get
 * enough of the register file, once the producers have given theirs back.
 */
export function roleRegisters(
  target: Target,
  chunks: boolean,
  consumers: number,
  threads: number,
  sharedBytes: number,
): RoleRegisters {
  const [reserved, file, enough, most] = [1024, 65536, 184, 240];
  const producer = producerRegisters(chunks);
  const launch = (blocks: number): number => 8 * Math.floor(file / blocks / threads / 8);
  const consumer = (blocks: number): number => {
    const given = launch(blocks) * threads - producer * (threads - consumers);
    return Math.min(most, 8 * Math.floor(given / consumers / 8));
  };
  let blocks = Math.max(1, Math.floor((target.sharedBytes + reserved) / (sharedBytes + reserved)));
  while (blocks > 1 && consumer(blocks) < enough) blocks--;
  if (launch(blocks) >= most) return { blocks };
  return { blocks, counts: { consumer: consumer(blocks), producer } };
}

/** The whole kernel: barriers made, then each warp to its role. `consumers` already has its block barriers. */
export function withProducer(
  ctx: Context,
  ring: Ring,
  consumers: readonly Stmt[],
  { threads, registers: roles }: { threads: number; registers: RoleRegisters | undefined },
): Stmt[] {
  const span = ring.op.span;
  const counts = roles?.counts;
  const registers = (raise: boolean): Stmt[] =>
    counts ? [{ s: 'setMaxRegisters', span, count: raise ? counts.consumer : counts.producer, raise }] : [];
  const { barriers: buffer, count } = ring;
  const init: Stmt[] = [];
  for (let s = 0; s < count; s++) {
    init.push({ s: 'mbarrierInit', span, buffer, offset: full(constI(s)), count: 32 * copyingWarps(ring) });
    init.push({ s: 'mbarrierInit', span, buffer, offset: empty(ring, constI(s)), count: ctx.threads / 32 });
  }
  // Tensor copies count their bytes on the mbarriers through the asynchronous proxy.
  if (ring.boxes) init.push({ s: 'proxyFence', span });
  const first = lt(div(threadId(), 32), ctx.threads / 32 + copyingWarps(ring));
  const all = threads === ctx.threads + 32 * copyingWarps(ring);
  const copies = producer(ctx, ring);
  const copying: Stmt[] = all
    ? copies
    : [{ s: 'if', span, cond: first, uniform: 'warp', then: copies, else: [] }];
  return [
    { s: 'if', span, cond: eq(threadId(), 0), uniform: 'none', then: init, else: [] },
    { s: 'barrier', span },
    {
      s: 'if',
      span,
      cond: lt(div(threadId(), 32), ctx.threads / 32),
      uniform: 'warp',
      then: [...registers(true), ...role(consumers, ctx.threads)],
      else: role([...registers(false), ...copying], 32 * ring.producers),
    },
  ];
}
