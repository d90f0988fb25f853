/** Bank conflicts and coalescing as the hardware counts them; a broken swizzle is a planted bug too. */
import { describe, expect, it } from 'vitest';
import type { AccessStatistics, SimulationReport } from '../../../../backends/cpu/simulator/index.ts';
import * as b from '../../../../compiler/thread/build.ts';
import type { Expr } from '../../../../compiler/thread/nodes.ts';
import { errorsOf, globalBuffer, run, sharedBuffer, show, st } from './kit.ts';

const t = b.threadId();
const regs = new b.Registers();
const v = regs.scalar('v', 'u32');

/** Loads one word per lane at an offset, from a tile that is written without conflicts. */
function loadAt(offset: Expr, words: 1 | 2 | 4 = 1): { report: SimulationReport; load: AccessStatistics } {
  const S = sharedBuffer('s', 4096);
  const dst = regs.array('dst', 'u32', 4);
  const body = [
    ...Array.from({ length: 32 }, (_, i) => st.store(2, S, b.add(b.mul(t, 4), 128 * i), [b.constU(0)])),
    st.barrier(3),
    st.declare(4, dst),
    ...Array.from({ length: 20 }, () =>
      st.load(
        5,
        Array.from({ length: words }, (_, i) => b.lvalue(dst, i)),
        S,
        offset,
      ),
    ),
  ];
  const report = run({ threads: 32, shared: [S], body });
  expect(report.errors).toEqual([]);
  return { report, load: report.statistics.accesses.find((a) => a.kind === 'load')! };
}

describe('bank conflicts', () => {
  it('counts the words of one bank in one wavefront', () => {
    expect(loadAt(b.mul(t, 4)).load).toMatchObject({ requests: 20, spent: 20, ideal: 20, worst: 1 });
    expect(loadAt(b.mul(t, 8)).load.worst).toBe(2);
    expect(loadAt(b.mul(t, 128)).load.worst).toBe(32);
    // Lanes that read one word share it.
    expect(loadAt(b.mul(b.div(t, 8), 128)).load.worst).toBe(4);
    expect(loadAt(b.constI(64)).load.worst).toBe(1);
  });

  it('serves wide accesses in groups of 16 and 8 lanes', () => {
    expect(loadAt(b.mul(t, 8), 2).load).toMatchObject({ spent: 40, ideal: 40, worst: 1 });
    expect(loadAt(b.mul(t, 16), 4).load).toMatchObject({ spent: 80, ideal: 80, worst: 1 });
    expect(loadAt(b.mul(t, 128), 4).load).toMatchObject({ spent: 640, ideal: 80, worst: 8 });
  });

  it('warns where it matters, at the line', () => {
    expect(loadAt(b.mul(t, 4)).report.warnings).toEqual([]);
    const { warnings } = loadAt(b.mul(t, 128)).report;
    expect(warnings.map(show)).toEqual(['PAT0409 5']);
    expect(warnings[0]!.message).toContain('32 ways at worst, 32.0 on average');
  });

  it('32: a swizzle is broken', () => {
    // Rows of 64 halves; ldmatrix reads 8 rows at one column of 8 halves.
    const tile = (swizzle: (row: Expr, chunk: Expr) => Expr): SimulationReport => {
      const S = sharedBuffer('tile', 2048);
      const x = globalBuffer('x', 'f16', 1024);
      const d = regs.array('d', 'u32', 4);
      const place = (row: Expr, chunk: Expr): Expr => b.add(b.mul(row, 128), b.mul(swizzle(row, chunk), 16));
      const fill = [0, 1, 2, 3].map((i) =>
        st.copy(4, S, place(b.add(b.div(t, 8), 4 * i), b.rem(t, 8)), x, b.add(b.mul(t, 8), 256 * i), 16),
      );
      const body = [
        ...fill,
        st.commit(4),
        st.wait(5, 0),
        st.barrier(6),
        ...[0, 2, 4, 6].flatMap((k) => [
          st.declare(7, d),
          st.ldmatrix(
            8,
            [0, 1, 2, 3].map((i) => b.lvalue(d, i)),
            S,
            place(b.rem(t, 16), b.add(b.div(t, 16), k)),
          ),
        ]),
      ];
      return run({ threads: 32, shared: [S], buffers: [x], body }, { x: new Uint16Array(1024) });
    };
    const good = tile((row, chunk) => b.xor(chunk, b.rem(row, 8)));
    expect([errorsOf(good), good.warnings]).toEqual([[], []]);
    const bad = tile((_, chunk) => chunk);
    expect([errorsOf(bad), bad.warnings.map(show)]).toEqual([[], ['PAT0409 8']]);
    expect(bad.warnings[0]!.message).toContain('ldmatrix of tile has bank conflicts: 8 ways at worst');
    // Half a swizzle leaves half the conflicts.
    const half = tile((row, chunk) => b.xor(chunk, b.rem(row, 4)));
    expect(half.warnings[0]!.message).toContain('2 ways at worst');
  });
});

describe('coalescing', () => {
  const x = globalBuffer('x', 'f32', 4096);
  const loads = (index: Expr): AccessStatistics => {
    const body = [st.declare(2, v), st.set(3, v, b.bitcast('u32', b.loadGlobal(x, index)))];
    const report = run({ threads: 32, buffers: [x], body }, { x: new Float32Array(4096) });
    expect(report.errors).toEqual([]);
    return report.statistics.accesses[0]!;
  };

  it('counts sectors of 32 bytes against the fewest that could hold the data', () => {
    expect(loads(t)).toMatchObject({ spent: 4, ideal: 4, worst: 1 });
    expect(loads(b.add(t, 1))).toMatchObject({ spent: 5, ideal: 4 });
    expect(loads(b.mul(t, 2))).toMatchObject({ spent: 8, ideal: 4, worst: 2 });
    expect(loads(b.mul(t, 100))).toMatchObject({ spent: 32, ideal: 4, worst: 8 });
    expect(loads(b.constI(7))).toMatchObject({ spent: 1, ideal: 1 });
  });
});
