/** Hand-made kernels; together they use every statement of Thread IR. cases.ts says what they must compute. */
import * as t from '../../compiler/thread/build.ts';
import type { Expr, HalfType, LValue, Stmt, ThreadKernel } from '../../compiler/thread/nodes.ts';
import { Body, buffer, kernel, shared } from './build.ts';

const n = t.param('n', 'i32');
const scalarN = [{ name: 'n', type: 'i32' }] as const;
const thread = t.threadId();
const i = t.constI;

/** out[i] = a[i] + b[i], one element a thread, guarded. */
export function vectorAdd(): ThreadKernel {
  const [a, b, out] = [
    buffer('a', 'f32', 'read', n),
    buffer('b', 'f32', 'read', n),
    buffer('out', 'f32', 'write', n),
  ];
  const k = new Body();
  const index = k.set('index', t.add(t.mul(t.blockId(0), 256), thread));
  k.next();
  const live = k.set('live', t.lt(index, n));
  const sum = k.set('sum', t.guard(live, t.add(t.loadGlobal(a, index), t.loadGlobal(b, index)), 0));
  k.next().push({ s: 'storeGlobal', span: k.span, buffer: out, index, value: sum, pred: live });
  return kernel('vector_add', { threads: 256, buffers: [a, b, out], params: scalarN }, k);
}

/** Eight halves a thread in one 16-byte access each way: out = 2 * x, halves of the given type. */
export function doubleHalves(element: HalfType): ThreadKernel {
  const x = buffer('x', element, 'read', n);
  const out = buffer('out', element, 'write', n);
  const k = new Body();
  const index = k.set('index', t.mul(t.add(t.mul(t.blockId(0), 128), thread), 8));
  const live = k.set('live', t.lt(index, n));
  const words = k.array('words', 'u32', 4);
  const dst = [0, 1, 2, 3].map((j) => t.lvalue(words, j));
  k.next().push({ s: 'loadGlobalWords', span: k.span, dst, buffer: x, index, pred: live });
  const j = k.registers.scalar('j', 'i32');
  const word = t.element(words, t.varRef(j));
  const twice = (half: 0 | 1): Expr => t.mul(t.unpack(element, word, half), t.constF(2));
  const body: Stmt[] = [t.assign(k.span, t.lvalue(words, t.varRef(j)), t.pack(element, twice(0), twice(1)))];
  k.next().push(t.forLoop(k.span, j, i(0), i(4), 1, true, body));
  k.next().push({
    s: 'storeGlobalWords',
    span: k.span,
    buffer: out,
    index,
    values: dst.map(t.readOf),
    pred: live,
  });
  return kernel(`double_${element}`, { threads: 128, buffers: [x, out], params: scalarN }, k);
}

/** One warp: d[16,8] = a[16,16] x b[16,8] through cp.async, ldmatrix and mma.sync. */
export function matrixTile(element: HalfType): ThreadKernel {
  const a = buffer('a', element, 'read', 256);
  const b = buffer('b', element, 'read', 128);
  const d = buffer('d', 'f32', 'write', 128);
  const aTile = shared(0, 'a_tile', element, 512, 0, '16 x 16 x 2 B');
  const bTile = shared(1, 'b_tile', element, 256, 512, '16 x 8 x 2 B');
  const k = new Body();
  const s = k.span;
  k.push(
    {
      s: 'cpAsync',
      span: s,
      buffer: aTile,
      offset: t.mul(thread, 16),
      from: a,
      index: t.mul(thread, 8),
      bytes: 16,
    },
    {
      s: 'cpAsync',
      span: s,
      buffer: bTile,
      offset: t.mul(thread, 16),
      from: b,
      index: t.mul(thread, 8),
      bytes: 16,
      pred: t.lt(thread, 16),
    },
    { s: 'cpAsyncCommit', span: s },
    { s: 'cpAsyncWait', span: s, pending: 0 },
    t.warpBarrier(s),
  );
  // Out-of-range lanes of the predicated copy write zeros past b_tile's 256 bytes: the arena has room for them.
  const [ra, rb, acc] = [k.array('ra', 'u32', 4), k.array('rb', 'u32', 2), k.array('acc', 'f32', 4)];
  const lanes = (v: typeof ra, count: number): LValue[] =>
    Array.from({ length: count }, (_, j) => t.lvalue(v, j));
  const row = k.set('row', t.rem(thread, 16));
  k.next().push(
    ...lanes(acc, 4).map((to) => t.assign(s, to, t.constF(0))),
    {
      s: 'ldmatrix',
      span: s,
      dst: lanes(ra, 4),
      buffer: aTile,
      offset: t.add(t.mul(row, 32), t.mul(t.div(thread, 16), 16)),
      trans: false,
    },
    { s: 'ldmatrix', span: s, dst: lanes(rb, 2), buffer: bTile, offset: t.mul(row, 16), trans: true },
    {
      s: 'mma',
      span: s,
      element,
      acc: lanes(acc, 4),
      a: lanes(ra, 4).map(t.readOf),
      b: lanes(rb, 2).map(t.readOf),
    },
  );
  const column = k.set('column', t.mul(t.rem(thread, 4), 2));
  for (let half = 0; half < 2; half++)
    k.push({
      s: 'storeGlobalWords',
      span: s,
      buffer: d,
      index: t.add(t.mul(t.add(t.div(thread, 4), 8 * half), 8), column),
      values: [t.bitcast('u32', t.element(acc, 2 * half)), t.bitcast('u32', t.element(acc, 2 * half + 1))],
    });
  return kernel(
    `matrix_tile_${element}`,
    { threads: 32, buffers: [a, b, d], shared: [aTile, { ...bTile, bytes: 512 }], spec: { element } },
    k,
  );
}

