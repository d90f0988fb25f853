/**
 * Copies of staged loads into shared memory: as wide as alignment and masks allow, asynchronous where the target can, with
 * the page lookups of a batch of rows issued before the copies that wait for them.
 */
import { elementBytes, operandsOf, type LoadOp, type Value } from '../ir/nodes.ts';
import {
  add,
  constI,
  div,
  element,
  guard,
  loadGlobal,
  lt,
  lvalue,
  mul,
  noteRange,
  pack,
  rangeOf,
  rem,
  threadId,
  varRef,
} from '../thread/build.ts';
import { termsOf } from '../thread/linear.ts';
import type { Expr, Var } from '../thread/nodes.ts';
import { isHalf, regTypeOf, type Context } from './context.ts';
import { constantOf, elementIndex, indexAt, lazyAt, lazyKey, nameOf } from './evaluate.ts';
import { exprKey, predicate } from './emitter.ts';
import { andOf, movesTogether } from './registers.ts';
import { elementOffset, offsetOf } from './shared-layout.ts';
import type { SharedTile } from './values.ts';

/** Which threads carry out a copy. */
export interface Copiers {
  readonly count: number;
  /** Their linear id, 0 … count-1. */
  readonly id: Expr;
}

export const allThreads = (ctx: Context): Copiers => ({ count: ctx.threads, id: threadId() });

export const isZero = (ctx: Context, v: Value | undefined): boolean => {
  if (!v) return true;
  const { op } = ctx.analysis.definition(v);
  return op?.op === 'const' ? Number(op.value) === 0 : op?.op === 'broadcast' ? isZero(ctx, op.a) : false;
};

export interface Copy {
  readonly load: LoadOp;
  readonly to: SharedTile;
}

/** The widest run of columns that a copy can move at once, and whether it can do so asynchronously. */
function copyWidth(ctx: Context, { load, to }: Copy): { run: number; async: boolean } {
  const eb = elementBytes(load.tensor.element);
  let run = 16 / eb;
  while (run > 1 && (to.columns % run !== 0 || !movesTogether(ctx, load, 1, run))) run /= 2;
  const bytes = run * eb;
  if (bytes < 4 || !isZero(ctx, load.other)) return { run: 0, async: false };
  const async = ctx.target.features.cpAsync && to.pitch % bytes === 0 && (!to.swizzle || bytes === 16);
  return { run, async };
}

/** A register for an expression, as far out as its operands allow; what is known of its range stays known. */
function hoisted(ctx: Context, name: string, e: Expr): Expr {
  if (e.e === 'const' || e.e === 'var') return e;
  const v = ctx.emitter.once(name, exprKey(e), e, ctx.emitter.scopes[0]!);
  const { lo, hi } = rangeOf(e);
  if (v.e === 'var' && e.type === 'i32') noteRange(v.var, lo, hi);
  return v;
}

interface Group {
  readonly run: number;
  readonly copies: readonly (Copy & { readonly async: boolean })[];
}

/** Copies of one shape share a loop, and with it the index arithmetic and lookups that they have in common. */
function grouped(ctx: Context, copies: readonly Copy[]): Group[] {
  const groups = new Map<string, { run: number; copies: (Copy & { async: boolean })[] }>();
  for (const c of copies) {
    const { run, async } = copyWidth(ctx, c);
    const key = run === 0 ? `element ${groups.size}` : `${c.to.rows} ${c.to.columns} ${run}`;
    const group = groups.get(key) ?? { run, copies: [] };
    group.copies.push({ ...c, async });
    groups.set(key, group);
  }
  return [...groups.values()];
}

/** Registers that hold the lookups of copies before the copies are made, an element a round. */
export type Held = ReadonlyMap<LoadOp, Var>;

/**
 * Emits copies of staged loads; with `wait`, until the data has landed for this thread. Lookups in `held` are taken from
 * there. `unroll` rounds are unrolled together.
 */
