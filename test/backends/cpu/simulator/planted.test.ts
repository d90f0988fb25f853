/**
 * Correct kernels, each with one mistake planted: the simulator must name it, at the right two lines. The correct kernel
 * must be silent.
 */
import { describe, expect, it } from 'vitest';
import type { SimulationReport } from '../../../../backends/cpu/simulator/index.ts';
import * as b from '../../../../compiler/thread/build.ts';
import type { Expr, Stmt } from '../../../../compiler/thread/nodes.ts';
import { errorsOf, globalBuffer, run, sharedBuffer, show, st } from './kit.ts';

const t = b.threadId();
const regs = new b.Registers();
const v = regs.scalar('v', 'f32');
const i = regs.scalar('i', 'i32');
const x = globalBuffer('x', 'f32', 1024);
const out = globalBuffer('out', 'f32', 1024, 'write');
const input = (): Float32Array => Float32Array.from({ length: 1024 }, (_, k) => k);
const next = b.rem(b.add(t, 1), 64);
const lane = b.rem(t, 32);

/** Hands each thread's value to its neighbour through shared memory. */
function exchange(
  change: Partial<Record<'store' | 'sync' | 'load' | 'out', Stmt[]>> = {},
  target = 'cuda:sm_80',
): SimulationReport {
  const S = sharedBuffer('s', 256);
  const parts = {
    store: [st.store(3, S, b.mul(t, 4), [b.loadGlobal(x, t)])],
    sync: [st.barrier(5)],
    load: [st.declare(7, v), st.load(7, [b.lvalue(v)], S, b.mul(next, 4))],
    out: [st.out(9, out, t, b.varRef(v))],
    ...change,
  };
  const body = [...parts.store, ...parts.sync, ...parts.load, ...parts.out];
  return run(
    { threads: 64, target, shared: [S], buffers: [x, out], body },
    { x: input(), out: new Float32Array(1024) },
  );
}
const S = sharedBuffer('s', 256);

describe('shared memory', () => {
  it('is silent about the correct kernel', () => {
    for (const target of ['cuda:sm_80', 'wgsl']) {
      const report = exchange({}, target);
      expect(report.errors).toEqual([]);
      expect(report.warnings).toEqual([]);
      expect(report.statistics).toMatchObject({ blocks: 1, barriers: 1, sharedBytes: 256, sharedPeak: 256 });
    }
  });

  it('1: a barrier is missing', () => {
    for (const target of ['cuda:sm_80', 'wgsl']) {
      const report = exchange({ sync: [] }, target);
      expect(errorsOf(report)).toContain('PAT0401 7 3');
      const race = report.errors.find((e) => show(e) === 'PAT0401 7 3')!;
      expect(race.message).toMatch(
        /thread \d+ \(warp \d\) of block \(0, 0, 0\) reads byte \d+ of s .*thread \d+/,
      );
    }
  });

  it('2: a warp barrier does not order two warps', () => {
    expect(errorsOf(exchange({ sync: [st.warpBarrier(5)] }))).toContain('PAT0401 3 7');
  });

  it('3: lanes of one warp exchange without a warp barrier', () => {
    const W = sharedBuffer('w', 128);
    const kernel = (sync: Stmt[]): SimulationReport =>
      run(
        {
          threads: 32,
          shared: [W],
          buffers: [out],
          body: [
            st.store(2, W, b.mul(t, 4), [b.convert('f32', t)]),
            ...sync,
            st.declare(4, v),
            st.load(4, [b.lvalue(v)], W, b.mul(b.xor(t, 1), 4)),
            st.out(5, out, t, b.varRef(v)),
          ],
        },
        { out: new Float32Array(1024) },
      );
    expect(kernel([st.warpBarrier(3)]).errors).toEqual([]);
    expect(errorsOf(kernel([]))).toEqual(['PAT0401 4 2']);
  });

  it('4: two threads store to one place', () => {
    const report = exchange({ store: [st.store(3, S, b.mul(b.div(t, 2), 8), [b.loadGlobal(x, t)])] });
    expect(errorsOf(report)).toContain('PAT0401 3 3');
  });

  it('5: a value is overwritten before all have read it', () => {
    const again = [st.store(8, S, b.mul(t, 4), [b.varRef(v)])];
    expect(errorsOf(exchange({ out: [...again, st.out(9, out, t, b.varRef(v))] }))).toContain('PAT0401 8 7');
    const safe = [st.barrier(8), ...again, st.out(9, out, t, b.varRef(v))];
    expect(errorsOf(exchange({ out: safe }))).toEqual([]);
  });

  it('6: a read before any write', () => {
    const report = exchange({ store: [st.store(3, S, b.mul(t, 4), [b.loadGlobal(x, t)], b.lt(t, 63))] });
    expect(errorsOf(report)).toEqual(['PAT0404 7']);
    expect(report.errors[0]!.message).toContain('thread 62');
    expect(report.errors[0]!.message).toContain('byte 252 of s, which nothing has written');
  });

  it('7: an index is shifted', () => {
    const report = exchange({
      load: [st.declare(7, v), st.load(7, [b.lvalue(v)], S, b.add(b.mul(t, 4), 4))],
    });
    expect(errorsOf(report)).toEqual(['PAT0405 7']);
    expect(report.errors[0]!.message).toContain('bytes 256 to 259 of s, which has 256 B');
  });

  it('8: an access is misaligned', () => {
    const wide = [st.declare(7, v), st.load(7, [b.lvalue(v), b.lvalue(v)], S, b.mul(b.rem(t, 60), 4))];
    expect(errorsOf(exchange({ load: wide }))).toEqual(['PAT0411 7']);
  });

  it('9: a buffer is read in the place of another', () => {
    const other = sharedBuffer('other', 256, 0, 1);
    const body = [
      st.store(2, S, b.mul(t, 4), [b.constF(1)]),
      st.barrier(3),
      st.declare(4, v),
      st.load(4, [b.lvalue(v)], other, b.mul(t, 4)),
    ];
    const report = run({ threads: 64, shared: [S, other], body });
    expect(errorsOf(report)).toEqual(['PAT0404 4']);
    expect(report.errors[0]!.notes![0]!.text).toContain('data of s');
  });
});

