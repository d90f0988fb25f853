/** A ring that tensor copies fill, and the mistakes one makes with it. */
import { describe, expect, it } from 'vitest';
import * as b from '../../../../compiler/thread/build.ts';
import type { Expr, Stmt, TensorMap } from '../../../../compiler/thread/nodes.ts';
import { errorsOf, globalBuffer, run, sharedBuffer, st } from './kit.ts';

const t = b.threadId();
const lane = b.rem(t, 32);
const [steps, stages, rows, columns] = [6, 2, 8, 32];
const bytes = rows * columns * 4;
/** The rows of the last step end before the tile does: outside the tensor there are zeros. */
const length = steps * rows - 3;
const regs = new b.Registers();
const v = regs.scalar('v', 'f32');
const sum = regs.scalar('sum', 'f32');
const k = regs.scalar('k', 'i32');
const j = regs.scalar('j', 'i32');
const z = regs.scalar('z', 'i32');
const x = globalBuffer('x', 'f32', length * columns);
const out = globalBuffer('out', 'f32', 32, 'write');
const map: TensorMap = {
  buffer: x,
  extents: [b.constI(columns), b.constI(length)],
  strides: [b.constI(columns)],
  box: [columns, rows],
};
const S = sharedBuffer('ring', stages * bytes);
const bars = sharedBuffer('bars', 64, stages * bytes, 1);
const slot = (n: Expr): Expr => b.mul(b.rem(n, stages), bytes);
const full = (n: Expr): Expr => b.mul(b.rem(n, stages), 8);
const empty = (n: Expr): Expr => b.add(full(n), 32);
const parity = (n: Expr): Expr => b.rem(b.div(n, stages), 2);

interface Change {
  /** The second step's rows are zeros that the lanes store, so that copies come into slots that were stored to. */
  holes?: boolean;
  expected?: number;
  fence?: Stmt[];
  waitFull?: (n: Expr) => Stmt[];
  waitEmpty?: (n: Expr) => Stmt[];
  shift?: number;
}

/** Warp 1 copies tiles of 8 rows into a ring; lane l of warp 0 sums column l. */
function ring(change: Change) {
  const {
    holes = false,
    expected = bytes,
    fence = [st.fence(19)],
    waitFull = (n) => [st.await(24, bars, full(n), parity(n))],
    waitEmpty = (n) => [st.await(16, bars, empty(n), b.xor(parity(n), 1))],
    shift = 0,
  } = change;
  const [n, m] = [b.varRef(k), b.varRef(j)];
  const hole = holes ? b.eq(n, 1) : b.constB(false);
  const live = b.and(b.eq(lane, 0), b.unary('not', hole));
  const init = Array.from({ length: stages }, (_, s) => [
    st.init(11, bars, b.constI(8 * s), 32),
    st.init(12, bars, b.constI(8 * s + 32), 32),
  ]).flat();
  const zeros = [0, 0, 0, 0].map((c) => b.constU(c));
  const at = b.add(slot(n), b.mul(b.add(b.mul(b.varRef(z), 32), lane), 16));
  const producer: Stmt[] = [
    st.loop(15, k, b.constI(0), b.constI(steps), [
      ...waitEmpty(n),
      st.if(17, hole, [
        st.loop(18, z, b.constI(0), b.constI(bytes / 512), [st.store(18, S, at, zeros)]),
        ...fence,
      ]),
      st.arriveExpect(20, bars, full(n), b.select(live, b.constI(expected), b.constI(0))),
      st.tensorCopy(
        21,
        [S, b.add(slot(n), shift)],
        map,
        [b.constI(0), b.mul(n, rows)],
        [bars, full(n)],
        live,
      ),
    ]),
  ];
  const r = regs.scalar('r', 'i32');
  const chunk = b.xor(b.div(t, 4), b.varRef(r));
  const from = b.add(b.add(slot(m), b.mul(b.varRef(r), 128)), b.add(b.mul(chunk, 16), b.mul(b.rem(t, 4), 4)));
  const consumer: Stmt[] = [
    st.declare(22, sum, b.constF(0)),
    st.loop(23, j, b.constI(0), b.constI(steps), [
      ...waitFull(m),
      st.loop(25, r, b.constI(0), b.constI(rows), [
        st.declare(25, v),
        st.load(25, [b.lvalue(v)], S, from),
        st.set(26, sum, b.add(b.varRef(sum), b.varRef(v))),
      ]),
      st.arrive(27, bars, empty(m)),
    ]),
    st.out(28, out, t, b.varRef(sum)),
  ];
  const body = [
    st.if(10, b.eq(t, 0), [...init, st.fence(12)]),
    st.barrier(13),
    st.if(14, b.ge(b.div(t, 32), 1), producer, consumer, 'warp'),
  ];
  const data = Float32Array.from({ length: length * columns }, (_, i) => i % 13);
  const got = new Float32Array(32);
  const target = 'cuda:sm_90a';
  const report = run(
    { threads: 64, target, shared: [S, bars], buffers: [x, out], body },
    { x: data, out: got },
  );
  const want = new Float32Array(32);
  for (let i = 0; i < length; i++)
    for (let c = 0; c < columns; c++)
      if (!holes || Math.floor(i / rows) !== 1) want[c]! += data[i * columns + c]!;
  return { report, got: [...got], want: [...want] };
}

describe('a producer warp with tensor copies', () => {
  it.each([false, true])('runs, and is silent (holes: %s)', (holes) => {
    const { report, got, want } = ring({ holes });
    expect(report.errors).toEqual([]);
    expect(got).toEqual(want);
  });

  it('37: more bytes are expected than are copied', () => {
    const { report } = ring({ expected: bytes + 16 });
    expect(report.errors.map((e) => e.code)).toEqual(['PAT0407']);
    const notes = report.errors[0]!.notes!.map((n) => n.text).join('\n');
    expect(notes).toContain('has 32 of 32 arrivals, 16 B to come');
  });

  it('38: fewer bytes are expected than are copied', () => {
    const { report } = ring({ expected: bytes - 16 });
    expect(report.errors.map((e) => e.code)).toEqual(['PAT0407']);
  });

  it('39: a copy goes to an address off its 128 bytes', () => {
    expect(errorsOf(ring({ shift: 64 }).report)[0]).toBe('PAT0411 21');
  });

  it('40: a consumer reads without waiting', () => {
    const { report } = ring({ waitFull: () => [] });
    expect(errorsOf(report)).toEqual(['PAT0404 25', 'PAT0407 16 16']);
  });

  it('41: the producer does not wait for an empty slot', () => {
    const { report } = ring({ waitEmpty: () => [] });
    expect(errorsOf(report)).toContain('PAT0406 21 21');
  });

  it('42: no proxy fence between zeros that lanes store and the next copy over them', () => {
    expect(errorsOf(ring({ holes: true, fence: [] }).report)).toEqual(['PAT0401 21 18']);
  });
});