export function copyToShared(
  ctx: Context,
  copies: readonly Copy[],
  by: Copiers,
  wait: boolean,
  held: Held = new Map(),
  unroll = batch,
): void {
  let pending = false;
  for (const { run, copies: group } of grouped(ctx, copies)) {
    const { to, load } = group[0]!;
    ctx.emitter.span = load.span;
    if (run === 0) {
      copyElements(ctx, load, to, by);
      continue;
    }
    forEachChunk(
      ctx,
      roundsOf(ctx, group, run, by),
      lookupsOf(ctx, group),
      held,
      unroll,
      (row, column, inside) => {
        for (const c of group) {
          ctx.emitter.span = c.load.span;
          if (c.async) copyAsync(ctx, c.load, c.to, run, row, column, inside);
          else copyWords(ctx, c.load, c.to, run, row, column, inside);
        }
      },
    );
    pending ||= group.some((c) => c.async);
  }
  if (pending && wait) {
    ctx.emitter.emit({ s: 'cpAsyncCommit', span: ctx.emitter.span });
    ctx.emitter.emit({ s: 'cpAsyncWait', span: ctx.emitter.span, pending: 0 });
  }
}

/** The lookups of copies that can be made before the copies, with the registers to hold them. */
export class Lookups {
  readonly held = new Map<LoadOp, Var>();
  private readonly ctx: Context;
  private readonly rounds: { rounds: Rounds; loads: LoadOp[] }[] = [];

  constructor(ctx: Context, copies: readonly Copy[], by: Copiers) {
    this.ctx = ctx;
    for (const { run, copies: group } of grouped(ctx, copies)) {
      if (run === 0) continue;
      const rounds = roundsOf(ctx, group, run, by);
      if (rounds.count > batch) continue;
      const loads = lookupsOf(ctx, group).filter((l) => !this.held.has(l));
      for (const l of loads) this.held.set(l, lookupArray(ctx, l, rounds.count));
      this.rounds.push({ rounds, loads });
    }
  }

  /** Reads them, in the open instance of the region that the copies stand in. */
  fetch(): void {
    for (const { rounds, loads } of this.rounds)
      lookUp(this.ctx, rounds, constI(0), rounds.count, loads, this.held);
  }
}

function copyAsync(
  ctx: Context,
  op: LoadOp,
  to: SharedTile,
  run: number,
  row: Expr,
  column: Expr,
  inside: Expr,
): void {
  const coords = [row, column];
  const span = ctx.emitter.span;
  const pred = op.mask ? indexAt(ctx, op.mask, coords) : undefined;
  const stmt = {
    s: 'cpAsync' as const,
    span,
    buffer: to.buffer,
    offset: copyOffset(ctx, to, row, column),
    from: ctx.buffer(op.tensor),
    index: outermostFirst(
      ctx,
      elementIndex(ctx, op, (v) => indexAt(ctx, v, coords)),
    ),
    bytes: (run * elementBytes(op.tensor.element)) as 4 | 8 | 16,
    ...(pred ? predicate(pred) : {}),
  };
  if (inside.e === 'const') ctx.emitter.emit(stmt);
  else ctx.emitter.emit({ s: 'if', span, cond: inside, uniform: 'none', then: [stmt], else: [] });
}

/** An offset whose part that differs between threads, but not between rounds and stages, is a register. */
function copyOffset(ctx: Context, to: SharedTile, row: Expr, column: Expr): Expr {
  let [fixed, moving]: Expr[] = [constI(0), to.base];
  const terms = termsOf(offsetOf({ ...to, base: constI(0) }, row, column));
  for (const { e, k } of terms) {
    if (e && ctx.emitter.depthOf(e) === 0) fixed = add(fixed!, mul(e, k));
    else moving = add(moving!, e ? mul(e, k) : k);
  }
  return add(moving!, hoisted(ctx, 'copy_offset', fixed!));
}

/** A sum with what changes in inner loops last: copies share what comes before. */
function outermostFirst(ctx: Context, sum: Expr): Expr {
  const addends = (e: Expr): Expr[] =>
    e.e === 'binary' && e.fn === 'add' ? [...addends(e.a), ...addends(e.b)] : [e];
  const depth = (e: Expr): number => (e.e === 'const' ? Infinity : ctx.emitter.depthOf(e));
  return addends(sum)
    .sort((a, b) => depth(a) - depth(b) || 0)
    .reduce((a, b) => add(a, b));
}

