import { describe, expect, test } from 'vitest';
import { kernel, program, tune, type RunBuffer } from '../../dsl/index.ts';
import { PatcError } from '../../compiler/diagnostics/error.ts';
import { encodeArray } from '../../compiler/ir/numeric.ts';
import type { RunOptions } from '../../compiler/program.ts';

const twice = kernel(
  'twice',
  { spec: { columns: 4, dtype: 'f16' }, tile: { rows: tune(2, 1) } },
  (k, { columns, dtype, rows }) => {
    const x = k.input('x', dtype, ['n', columns]);
    const y = k.output('y', dtype, ['n', columns]);
    const row = k.programId(0).mul(rows).add(k.iota(rows)).expand(1);
    const at = [row, k.iota(columns).expand(0)];
    const mask = row.lt(k.dim('n')).broadcast([rows, columns]);
    y.store(at, x.load(at, { mask }).mul(2), { mask });
  },
);

const device: RunOptions['device'] = { family: 'cpu', units: 1, feasible: () => [{ rows: 1 }, { rows: 2 }] };
const options = (more: Partial<RunOptions> = {}): RunOptions => ({
  seed: 3,
  spec: {},
  flags: {},
  verify: true,
  device,
  ...more,
});

const caught = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    if (error instanceof PatcError) return error.code;
    throw error;
  }
  return 'nothing';
};

const doubling = (expectation: (x: RunBuffer) => () => ArrayLike<number>) =>
  program('doubling', { kernels: [twice], flags: { rows: 'rows' } }, (run) => {
    const { columns, dtype, rows } = run.use(twice);
    const n = run.flag('rows', 3);
    const x = run.input('x', dtype, n * columns);
    const y = run.output('y', dtype, n * columns);
    run.launch(twice, { grid: [Math.ceil(n / rows)], buffers: { x, y }, scalars: { n } });
    run.expect(y, expectation(x));
  });

const right = doubling((x) => () => x.values.map((v) => 2 * v));

describe('program()', () => {
  test('takes the first tile that the device can hold, the spec and the flags of the command line', () => {
    const instance = right.instantiate(options({ spec: { columns: 8, other: 1 }, flags: { rows: '5' } }));
    expect(instance.spec).toEqual({ columns: 8, dtype: 'f16' });
    expect(instance.launches[0]).toMatchObject({
      tile: { rows: 1 },
      grid: [5, 1, 1],
      scalars: { n: 5 },
      buffers: { x: 'x', y: 'y' },
    });
    expect(instance.buffers.map((b) => [b.name, b.data.length, b.output])).toEqual([
      ['x', 40, false],
      ['y', 40, true],
    ]);
  });

  test('takes a shape that it would rather have where one fits, else the first', () => {
    const chosen = (prefer: Record<string, number>): unknown =>
      program('choosy', { kernels: [twice] }, (run) => {
        const { columns, dtype } = run.use(twice, prefer);
        const [x, y] = [run.input('x', dtype, columns), run.output('y', dtype, columns)];
        run.launch(twice, { grid: [1], buffers: { x, y }, scalars: { n: 1 } });
        run.expect(y, () => x.values);
      }).instantiate(options()).launches[0]!.tile['rows'];
    expect([chosen({}), chosen({ rows: 2 }), chosen({ rows: 3 })]).toEqual([1, 2, 1]);
  });

  test('takes inputs from whoever runs it, as far as they have them', () => {
    const own = new Uint16Array(12).fill(7);
    const given = (name: string) =>
      right.instantiate(options({ inputs: { take: (n) => (n === name ? own : undefined) } }));
    expect(given('x').buffers[0]!.data).toBe(own);
    expect(given('z').buffers[0]!.data).not.toEqual(own);
  });

  test('the same seed gives the same inputs, another seed others', () => {
    const data = (seed: number) => right.instantiate(options({ seed })).buffers[0]!.data;
    expect(data(1)).toEqual(data(1));
    expect(data(1)).not.toEqual(data(2));
  });

  test('verification passes what is right, and fails what is off, unwritten or of the wrong length', () => {
    const instance = right.instantiate(options());
    const seen: number[] = [];
    doubling((x) => () => (seen.push(...x.values), x.values))
      .instantiate(options())
      .verify(new Map([['y', instance.buffers[1]!.data]]));
    const good = encodeArray(
      'f16',
      seen.map((v) => 2 * v),
    );
    expect(instance.verify(new Map([['y', good]]))).toMatchObject({ ok: true, relError: 0, unwritten: 0 });
    const bad = encodeArray(
      'f16',
      seen.map((v, i) => 2 * v + (i === 5 ? 0.5 : 0)),
    );
    expect(instance.verify(new Map([['y', bad]]))).toMatchObject({ ok: false, unwritten: 0 });
    const partial = instance.buffers[1]!.data.slice();
    expect(instance.verify(new Map([['y', partial]]))).toMatchObject({ ok: false, unwritten: 12 });
    const short = doubling(() => () => [1, 2]).instantiate(options());
    expect(caught(() => short.verify(new Map([['y', good]])))).toBe('PAT0101');
  });

  test('mistakes are diagnostics', () => {
    expect(caught(() => right.instantiate(options({ flags: { rows: 'x' } })))).toBe('PAT0601');
    expect(caught(() => right.instantiate(options({ device: { ...device, feasible: () => [] } })))).toBe(
      'PAT0306',
    );
    const idle = program('idle', { kernels: [twice] }, () => {});
    expect(caught(() => idle.instantiate(options()))).toBe('PAT0110');
    const double = program(
      'double',
      { kernels: [twice] },
      (run) => void [run.input('x', 'f32', 1), run.input('x', 'f32', 1)],
    );
    expect(caught(() => double.instantiate(options()))).toBe('PAT0110');
  });
});
