import { describe, expect, it } from 'vitest';
import { encodeArray, encodeF16 } from '../../../../compiler/ir/numeric.ts';
import * as b from '../../../../compiler/thread/build.ts';
import type { Expr, RegType } from '../../../../compiler/thread/nodes.ts';
import { errorsOf, globalBuffer, run, sharedBuffer, st } from './kit.ts';

const t = b.threadId();
const regs = new b.Registers();

/** One expression per thread, 32 threads. */
function evaluate(e: Expr): number[] {
  const out = globalBuffer('out', e.type as 'f32', 32, 'write');
  const array = { f32: Float32Array, i32: Int32Array, u32: Uint32Array, bool: Int32Array }[e.type];
  const words = new array(32);
  const value = e.type === 'bool' ? b.convert('i32', e) : e;
  const buffer = e.type === 'bool' ? globalBuffer('out', 'i32', 32, 'write') : out;
  const report = run({ threads: 32, buffers: [buffer], body: [st.out(2, buffer, t, value)] }, { out: words });
  expect(errorsOf(report)).toEqual([]);
  return [...words];
}
const f = (type: RegType): Expr => b.convert(type, t);

describe('expressions', () => {
  it('wrap, truncate and round at 32 bits', () => {
    const big = b.add(t, 0x7ffffff0);
    expect(evaluate(b.mul(big, 3))[20]).toBe(Math.imul(0x7ffffff0 + 20, 3));
    expect(evaluate(b.div(b.sub(t, 16), 5)).slice(0, 3)).toEqual([-3, -3, -2]);
    expect(evaluate(b.rem(b.sub(t, 16), 5)).slice(0, 3)).toEqual([-1, -0, -4].map((x) => x + 0));
    expect(evaluate(b.sub(f('u32'), 1))[0]).toBe(0xffffffff);
    expect(evaluate(b.div(b.sub(f('u32'), 1), 2))[0]).toBe(0x7fffffff);
    expect(evaluate(b.shr(b.sub(t, 16), 2))[0]).toBe(-4);
    expect(evaluate(b.div(b.constF(1), f('f32')))[3]).toBe(Math.fround(1 / 3));
    expect(evaluate(b.convert('i32', b.mul(b.sub(f('f32'), 0.5), 1e10))).slice(0, 2)).toEqual([
      -(2 ** 31),
      2 ** 31 - 1,
    ]);
    expect(evaluate(b.fma(f('f32'), b.constF(0.1), b.constF(1)))[7]).toBe(
      Math.fround(7 * Math.fround(0.1) + 1),
    );
  });

  it('pack, unpack, round and copy bits', () => {
    const third = b.mul(f('f32'), 1 / 3);
    const half = b.unary('sqrt', third);
    const packed = b.pack('f16', half, b.neg(half));
    const x = Math.fround(Math.sqrt(Math.fround(5 * Math.fround(1 / 3))));
    expect(evaluate(packed)[5]).toBe((encodeF16(x) | (encodeF16(-x) << 16)) >>> 0);
    expect(evaluate(b.bitcast('u32', half))[1]).toBe(
      new Uint32Array(Float32Array.of(Math.sqrt(Math.fround(1 / 3))).buffer)[0],
    );
    expect(evaluate(b.bitcast('f32', b.add(f('u32'), 0x3f800000)))[0]).toBe(1);
    expect(evaluate(b.round('bf16', third))[3]).toBe(1);
  });

  it('guard their loads and choose', () => {
    const x = globalBuffer('x', 'f16', 4);
    const out = globalBuffer('out', 'f32', 32, 'write');
    const body = [st.out(2, out, t, b.guard(b.lt(t, 4), b.loadGlobal(x, t), -1))];
    const got = new Float32Array(32);
    const report = run(
      { threads: 32, buffers: [x, out], body },
      { x: encodeArray('f16', [1, 2, 3, 4]), out: got },
    );
    expect(errorsOf(report)).toEqual([]);
    expect([...got.slice(0, 6)]).toEqual([1, 2, 3, 4, -1, -1]);
    expect(evaluate(b.select(b.lt(t, 2), f('f32'), b.constF(9))).slice(0, 3)).toEqual([0, 1, 9]);
    expect(evaluate(b.and(b.lt(t, 2), b.gt(t, 0))).slice(0, 3)).toEqual([0, 1, 0]);
  });
});