/** Through registers, where the target has no asynchronous copy or the row pitch does not allow one. */
function copyWords(
  ctx: Context,
  op: LoadOp,
  to: SharedTile,
  run: number,
  row: Expr,
  column: Expr,
  inside: Expr,
): void {
  const coords = [row, column];
  const span = ctx.emitter.span;
  const index = elementIndex(ctx, op, (v) => indexAt(ctx, v, coords));
  const masked = op.mask ? andOf(inside, indexAt(ctx, op.mask, coords)) : inside;
  const count = (run * elementBytes(op.tensor.element)) / 4;
  const words = Array.from({ length: count }, () => ctx.emitter.scalar('word', 'u32'));
  const pred = predicate(masked);
  const dst = words.map((w) => lvalue(w));
  ctx.emitter.emit({ s: 'loadGlobalWords', span, dst, buffer: ctx.buffer(op.tensor), index, ...pred });
  storeWords(ctx, to, row, column, words.map(varRef), inside);
}

function storeWords(
  ctx: Context,
  to: SharedTile,
  row: Expr,
  column: Expr,
  words: readonly Expr[],
  inside: Expr,
): void {
  const span = ctx.emitter.span;
  const pred = predicate(inside);
  const offset = elementOffset(to, row, column);
  const wide = to.pitch % (4 * words.length) === 0;
  if (wide)
    return ctx.emitter.emit({ s: 'storeShared', span, buffer: to.buffer, offset, values: words, ...pred });
  words.forEach((w, i) =>
    ctx.emitter.emit({
      s: 'storeShared',
      span,
      buffer: to.buffer,
      offset: add(offset, 4 * i),
      values: [w],
      ...pred,
    }),
  );
}

/** Rounds of a copy that are unrolled together. */
const batch = 16;

/** How copiers share a tile: in a round each has one row, and of it one run of columns in every block. */
interface Rounds {
  readonly count: number;
  readonly blocks: number;
  place(round: Expr): { row: Expr; column: (block: Expr) => Expr; inside: Expr };
}

/**
 * Runs of `run` columns, split evenly over the copiers. Neighbours take neighbouring runs; asynchronous copies of rows
 * longer than a line of 128 bytes take them a line at a time, so that a copier has fewer rows and lookups.
 */
function roundsOf(ctx: Context, group: Group['copies'], run: number, by: Copiers): Rounds {
  const { to, load } = group[0]!;
  const perRow = Math.ceil(to.columns / run);
  const line = 128 / (run * elementBytes(load.tensor.element));
  const lanes = group.every((c) => c.async) && perRow % line === 0 ? line : perRow;
  const total = to.rows * lanes;
  const named = (name: string, e: Expr): Expr => hoisted(ctx, name, e);
  return {
    count: Math.ceil(total / by.count),
    blocks: perRow / lanes,
    place: (round) => {
      const linear = add(by.id, mul(round, by.count));
      // Where a round moves all copiers by whole rows, what depends on the copier is computed once for all rounds.
      const row =
        by.count % lanes === 0
          ? add(named('copy_row', div(by.id, lanes)), mul(round, by.count / lanes))
          : named('row', div(linear, lanes));
      return {
        row,
        column: (block) => add(named('column', mul(rem(linear, lanes), run)), mul(block, lanes * run)),
        inside: total % by.count === 0 ? constantOf('bool', true) : lt(linear, total),
      };
    },
  };
}

const lookupArray = (ctx: Context, l: LoadOp, count: number): Var =>
  ctx.emitter.array(nameOf(l.result, l.tensor.name), regTypeOf(l.result.type.element), count);