/** Sums 32-row chunks of x[n, 128] by column through a three-stage cp.async ring; rows past n count as zero. */
export function pipelinedSum(): ThreadKernel {
  const [rows, columns, stages] = [8, 128, 3];
  const x = buffer('x', 'f32', 'read', t.mul(n, columns));
  const out = buffer('out', 'f32', 'write', columns);
  const bytes = rows * columns * 4;
  const ring = shared(0, 'ring', 'f32', stages * bytes, 0, `${stages} stages x ${rows} x ${columns} x 4 B`);
  const k = new Body();
  const trips = k.set('trips', t.div(t.add(n, rows - 1), rows));
  const row = k.set('row', t.div(thread, 16));
  const column = k.set('column', t.mul(t.rem(thread, 16), 8));
  // 128 threads copy 8 rows of 128 floats: two 16-byte pieces each.
  const issue = (chunk: Expr): Stmt[] => [
    ...[0, 4].map((piece): Stmt => ({
      s: 'cpAsync',
      span: k.span,
      buffer: ring,
      offset: t.add(
        t.mul(t.rem(chunk, stages), bytes),
        t.mul(t.add(t.add(t.mul(row, columns), column), piece), 4),
      ),
      from: x,
      index: t.add(t.add(t.mul(t.add(t.mul(chunk, rows), row), columns), column), piece),
      bytes: 16,
      pred: t.lt(t.add(t.mul(chunk, rows), row), n),
    })),
    { s: 'cpAsyncCommit', span: k.span },
  ];
  k.next();
  for (let s = 0; s < stages - 1; s++) k.push(issue(i(s)));
  const total = k.scalar('total', 'f32', t.constF(0));
  const chunk = k.registers.scalar('chunk', 'i32');
  const body = k.inner((b) => {
    b.push({ s: 'cpAsyncWait', span: b.span, pending: stages - 2 }, t.barrier(b.span));
    b.next().push(issue(t.add(t.varRef(chunk), stages - 1)));
    const r = b.registers.scalar('r', 'i32');
    const value = b.registers.scalar('value', 'f32');
    const offset = t.add(
      t.mul(t.rem(t.varRef(chunk), stages), bytes),
      t.add(t.mul(t.varRef(r), columns * 4), t.mul(thread, 4)),
    );
    b.next().push(
      t.forLoop(b.span, r, i(0), i(rows), 1, true, [
        t.declare(b.span, value),
        { s: 'loadShared', span: b.span, dst: [{ var: value }], buffer: ring, offset },
        t.assign(b.span, total, t.add(t.varRef(total), t.varRef(value))),
      ]),
    );
  });
  k.push(t.forLoop(k.span, chunk, i(0), trips, 1, false, body), {
    s: 'cpAsyncWait',
    span: k.span,
    pending: 0,
  });
  k.push({ s: 'storeGlobal', span: k.span, buffer: out, index: thread, value: t.varRef(total) });
  return kernel(
    'pipelined_sum',
    { threads: 128, buffers: [x, out], params: scalarN, shared: [ring], tile: { rows, stages } },
    k,
  );
}

