/** Pipelines of asynchronous copies and mbarriers, and the mistakes one makes with them. */
import { describe, expect, it } from 'vitest';
import type { SimulationReport } from '../../../../backends/cpu/simulator/index.ts';
import * as b from '../../../../compiler/thread/build.ts';
import type { Expr, Stmt } from '../../../../compiler/thread/nodes.ts';
import { errorsOf, globalBuffer, run, sharedBuffer, st } from './kit.ts';

const t = b.threadId();
const steps = 6;
const stages = 3;
const regs = new b.Registers();
const v = regs.scalar('v', 'f32');
const sum = regs.scalar('sum', 'f32');
const k = regs.scalar('k', 'i32');
const x = globalBuffer('x', 'f32', steps * 64);
const out = globalBuffer('out', 'f32', 64, 'write');
const S = sharedBuffer('ring', stages * 256);
const slot = (n: Expr): Expr => b.mul(b.rem(n, stages), 256);
const input = (): Float32Array => Float32Array.from({ length: steps * 64 }, (_, i) => i % 17);

function expected(): number[] {
  const data = input();
  return Array.from({ length: 64 }, (_, i) => {
    let total = 0;
    for (let n = 0; n < steps; n++) total += data[n * 64 + ((i + 1) % 64)]!;
    return total;
  });
}

interface Pipeline {
  pending?: number;
  sync?: Stmt[];
  after?: Stmt[];
  ahead?: number;
}

/** Each step reads the neighbour's element of a tile that was copied two steps ahead. */
function pipeline({
  pending = stages - 2,
  sync = [st.barrier(11)],
  after = [],
  ahead = stages - 1,
}: Pipeline) {
  const fetch = (n: Expr): Stmt[] => [
    st.if(
      7,
      b.lt(n, steps),
      [st.copy(8, S, b.add(slot(n), b.mul(t, 4)), x, b.add(b.mul(n, 64), t), 4)],
      [],
      'block',
    ),
    st.commit(8),
  ];
  const body = [
    st.declare(5, sum, b.constF(0)),
    ...Array.from({ length: stages - 1 }, (_, n) => fetch(b.constI(n))).flat(),
    st.loop(9, k, b.constI(0), b.constI(steps), [
      st.wait(10, pending),
      ...sync,
      ...fetch(b.add(b.varRef(k), ahead)),
      st.declare(13, v),
      st.load(13, [b.lvalue(v)], S, b.add(slot(b.varRef(k)), b.mul(b.rem(b.add(t, 1), 64), 4))),
      st.set(14, sum, b.add(b.varRef(sum), b.varRef(v))),
      ...after,
    ]),
    st.out(16, out, t, b.varRef(sum)),
  ];
  const got = new Float32Array(64);
  const report = run({ threads: 64, shared: [S], buffers: [x, out], body }, { x: input(), out: got });
  return { report, got: [...got] };
}

describe('a pipeline of cp.async groups', () => {
  it('runs, and is silent', () => {
    const { report, got } = pipeline({});
    expect(report.errors).toEqual([]);
    expect(got).toEqual(expected());
  });

  it('21: a wait that leaves one group too many pending', () => {
    const { report } = pipeline({ pending: stages - 1 });
    expect(errorsOf(report)).toEqual(['PAT0406 13 8']);
  });

  it('22: no barrier between the wait and the reads of others', () => {
    expect(errorsOf(pipeline({ sync: [] }).report)).toContain('PAT0401 13 8');
  });

  it('23: a copy into the slot that is being read', () => {
    const { report } = pipeline({ ahead: stages, pending: 0 });
    expect(errorsOf(report)).toContain('PAT0401 13 8');
    expect(errorsOf(report)).toContain('PAT0401 8 13');
  });

  it('24: the barrier stands behind the copy, so that it overtakes slow readers', () => {
    const body = (early: boolean): Stmt[] => [
      st.declare(5, sum, b.constF(0)),
      st.loop(9, k, b.constI(0), b.constI(4), [
        ...(early ? [st.barrier(6)] : []),
        st.copy(7, S, b.mul(t, 4), x, b.add(b.mul(b.varRef(k), 64), t), 4),
        st.commit(8),
        st.wait(10, 0),
        st.barrier(11),
        st.declare(13, v),
        st.load(13, [b.lvalue(v)], S, b.mul(b.rem(b.add(t, 1), 64), 4)),
        st.set(14, sum, b.add(b.varRef(sum), b.varRef(v))),
      ]),
      st.out(16, out, t, b.varRef(sum)),
    ];
    const kernel = (early: boolean): SimulationReport =>
      run(
        { threads: 64, shared: [S], buffers: [x, out], body: body(early) },
        { x: input(), out: new Float32Array(64) },
      );
    expect(errorsOf(kernel(true))).toEqual([]);
    expect(errorsOf(kernel(false))).toContain('PAT0401 7 13');
  });
});