/** `count` rounds' lookups into registers, all issued before the first is needed. */
function lookUp(
  ctx: Context,
  rounds: Rounds,
  first: Expr,
  count: number,
  loads: readonly LoadOp[],
  into: Held,
): void {
  if (loads.length === 0) return;
  ctx.emitter.unrolled('c', count, (i) => {
    const { row, inside } = rounds.place(add(first, i));
    for (const l of loads) {
      const zero = constantOf(l.result.type.element, 0);
      ctx.emitter.assign(into.get(l)!, guard(inside, lazyAt(ctx, l.result, [row]), zero), i);
    }
  });
}

/**
 * Runs `body` over every run of columns. `lookups` are loads that the rows' addresses depend on (a page table): those
 * that are not held already are issued a batch at a time before the copies that wait for them.
 */
function forEachChunk(
  ctx: Context,
  rounds: Rounds,
  lookups: readonly LoadOp[],
  held: Held,
  unroll: number,
  body: (row: Expr, column: Expr, inside: Expr) => void,
): void {
  const group = (first: Expr, count: number): void => {
    const own = lookups.filter((l) => !held.has(l));
    const found = new Map([...held, ...own.map((l) => [l, lookupArray(ctx, l, count)] as const)]);
    lookUp(ctx, rounds, first, count, own, found);
    ctx.emitter.unrolled('c', count, (i) => {
      const { row, column, inside } = rounds.place(add(first, i));
      for (const l of lookups)
        ctx.emitter.top.cache.set(lazyKey(ctx, l.result, [row]), element(found.get(l)!, i));
      ctx.emitter.unrolled('b', rounds.blocks, (b) => body(row, column(b), inside));
    });
  };
  const size = Math.min(rounds.count, unroll);
  const whole = Math.floor(rounds.count / size);
  if (whole === 1) group(constI(0), size);
  else ctx.emitter.loop('g', constI(0), constI(whole * size), size, undefined, (first) => group(first, size));
  if (rounds.count % size > 0) group(constI(whole * size), rounds.count % size);
}

/** Row-indexed table loads that the addresses and masks of these copies depend on. */
export function lookupsOf(ctx: Context, copies: readonly Copy[]): LoadOp[] {
  const found = new Set<LoadOp>();
  const visit = (v: Value): void => {
    const { op } = ctx.analysis.definition(v);
    if (!op || ctx.analysis.anchored.has(v.id)) return;
    if (op.op === 'load' && v.type.shape.length === 1) found.add(op);
    else for (const x of operandsOf(op)) visit(x);
  };
  for (const { load, to } of copies)
    for (const v of [...load.indices, ...(load.mask ? [load.mask] : [])])
      if (v.type.shape[0] === to.rows && v.type.shape[1] === 1) visit(v);
  return [...found].filter((l) => l.result.type.shape[0] === copies[0]!.to.rows);
}

/** The fallback: elements one by one, halves in pairs, wherever vectors are not provably aligned or masked alike. */
function copyElements(ctx: Context, op: LoadOp, to: SharedTile, by: Copiers): void {
  const type = op.tensor.element;
  const run = isHalf(type) ? 2 : 1;
  const rounds = roundsOf(ctx, [{ load: op, to, async: false }], run, by);
  forEachChunk(ctx, rounds, [], new Map(), batch, (row, column, inside) => {
    const at = (c: Expr): Expr => {
      const coords = [row, c];
      const value = loadGlobal(
        ctx.buffer(op.tensor),
        elementIndex(ctx, op, (v) => indexAt(ctx, v, coords)),
      );
      const masked = op.mask ? andOf(inside, indexAt(ctx, op.mask, coords)) : inside;
      const cond = c !== column && to.columns % 2 !== 0 ? andOf(lt(c, to.columns), masked) : masked;
      const other = op.other ? indexAt(ctx, op.other, coords) : constantOf(type, 0);
      return guard(cond, value, other);
    };
    if (!isHalf(type)) return storeWords(ctx, to, row, column, [at(column)], inside);
    const pair = ctx.emitter.scalar('pair', 'u32', pack(type, at(column), at(add(column, 1))));
    ctx.emitter.emit({
      s: 'storeShared',
      span: ctx.emitter.span,
      buffer: to.buffer,
      offset: elementOffset(to, row, column),
      values: [varRef(pair)],
      ...predicate(inside),
    });
  });
}