describe('barriers', () => {
  it('10: a barrier under a condition on the thread', () => {
    const part = exchange({ sync: [st.if(4, b.lt(t, 48), [st.barrier(5)])] });
    expect(errorsOf(part)).toContain('PAT0403 5 4');
    const warp = exchange({ sync: [st.if(4, b.lt(t, 32), [st.barrier(5)])] });
    expect(errorsOf(warp)).toContain('PAT0403 5 4');
  });

  it('11: two halves of the block at two barriers', () => {
    const report = exchange({
      sync: [st.if(4, b.lt(t, 32), [st.barrier(5)], [st.barrier(6)])],
    });
    expect(errorsOf(report)).toEqual(['PAT0403 6 5 4']);
  });

  it('12: a loop with a barrier runs different numbers of times', () => {
    const loop = st.loop(4, i, b.constI(0), b.add(b.div(t, 32), 1), [st.barrier(5)]);
    expect(errorsOf(exchange({ sync: [loop] }))).toContain('PAT0403 5 4');
  });

  it('13: a shuffle that some lanes skip', () => {
    const skip = st.if(8, b.lt(lane, 16), [st.shuffle(9, b.lvalue(v), b.varRef(v), 1)]);
    expect(errorsOf(exchange({ out: [skip, st.out(10, out, t, b.varRef(v))] }))).toEqual(['PAT0403 9 8']);
  });

  it('13: a vote that some lanes skip', () => {
    const flag = regs.scalar('flag', 'bool');
    const skip = st.if(8, b.lt(lane, 16), [st.any(9, b.lvalue(flag), b.lt(t, 3))]);
    expect(errorsOf(exchange({ out: [st.declare(2, flag), skip] }))).toContain('PAT0403 9 8');
  });
});

