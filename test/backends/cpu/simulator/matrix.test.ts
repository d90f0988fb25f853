import { describe, expect, it } from 'vitest';
import { decodeArray, encodeArray, Random, type HostArray } from '../../../../compiler/ir/numeric.ts';
import * as b from '../../../../compiler/thread/build.ts';
import type { Expr, HalfType, LValue } from '../../../../compiler/thread/nodes.ts';
import { errorsOf, globalBuffer, run, sharedBuffer, st } from './kit.ts';

const t = b.threadId();
const regs = new b.Registers();
const each = <T>(n: number, f: (i: number) => T): T[] => Array.from({ length: n }, (_, i) => f(i));

/** Lane l's pair of elements of a row-major matrix of halves in global memory. */
const pairOf = (
  buffer: ReturnType<typeof globalBuffer>,
  to: LValue,
  row: Expr,
  column: Expr,
  pitch: number,
) => st.inWords(2, [to], buffer, b.add(b.mul(row, pitch), column));

describe('mma.sync.m16n8k16', () => {
  for (const element of ['f16', 'bf16'] as const satisfies HalfType[])
    it(`multiplies ${element} in the PTX ISA's layouts`, () => {
      const random = new Random(5);
      const values = (n: number): HostArray =>
        encodeArray(
          element,
          each(n, () => random.normal()),
        );
      const [av, bv] = [values(16 * 16), values(16 * 8)];
      const cv = Float32Array.from(each(16 * 8, () => random.normal()));
      const A = globalBuffer('a', element, 256);
      // B by columns, so that a lane's pair of consecutive k is one word.
      const B = globalBuffer('b', element, 128);
      const C = globalBuffer('c', 'f32', 128, 'readwrite');
      const a = regs.array('a', 'u32', 4);
      const bb = regs.array('b', 'u32', 2);
      const acc = regs.array('acc', 'f32', 4);
      const group = b.div(t, 4);
      const pair = b.mul(b.rem(t, 4), 2);
      const place = (i: number): Expr => b.add(b.mul(b.add(group, 8 * (i >> 1)), 8), b.add(pair, i & 1));
      const columns = each(128, (i) => bv[(i % 16) * 8 + (i >> 4)]!);
      const body = [
        st.declare(1, a),
        st.declare(1, bb),
        st.declare(1, acc),
        ...each(4, (i) =>
          pairOf(A, b.lvalue(a, i), b.add(group, 8 * (i & 1)), b.add(pair, 8 * (i >> 1)), 16),
        ),
        ...each(2, (i) => pairOf(B, b.lvalue(bb, i), group, b.add(pair, 8 * i), 16)),
        ...each(4, (i) => st.set(3, b.lvalue(acc, i), b.loadGlobal(C, place(i)))),
        st.mma(
          4,
          element,
          each(4, (i) => b.lvalue(acc, i)),
          each(4, (i) => b.element(a, i)),
          each(2, (i) => b.element(bb, i)),
        ),
        ...each(4, (i) => st.out(5, C, place(i), b.element(acc, i))),
      ];
      const c = cv.slice();
      const report = run(
        { threads: 32, buffers: [A, B, C], body },
        { a: av, b: Uint16Array.from(columns), c },
      );
      expect(errorsOf(report)).toEqual([]);
      const [x, y] = [decodeArray(element, av), decodeArray(element, bv)];
      for (let i = 0; i < 16; i++)
        for (let j = 0; j < 8; j++) {
          let sum = cv[i * 8 + j]!;
          for (let k = 0; k < 16; k++) sum += x[i * 16 + k]! * y[k * 8 + j]!;
          expect(c[i * 8 + j]).toBe(Math.fround(sum));
        }
    });

  it('reports lanes that do not take part', () => {
    const a = regs.scalar('a', 'u32');
    const acc = regs.array('acc', 'f32', 4);
    const u = b.varRef(a);
    const body = [
      st.declare(2, a, b.constU(0)),
      st.declare(2, acc),
      ...each(4, (i) => st.set(2, b.lvalue(acc, i), b.constF(0))),
      st.if(3, b.lt(t, 16), [
        st.mma(
          4,
          'f16',
          each(4, (i) => b.lvalue(acc, i)),
          [u, u, u, u],
          [u, u],
        ),
      ]),
    ];
    expect(errorsOf(run({ threads: 32, body }))).toEqual(['PAT0403 4 3']);
  });
});

describe('ldmatrix', () => {
  // Element (r, c) of matrix i holds 64 i + 8 r + c.
  const S = sharedBuffer('tile', 512);
  const out = globalBuffer('out', 'u32', 128, 'write');
  for (const n of [1, 2, 4] as const)
    for (const trans of [false, true])
      it(`x${n}${trans ? '.trans' : ''} gives each lane its pair`, () => {
        const d = regs.array('d', 'u32', 4);
        const word = b.or(b.convert('u32', b.mul(t, 2)), b.shl(b.convert('u32', b.add(b.mul(t, 2), 1)), 16));
        const body = [
          ...each(4, (i) =>
            st.store(2, S, b.add(b.mul(t, 4), 128 * i), [b.add(word, (64 * i * 65537) >>> 0)]),
          ),
          st.barrier(3),
          st.declare(3, d),
          st.ldmatrix(
            4,
            each(n, (i) => b.lvalue(d, i)),
            S,
            b.mul(t, 16),
            trans,
          ),
          ...each(n, (i) => st.out(5, out, b.add(t, 32 * i), b.element(d, i))),
        ];
        const words = new Uint32Array(128);
        const report = run({ threads: 32, shared: [S], buffers: [out], body }, { out: words });
        expect(errorsOf(report)).toEqual([]);
        for (let i = 0; i < n; i++)
          for (let l = 0; l < 32; l++) {
            const [g, p] = [l >> 2, (l & 3) * 2];
            const [lo, hi] = trans ? [p * 8 + g, (p + 1) * 8 + g] : [g * 8 + p, g * 8 + p + 1];
            expect(words[32 * i + l]).toBe((64 * i + lo) | ((64 * i + hi) << 16));
          }
      });

  it('puts the author on the line that reads past the buffer', () => {
    const d = regs.array('d', 'u32', 4);
    const body = [
      st.declare(3, d),
      st.ldmatrix(
        4,
        each(4, (i) => b.lvalue(d, i)),
        S,
        b.add(b.mul(t, 16), 16),
      ),
    ];
    const report = run({ threads: 32, shared: [S], body });
    expect(errorsOf(report)).toContain('PAT0405 4');
    expect(report.errors.find((e) => e.code === 'PAT0405')!.message).toContain('bytes 512 to 527 of tile');
  });
});