describe('statements', () => {
  it('keep the lanes apart in divergent flow', () => {
    const out = globalBuffer('out', 'i32', 64, 'write');
    const n = regs.scalar('n', 'i32');
    const i = regs.scalar('i', 'i32');
    const body = [
      st.declare(2, n, b.constI(0)),
      st.loop(3, i, b.constI(0), t, [
        st.if(
          4,
          b.eq(b.rem(b.varRef(i), 2), 0),
          [st.set(5, n, b.add(b.varRef(n), b.varRef(i)))],
          [st.set(6, n, b.sub(b.varRef(n), 1))],
        ),
      ]),
      st.while(7, b.lt(b.varRef(n), 20), [st.set(8, n, b.add(b.varRef(n), 7))]),
      st.out(9, out, t, b.varRef(n)),
    ];
    const got = new Int32Array(64);
    expect(errorsOf(run({ threads: 64, buffers: [out], body }, { out: got }))).toEqual([]);
    for (let thread = 0; thread < 64; thread++) {
      let want = 0;
      for (let k = 0; k < thread; k++) want += k % 2 === 0 ? k : -1;
      while (want < 20) want += 7;
      expect(got[thread]).toBe(want);
    }
  });

  it('shuffle, load and store words, and keep bits of NaNs', () => {
    const x = globalBuffer('x', 'u32', 128);
    const out = globalBuffer('out', 'u32', 128, 'write');
    const v = regs.array('v', 'f32', 4);
    const w = regs.scalar('w', 'f32');
    const S = sharedBuffer('s', 512);
    const at = (i: number) => b.lvalue(v, i);
    const body = [
      st.declare(2, v),
      st.declare(2, w),
      st.inWords(3, [at(0), at(1), at(2), at(3)], x, b.mul(t, 4)),
      st.store(
        4,
        S,
        b.mul(t, 16),
        [0, 1, 2, 3].map((i) => b.element(v, i)),
      ),
      st.load(5, [at(3), at(2)], S, b.mul(t, 16)),
      st.shuffle(6, b.lvalue(w), b.element(v, 3), 5),
      st.outWords(
        7,
        out,
        b.mul(t, 4),
        [w, v, v, v].map((r, i) => b.bitcast('u32', i === 0 ? b.varRef(w) : b.element(r, i - 1))),
      ),
    ];
    const words = Uint32Array.from({ length: 128 }, (_, i) => 0x7f800001 + i * 7);
    const got = new Uint32Array(128);
    const report = run({ threads: 32, shared: [S], buffers: [x, out], body }, { x: words, out: got });
    expect(errorsOf(report)).toEqual([]);
    for (let l = 0; l < 32; l++)
      expect([...got.slice(4 * l, 4 * l + 4)]).toEqual([
        words[4 * (l ^ 5)],
        words[4 * l],
        words[4 * l + 1],
        words[4 * l + 1],
      ]);
  });

  it('votes over a warp', () => {
    const out = globalBuffer('out', 'u32', 64, 'write');
    const v = regs.scalar('v', 'bool');
    const body = [
      st.declare(2, v),
      st.any(3, b.lvalue(v), b.eq(t, 37)),
      st.outWords(4, out, t, [b.select(b.varRef(v), b.constU(1), b.constU(2))]),
    ];
    const got = new Uint32Array(64);
    expect(errorsOf(run({ threads: 64, buffers: [out], body }, { out: got }))).toEqual([]);
    expect([...got]).toEqual(Array.from({ length: 64 }, (_, i) => (i < 32 ? 2 : 1)));
  });

  it('stores halves into shared memory', () => {
    const S = sharedBuffer('s', 128);
    const out = globalBuffer('out', 'u32', 16, 'write');
    const v = regs.scalar('v', 'u32');
    const body = [
      st.storeHalf(2, S, b.mul(t, 2), 'bf16', b.convert('f32', t)),
      st.barrier(3),
      st.declare(4, v),
      st.if(4, b.lt(t, 16), [st.load(4, [b.lvalue(v)], S, b.mul(t, 4)), st.out(5, out, t, b.varRef(v))]),
    ];
    const got = new Uint32Array(16);
    expect(errorsOf(run({ threads: 32, shared: [S], buffers: [out], body }, { out: got }))).toEqual([]);
    expect(got[3]).toBe(0x40e040c0);
  });

  it('adds atomically across blocks', () => {
    const sum = globalBuffer('sum', 'i32', 2, 'readwrite');
    const body = [
      st.atomic(2, 'add', sum, b.constI(0), b.add(t, b.blockId(0))),
      st.atomic(3, 'max', sum, b.constI(1), b.mul(b.blockId(1), 5)),
    ];
    const got = new Int32Array(2);
    expect(errorsOf(run({ threads: 64, buffers: [sum], body }, { sum: got }, [3, 2, 1]))).toEqual([]);
    expect([...got]).toEqual([6 * 2016 + 2 * 64 * 3, 5]);
  });

  it('copies asynchronously, zero-filling where the predicate is false', () => {
    const x = globalBuffer('x', 'f32', 64);
    const out = globalBuffer('out', 'f32', 128, 'write');
    const S = sharedBuffer('s', 512);
    const v = regs.scalar('v', 'f32');
    const body = [
      st.copy(2, S, b.mul(t, 16), x, b.mul(t, 4), 16, b.lt(t, 16)),
      st.commit(2),
      st.wait(3, 0),
      st.barrier(3),
      st.declare(4, v),
      ...[0, 1, 2, 3].flatMap((i) => [
        st.load(4, [b.lvalue(v)], S, b.add(b.mul(t, 4), 128 * i)),
        st.out(5, out, b.add(t, 32 * i), b.varRef(v)),
      ]),
    ];
    const got = new Float32Array(128).fill(-1);
    const from = Float32Array.from({ length: 64 }, (_, i) => i + 1);
    const report = run({ threads: 32, shared: [S], buffers: [x, out], body }, { x: from, out: got });
    expect(errorsOf(report)).toEqual([]);
    expect([...got]).toEqual([...from, ...new Array<number>(64).fill(0)]);
  });
});
