/** The sum of a ring with a producer warp, by tensor copies: Hopper's instructions only. */
import * as t from '../../compiler/thread/build.ts';
import type { Expr, Stmt, TensorMap, ThreadKernel } from '../../compiler/thread/nodes.ts';
import { Body, buffer, kernel, shared } from './build.ts';

const n = t.param('n', 'i32');
const thread = t.threadId();
const i = t.constI;

/** Sums 40-row chunks of x[n, 128] by column: lanes 0 to 3 of warp 4 copy a box of 32 columns each; rows past n are zeros. */
export function tensorSum(): ThreadKernel {
  const [rows, columns, slots] = [40, 128, 3];
  const x = buffer('x', 'f32', 'read', t.mul(n, columns));
  const out = buffer('out', 'f32', 'write', columns);
  const map: TensorMap = { buffer: x, extents: [i(columns), n], strides: [i(columns)], box: [32, rows] };
  const boxBytes = rows * 128;
  const bytes = 4 * boxBytes;
  const ring = { ...shared(0, 'ring', 'f32', slots * bytes, 0, `${slots} slots`), align: 1024 };
  const full = shared(1, 'full', 'u32', slots * 8, slots * bytes, 'mbarriers');
  const empty = shared(2, 'empty', 'u32', slots * 8, slots * bytes + 32, 'mbarriers');
  const k = new Body();
  const s = k.span;
  const init = [full, empty].flatMap((barrier) =>
    Array.from({ length: slots }, (_, j): Stmt => {
      const count = barrier === full ? 32 : 128;
      return { s: 'mbarrierInit', span: s, buffer: barrier, offset: i(8 * j), count };
    }),
  );
  k.push(t.ifThen(s, t.eq(thread, 0), 'none', [...init, { s: 'proxyFence', span: s }]), t.barrier(s));
  const trips = k.set('trips', t.div(t.add(n, rows - 1), rows));
  const slotOf = (c: Expr): Expr => t.rem(c, slots);
  const parity = (c: Expr): Expr => t.rem(t.div(c, slots), 2);
  const c = k.registers.scalar('chunk', 'i32');
  const chunk = t.varRef(c);
  const lane = t.sub(thread, 128);
  const live = t.lt(lane, 4);
  const place = t.mul(slotOf(chunk), 8);
  const produce: Stmt[] = [
    { s: 'mbarrierWait', span: s, buffer: empty, offset: place, parity: t.xor(parity(chunk), 1) },
    {
      s: 'mbarrierArriveExpect',
      span: s,
      buffer: full,
      offset: place,
      bytes: t.select(live, i(boxBytes), i(0)),
    },
    {
      s: 'tensorCopy',
      span: s,
      buffer: ring,
      offset: t.add(t.mul(slotOf(chunk), bytes), t.mul(lane, boxBytes)),
      map,
      at: [t.mul(lane, 32), t.mul(chunk, rows)],
      barrier: full,
      barrierOffset: place,
      pred: live,
    },
  ];
  const [total, value, r] = [
    k.registers.scalar('total', 'f32'),
    k.registers.scalar('value', 'f32'),
    k.registers.scalar('r', 'i32'),
  ];
  const panel = t.add(t.mul(slotOf(chunk), bytes), t.mul(t.div(thread, 32), boxBytes));
  const column = t.rem(thread, 32);
  const swizzled = t.mul(t.xor(t.div(column, 4), t.rem(t.varRef(r), 8)), 16);
  const inRow = t.add(swizzled, t.mul(t.rem(column, 4), 4));
  const from = t.add(panel, t.add(t.mul(t.varRef(r), 128), inRow));
  const consume: Stmt[] = [
    { s: 'mbarrierWait', span: s, buffer: full, offset: place, parity: parity(chunk) },
    t.forLoop(s, r, i(0), i(rows), 1, true, [
      t.declare(s, value),
      { s: 'loadShared', span: s, dst: [{ var: value }], buffer: ring, offset: from },
      t.assign(s, total, t.add(t.varRef(total), t.varRef(value))),
    ]),
    { s: 'mbarrierArrive', span: s, buffer: empty, offset: place },
  ];
  k.next().push(
    t.ifThen(
      k.span,
      t.ge(t.div(thread, 32), 4),
      'warp',
      [t.forLoop(s, c, i(0), trips, 1, false, produce)],
      [
        t.declare(s, total, t.constF(0)),
        t.forLoop(s, c, i(0), trips, 1, false, consume),
        { s: 'storeGlobal', span: s, buffer: out, index: thread, value: t.varRef(total) },
      ],
    ),
  );
  return {
    ...kernel(
      'tensor_sum',
      {
        threads: 160,
        buffers: [x, out],
        params: [{ name: 'n', type: 'i32' }],
        shared: [ring, full, empty],
        tile: { slots },
      },
      k,
    ),
    target: 'cuda:sm_90a',
  };
}
