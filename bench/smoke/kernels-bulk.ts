/** The sum of a ring with a producer warp, by bulk copies: Hopper's instructions only. */
import * as t from '../../compiler/thread/build.ts';
import type { Expr, Stmt, ThreadKernel } from '../../compiler/thread/nodes.ts';
import { Body, buffer, kernel, shared } from './build.ts';

const n = t.param('n', 'i32');
const thread = t.threadId();
const i = t.constI;

/** Sums 40-row chunks of x[n, 128] by column: each lane of warps 4 and 5 copies a row; rows past n become zeros. */
export function bulkSum(): ThreadKernel {
  const [rows, columns, slots, pitch] = [40, 128, 3, 528];
  const x = buffer('x', 'f32', 'read', t.mul(n, columns));
  const out = buffer('out', 'f32', 'write', columns);
  const bytes = rows * pitch;
  const ring = shared(0, 'ring', 'f32', slots * bytes, 0, `${slots} slots`);
  const full = shared(1, 'full', 'u32', slots * 8, slots * bytes, 'mbarriers');
  const empty = shared(2, 'empty', 'u32', slots * 8, slots * bytes + 32, 'mbarriers');
  const k = new Body();
  const s = k.span;
  const init = [full, empty].flatMap((barrier) =>
    Array.from({ length: slots }, (_, j): Stmt => {
      const count = barrier === full ? 64 : 128;
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
  const warp = t.sub(t.div(thread, 32), 4);
  const row = t.add(t.mul(chunk, rows), lane);
  const inside = t.lt(lane, rows);
  const live = t.and(inside, t.lt(row, n));
  const z = k.registers.scalar('z', 'i32');
  const start = t.add(t.mul(slotOf(chunk), bytes), t.mul(lane, pitch));
  const zeros: Stmt[] = [
    t.forLoop(s, z, i(0), i(columns * 4), 16, false, [
      {
        s: 'storeShared',
        span: s,
        buffer: ring,
        offset: t.add(start, t.varRef(z)),
        values: [0, 0, 0, 0].map((v) => t.constU(v)),
      },
    ]),
    { s: 'proxyFence', span: s },
  ];
  const place = t.mul(slotOf(chunk), 8);
  const produce: Stmt[] = [
    { s: 'mbarrierWait', span: s, buffer: empty, offset: place, parity: t.xor(parity(chunk), 1) },
    ...t.ifThen(s, t.and(inside, t.ge(row, n)), 'none', zeros),
    { s: 'mbarrierArriveExpect', span: s, buffer: full, offset: place, bytes: t.select(live, i(512), i(0)) },
    {
      s: 'bulkRows',
      span: s,
      buffer: ring,
      offset: t.add(t.mul(slotOf(chunk), bytes), t.mul(warp, 32 * pitch)),
      pitch,
      from: x,
      index: t.mul(row, columns),
      bytes: 4 * columns,
      rows: 32,
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
  const from = t.add(t.mul(slotOf(chunk), bytes), t.add(t.mul(t.varRef(r), pitch), t.mul(thread, 4)));
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
      'bulk_sum',
      {
        threads: 192,
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