// ---------------------------------------------------------------- a ring with a producer warp

const bars = sharedBuffer('bars', 64, stages * 256, 1);
const full = (n: Expr): Expr => b.mul(b.rem(n, stages), 8);
const empty = (n: Expr): Expr => b.add(b.mul(b.rem(n, stages), 8), 32);
const parity = (n: Expr): Expr => b.rem(b.div(n, stages), 2);
const lane = b.rem(t, 32);

interface Ring {
  fullCount?: number;
  release?: (n: Expr) => Stmt[];
  waitFull?: (n: Expr) => Stmt[];
  waitEmpty?: (n: Expr) => Stmt[];
  beforeUse?: Stmt[];
  drain?: Stmt[];
}

/** Warp 2 copies tiles into a ring of slots; warps 0 and 1 read them, free of each other. */
function ring(change: Ring) {
  const {
    fullCount = 32,
    release = (n) => [st.arrive(25, bars, empty(n))],
    waitFull = (n) => [st.await(22, bars, full(n), parity(n))],
    waitEmpty = (n) => [st.await(16, bars, empty(n), b.rem(b.add(parity(n), 1), 2))],
    beforeUse = [st.barrier(13)],
    drain = [],
  } = change;
  const n = b.varRef(k);
  const j = regs.scalar('j', 'i32');
  const m = b.varRef(j);
  const init = Array.from({ length: stages }, (_, s) => [
    st.init(11, bars, b.constI(8 * s), fullCount),
    st.init(12, bars, b.constI(8 * s + 32), 64),
  ]).flat();
  const producer: Stmt[] = [
    st.loop(15, k, b.constI(0), b.constI(steps), [
      ...waitEmpty(n),
      st.copy(17, S, b.add(slot(n), b.mul(lane, 8)), x, b.add(b.mul(n, 64), b.mul(lane, 2)), 8),
      st.arriveCopy(18, bars, full(n)),
    ]),
    ...drain,
  ];
  const consumer: Stmt[] = [
    st.declare(20, sum, b.constF(0)),
    st.loop(21, j, b.constI(0), b.constI(steps), [
      ...waitFull(m),
      st.declare(23, v),
      st.load(23, [b.lvalue(v)], S, b.add(slot(m), b.mul(b.rem(b.add(t, 1), 64), 4))),
      st.set(24, sum, b.add(b.varRef(sum), b.varRef(v))),
      ...release(m),
    ]),
    st.out(26, out, t, b.varRef(sum)),
  ];
  const body = [
    st.if(10, b.eq(t, 0), init),
    ...beforeUse,
    st.if(14, b.ge(t, 64), producer, consumer, 'warp'),
  ];
  const got = new Float32Array(64);
  const report = run({ threads: 96, shared: [S, bars], buffers: [x, out], body }, { x: input(), out: got });
  return { report, got: [...got] };
}