/** The same sum with a producer warp: full and empty mbarriers, no block barrier in the loop. */
export function ringSum(): ThreadKernel {
  const [rows, columns, slots] = [8, 128, 4];
  const x = buffer('x', 'f32', 'read', t.mul(n, columns));
  const out = buffer('out', 'f32', 'write', columns);
  const bytes = rows * columns * 4;
  const ring = shared(0, 'ring', 'f32', slots * bytes, 0, `${slots} slots`);
  const full = shared(1, 'full', 'u32', slots * 8, slots * bytes, 'mbarriers');
  const empty = shared(2, 'empty', 'u32', slots * 8, slots * bytes + slots * 8, 'mbarriers');
  const k = new Body();
  const s = k.span;
  const init = [full, empty].flatMap((barrier) =>
    Array.from({ length: slots }, (_, j): Stmt => ({
      s: 'mbarrierInit',
      span: s,
      buffer: barrier,
      offset: i(8 * j),
      count: barrier === full ? 32 : 128,
    })),
  );
  k.push(t.ifThen(s, t.eq(thread, 0), 'none', init), t.barrier(s));
  const trips = k.set('trips', t.div(n, rows));
  const slotOf = (c: Expr): Expr => t.mul(t.rem(c, slots), 8);
  const parity = (c: Expr): Expr => t.rem(t.div(c, slots), 2);
  const c = k.registers.scalar('chunk', 'i32');
  const chunk = t.varRef(c);
  const lane = t.sub(thread, 128);
  const copy = Array.from({ length: bytes / 512 }, (_, j): Stmt => {
    const piece = t.add(t.mul(lane, 4), 128 * j);
    return {
      s: 'cpAsync',
      span: s,
      buffer: ring,
      offset: t.add(t.mul(t.rem(chunk, slots), bytes), t.mul(piece, 4)),
      from: x,
      index: t.add(t.mul(chunk, rows * columns), piece),
      bytes: 16,
    };
  });
  const produce: Stmt[] = [
    { s: 'mbarrierWait', span: s, buffer: empty, offset: slotOf(chunk), parity: t.xor(parity(chunk), 1) },
    ...copy,
    { s: 'mbarrierArriveCpAsync', span: s, buffer: full, offset: slotOf(chunk) },
  ];
  const total = k.registers.scalar('total', 'f32');
  const value = k.registers.scalar('value', 'f32');
  const r = k.registers.scalar('r', 'i32');
  const offset = t.add(
    t.mul(t.rem(chunk, slots), bytes),
    t.add(t.mul(t.varRef(r), columns * 4), t.mul(thread, 4)),
  );
  const consume: Stmt[] = [
    { s: 'mbarrierWait', span: s, buffer: full, offset: slotOf(chunk), parity: parity(chunk) },
    t.forLoop(s, r, i(0), i(rows), 1, true, [
      t.declare(s, value),
      { s: 'loadShared', span: s, dst: [{ var: value }], buffer: ring, offset },
      t.assign(s, total, t.add(t.varRef(total), t.varRef(value))),
    ]),
    { s: 'mbarrierArrive', span: s, buffer: empty, offset: slotOf(chunk) },
  ];
  k.next().push(
    t.ifThen(
      k.span,
      t.ge(thread, 128),
      'warp',
      [t.forLoop(s, c, i(0), trips, 1, false, produce), { s: 'cpAsyncWait', span: s, pending: 0 }],
      [
        t.declare(s, total, t.constF(0)),
        t.forLoop(s, c, i(0), trips, 1, false, consume),
        { s: 'storeGlobal', span: s, buffer: out, index: thread, value: t.varRef(total) },
      ],
    ),
  );
  return kernel(
    'ring_sum',
    {
      threads: 160,
      buffers: [x, out],
      params: scalarN,
      shared: [ring, full, empty],
      tile: { slots },
      minBlocks: 2,
    },
    k,
  );
}

/** Each warp's 32 values summed by shuffles; lane 0 adds the sum to a counter and its maximum to another. */
export function warpSums(): ThreadKernel {
  const x = buffer('x', 'i32', 'read', n);
  const sum = buffer('sum', 'i32', 'readwrite', 1);
  const most = buffer('most', 'i32', 'readwrite', 1);
  const mean = buffer('mean', 'f32', 'readwrite', 1);
  const k = new Body();
  const index = k.set('index', t.add(t.mul(t.blockId(0), 64), thread));
  const v = k.scalar('v', 'i32', t.guard(t.lt(index, n), t.loadGlobal(x, index), 0));
  const m = k.scalar('m', 'i32', t.varRef(v));
  const other = k.scalar('other', 'i32');
  const span = k.next().span;
  for (const mask of [16, 8, 4, 2, 1])
    k.push(
      { s: 'shuffleXor', span, dst: { var: other }, value: t.varRef(v), mask },
      t.assign(span, v, t.add(t.varRef(v), t.varRef(other))),
      { s: 'shuffleXor', span, dst: { var: other }, value: t.varRef(m), mask },
      t.assign(span, m, t.max(t.varRef(m), t.varRef(other))),
    );
  const first = t.eq(t.rem(thread, 32), 0);
  const share = t.div(t.convert('f32', t.varRef(v)), t.convert('f32', n));
  k.push(
    { s: 'atomicGlobal', span, fn: 'add', buffer: sum, index: i(0), value: t.varRef(v), pred: first },
    { s: 'atomicGlobal', span, fn: 'max', buffer: most, index: i(0), value: t.varRef(m), pred: first },
    { s: 'atomicGlobal', span, fn: 'add', buffer: mean, index: i(0), value: share, pred: first },
  );
  return kernel('warp_sums', { threads: 64, buffers: [x, sum, most, mean], params: scalarN }, k);
}
