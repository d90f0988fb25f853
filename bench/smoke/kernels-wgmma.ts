/** Products by wgmma with the right operand stored both ways, in panels: Hopper's instructions only. */
import * as t from '../../compiler/thread/build.ts';
import type {
  Expr,
  GlobalBuffer,
  HalfType,
  SharedBuffer,
  Stmt,
  ThreadKernel,
} from '../../compiler/thread/nodes.ts';
import { Body, buffer, kernel, shared } from './build.ts';

const thread = t.threadId();
const [m, threads] = [128, 256];

export interface WgmmaTile {
  readonly element: HalfType;
  /** Columns and depth of the product. */
  readonly n: number;
  readonly k: number;
  /** How b is stored. */
  readonly order: 'kn' | 'nk';
  /** a is read from shared memory too. */
  readonly shared?: boolean;
}

/** Several panels of each kind, and a number of columns that is no power of two. */
export const wgmmaTiles: readonly WgmmaTile[] = (['f16', 'bf16'] as const).flatMap((element) => [
  { element, n: 136, k: 128, order: 'nk' },
  { element, n: 192, k: 48, order: 'kn' },
  { element, n: 64, k: 128, order: 'kn', shared: true },
]);

/** out[128, n] = start + a[128, k] · b by two groups of four warps. */
/** Where k16 step kk begins where rows run along k. */
const along = (rows: number, kk: number): number => Math.floor(kk / 4) * rows * 128 + (kk % 4) * 32;

/** Copies `rows` x `columns` halves into panels. */
function copyPanels(k: Body, from: GlobalBuffer, to: SharedBuffer, rows: number, columns: number): void {
  const { span } = k;
  const chunks = (rows * columns) / 8;
  const c = k.registers.scalar('c', 'i32');
  const chunk = t.add(thread, t.varRef(c));
  const [row, column] = [t.div(chunk, columns / 8), t.rem(chunk, columns / 8)];
  const offset = t.add(
    t.mul(t.div(column, 8), rows * 128),
    t.add(t.mul(row, 128), t.mul(t.xor(t.rem(column, 8), t.rem(row, 8)), 16)),
  );
  const copy: Stmt = { s: 'cpAsync', span, buffer: to, offset, from, index: t.mul(chunk, 8), bytes: 16 };
  const body = t.ifThen(span, t.lt(chunk, chunks), 'none', [copy]);
  k.push(t.forLoop(span, c, t.constI(0), t.constI(chunks), threads, false, body));
}

/** out[128, n] = start + a[128, k] · b by two groups of four warps. */
export function wgmmaTile({ element, n, k: depth, order, shared: both = false }: WgmmaTile): ThreadKernel {
  const [rows, columns] = order === 'kn' ? [depth, n] : [n, depth];
  const a = buffer('a', element, 'read', m * depth);
  const b = buffer('b', element, 'read', rows * columns);
  const start = buffer('start', 'f32', 'read', m * n);
  const out = buffer('out', 'f32', 'write', m * n);
  const bytes = rows * columns * 2;
  const tile = shared(0, 'b_tile', element, bytes, 0, `${rows} x ${columns} x 2 B, panels`);
  const place = Math.ceil(bytes / 1024) * 1024;
  const leftTile = shared(1, 'a_tile', element, m * depth * 2, place, `${m} x ${depth} x 2 B, panels`);
  const k = new Body();
  const s = k.span;
  copyPanels(k, b, tile, rows, columns);
  if (both) copyPanels(k, a, leftTile, m, depth);
  k.push(
    { s: 'cpAsyncCommit', span: s },
    { s: 'cpAsyncWait', span: s, pending: 0 },
    { s: 'proxyFence', span: s },
    t.barrier(s),
  );
  const [left, acc] = [k.array('left', 'u32', depth / 4), k.array('acc', 'f32', n / 2)];
  const first = k.set('first', t.add(t.mul(t.div(thread, 32), 16), t.div(t.rem(thread, 32), 4)));
  const pair = k.set('pair', t.mul(t.rem(thread, 4), 2));
  for (let r = 0; r < (both ? 0 : depth / 4); r++) {
    const at = t.add(pair, 16 * (r >> 2) + 8 * ((r >> 1) & 1));
    const index = t.add(t.mul(t.add(first, 8 * (r & 1)), depth), at);
    k.push({ s: 'loadGlobalWords', span: k.span, dst: [t.lvalue(left, r)], buffer: a, index });
  }
  /** Element r of a lane's accumulators. */
  const placeOf = (r: number): Expr =>
    t.add(t.mul(t.add(first, 8 * ((r >> 1) & 1)), n), t.add(pair, 8 * (r >> 2) + (r & 1)));
  for (let r = 0; r < n / 2; r++) k.push(t.assign(k.span, t.lvalue(acc, r), t.loadGlobal(start, placeOf(r))));
  const group = t.mul(t.div(thread, 128), 64 * 128);
  k.next().push({ s: 'wgmmaFence', span: k.span, registers: both ? [acc] : [acc, left] });
  for (let kk = 0; kk < depth / 16; kk++)
    k.push({
      s: 'wgmma',
      span: k.span,
      element,
      columns: n,
      acc: Array.from({ length: n / 2 }, (_, r) => t.lvalue(acc, r)),
      a: both ? [] : [0, 1, 2, 3].map((r) => t.element(left, t.constI(4 * kk + r))),
      ...(both ? { left: { buffer: leftTile, offset: t.add(group, along(m, kk)), stride: 1024 } } : {}),
      buffer: tile,
      offset: t.constI(order === 'kn' ? kk * 2048 : along(rows, kk)),
      transposed: order === 'kn',
      leading: order === 'kn' ? rows * 128 : 0,
      stride: 1024,
      accumulate: true,
    });
  k.next().push(
    { s: 'wgmmaCommit', span: k.span },
    { s: 'wgmmaWait', span: k.span, pending: 0, registers: [acc] },
  );
  k.next();
  for (let r = 0; r < n / 2; r++)
    k.push({
      s: 'storeGlobal',
      span: k.span,
      buffer: out,
      index: placeOf(r),
      value: t.element(acc, t.constI(r)),
    });
  const tiles = both ? [tile, leftTile] : [tile];
  const parts = { threads, buffers: [a, b, start, out], shared: tiles, tile: { n, k: depth } };
  return { ...kernel(`wgmma_${order}${both ? '_shared' : ''}_${element}`, parts, k), target: 'cuda:sm_90a' };
}