describe('a producer warp and a ring of mbarriers', () => {
  it('runs, and is silent', () => {
    const { report, got } = ring({});
    expect(report.errors).toEqual([]);
    expect(got).toEqual(expected());
  });

  it('may wait for its last copies itself', () => {
    const { report, got } = ring({ drain: [st.commit(19), st.wait(19, 0)] });
    expect(report.errors).toEqual([]);
    expect(got).toEqual(expected());
  });

  it('25: consumers do not release a slot', () => {
    const { report } = ring({ release: () => [] });
    expect(errorsOf(report)).toEqual(['PAT0407 22 22 16']);
    const notes = report.errors[0]!.notes!.map((n) => n.text);
    expect(notes[0]).toContain('warps 0, 1: waits for parity 1 of bars[0]');
    expect(notes[1]).toBe('warp 2: waits for parity 0 of bars[32]: phase 0 (parity 0) has 0 of 64 arrivals');
  });

  it('26: the count of an mbarrier is one too high', () => {
    const { report } = ring({ fullCount: 33 });
    expect(report.errors.map((e) => e.code)).toEqual(['PAT0407']);
    expect(report.errors[0]!.notes!.some((n) => n.text.includes('has 32 of 33 arrivals'))).toBe(true);
  });

  it('27: consumers wait for the wrong parity', () => {
    const { report } = ring({
      waitFull: (n) => [st.await(22, bars, full(n), b.rem(b.add(parity(n), 1), 2))],
    });
    expect(errorsOf(report)).toEqual(['PAT0404 23', 'PAT0407 22 22 16']);
  });

  it('28: the producer does not wait for an empty slot', () => {
    const { report } = ring({ waitEmpty: () => [] });
    expect(errorsOf(report)).toContain('PAT0406 17 17');
  });

  it('29: a consumer reads without waiting', () => {
    const { report } = ring({ waitFull: () => [] });
    expect(errorsOf(report)).toEqual(['PAT0404 23', 'PAT0401 17 23', 'PAT0407 16 16']);
  });

  it('30: a slot is released before it is read', () => {
    const { report } = ring({
      waitFull: (m) => [st.await(22, bars, full(m), parity(m)), st.arrive(22, bars, empty(m))],
      release: () => [],
    });
    expect(errorsOf(report)).toContain('PAT0401 17 23');
  });

  it('31: the mbarriers are used before the block knows of them', () => {
    const { report } = ring({ beforeUse: [] });
    expect(errorsOf(report)).toEqual(['PAT0401 22 11', 'PAT0401 16 12', 'PAT0401 18 11', 'PAT0401 25 12']);
  });
});

describe('kernels that do not end', () => {
  it('35: a loop whose condition never changes', () => {
    const body = [
      st.declare(2, sum, b.constF(0)),
      st.while(3, b.lt(b.varRef(sum), 1), [st.set(4, sum, b.mul(b.varRef(sum), 2))]),
      st.barrier(5),
    ];
    expect(errorsOf(run({ threads: 64, body }, {}, [1, 1, 1], { maxStatements: 10_000 }))).toEqual([
      'PAT0407 3 3',
    ]);
  });

  it('36: a loop that waits for another warp goes on once that has acted', () => {
    const flag = globalBuffer('flag', 'i32', 1, 'readwrite');
    const seen = regs.scalar('seen', 'i32');
    const body = [
      st.declare(2, seen, b.constI(0)),
      st.if(
        3,
        b.lt(t, 32),
        [st.while(4, b.eq(b.varRef(seen), 0), [st.set(5, seen, b.loadGlobal(flag, b.constI(0)))])],
        [st.atomic(7, 'max', flag, b.constI(0), b.constI(1))],
        'warp',
      ),
    ];
    const report = run({ threads: 64, buffers: [flag], body }, { flag: new Int32Array(1) });
    // It ends; reading a flag without an atomic is a race all the same.
    expect(errorsOf(report)).toEqual(['PAT0402 7 5', 'PAT0402 5 7']);
  });
});