describe('global memory', () => {
  const one = (body: Stmt[], grid: [number, number, number] = [1, 1, 1]): SimulationReport =>
    run({ threads: 64, buffers: [x, out], body }, { x: input(), out: new Float32Array(1024) }, grid);

  it('14: blocks write one element', () => {
    expect(errorsOf(one([st.out(4, out, t, b.constF(1))], [2, 1, 1]))).toEqual(['PAT0402 4 4']);
    const own = b.add(b.mul(b.blockId(0), 64), t);
    expect(errorsOf(one([st.out(4, out, own, b.constF(1))], [2, 1, 1]))).toEqual([]);
  });

  it('15: a block reads what another writes', () => {
    const both = globalBuffer('both', 'f32', 128, 'readwrite');
    const own = b.add(b.mul(b.blockId(0), 64), t);
    const kernel = (index: Expr): SimulationReport =>
      run(
        {
          threads: 64,
          buffers: [both, out],
          body: [
            st.out(4, both, own, b.constF(1)),
            st.barrier(5),
            st.out(6, out, own, b.loadGlobal(both, index)),
          ],
        },
        { both: new Float32Array(128), out: new Float32Array(1024) },
        [2, 1, 1],
      );
    expect(errorsOf(kernel(b.add(b.mul(b.blockId(0), 64), b.rem(b.add(t, 1), 64))))).toEqual([]);
    expect(errorsOf(kernel(t))).toEqual(['PAT0402 6 4']);
  });

  it('16: threads of a block exchange through global memory without a barrier', () => {
    const both = globalBuffer('both', 'f32', 64, 'readwrite');
    const kernel = (sync: Stmt[]): SimulationReport =>
      run(
        {
          threads: 64,
          buffers: [both, out],
          body: [st.out(4, both, t, b.constF(1)), ...sync, st.out(6, out, t, b.loadGlobal(both, next))],
        },
        { both: new Float32Array(64), out: new Float32Array(1024) },
      );
    expect(errorsOf(kernel([st.barrier(5)]))).toEqual([]);
    expect(errorsOf(kernel([]))).toContain('PAT0402 6 4');
  });

  it('17: a mask is missing at the edge', () => {
    const small = globalBuffer('small', 'f32', 50);
    const report = run(
      { threads: 64, buffers: [small, out], body: [st.out(4, out, t, b.loadGlobal(small, t))] },
      { small: new Float32Array(50), out: new Float32Array(1024) },
    );
    expect(errorsOf(report)).toEqual(['PAT0405 4']);
    expect(report.errors[0]!.message).toContain('thread 50 of block (0, 0, 0) accesses element 50 of small');
  });

  it('18: an output is read before it is written', () => {
    expect(errorsOf(one([st.out(4, out, t, b.loadGlobal(out, b.add(t, 64)))]))).toEqual(['PAT0404 4']);
  });

  it('19: a register without a value', () => {
    const body = [
      st.declare(2, v),
      st.if(3, b.lt(t, 40), [st.set(4, v, b.constF(1))]),
      st.out(5, out, t, b.varRef(v)),
    ];
    const report = one(body);
    expect(errorsOf(report)).toEqual(['PAT0404 5']);
    expect(report.errors[0]!.message).toContain('thread 40 of block (0, 0, 0) reads the register v');
  });

  it('20: neighbouring lanes take distant elements', () => {
    const read = (index: Expr): SimulationReport => one([st.out(4, out, t, b.loadGlobal(x, index))]);
    expect(read(t).warnings).toEqual([]);
    const report = read(b.rem(b.mul(t, 33), 1024));
    expect(report.errors).toEqual([]);
    expect(report.warnings.map(show)).toEqual(['PAT0410 4']);
    expect(report.warnings[0]!.message).toContain('8.0 times the sectors');
    const load = report.statistics.accesses.find((a) => a.buffer === 'x')!;
    expect(load).toMatchObject({ requests: 2, spent: 64, ideal: 8, worst: 8 });
  });
});

describe('barriers of some warps', () => {
  // Warps 0 and 1 exchange; warp 2 goes its own way.
  const group = (threads: number, warps = 2): SimulationReport => {
    const inner = [
      st.store(3, S, b.mul(b.rem(t, 64), 4), [b.loadGlobal(x, t)]),
      { ...st.barrier(5), threads } as Stmt,
      st.declare(7, v),
      st.load(7, [b.lvalue(v)], S, b.mul(next, 4)),
      st.out(9, out, t, b.varRef(v)),
    ];
    return run(
      {
        threads: 96,
        shared: [S],
        buffers: [x, out],
        body: [st.if(2, b.lt(t, 32 * warps), inner, [], 'warp')],
      },
      { x: input(), out: new Float32Array(1024) },
    );
  };

  it('order their warps, and let the others go', () => {
    expect(group(64).errors).toEqual([]);
    expect(group(64).statistics.barriers).toBe(1);
  });

  it('33: the barrier is for fewer warps than exchange', () => {
    expect(errorsOf(group(32))).toContain('PAT0401 7 3');
    expect(errorsOf(group(32))).toContain('PAT0403 5 2');
  });

  it('34: the barrier waits for a warp that never comes', () => {
    expect(errorsOf(group(96))).toEqual(['PAT0403 5 2']);
  });
});
