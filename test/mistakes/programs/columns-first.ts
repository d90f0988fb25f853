import { kernel, program } from '../../../dsl/index.ts';

const sums = kernel('sums', { spec: { rows: 256, columns: 128 } }, (k, { rows, columns }) => {
  const x = k.input('x', 'f32', [rows, columns]);
  const row = k.iota(rows);
  const column = k.programId(0);
  const y = k.output('y', 'f32', [columns]);
  y.store([column], x.load([row, column]).reduceSum(0));
});

export default program('sums', { kernels: [sums] }, (run) => {
  const { rows, columns } = run.use(sums);
  const x = run.input('x', 'f32', rows * columns);
  const y = run.output('y', 'f32', columns);
  run.launch(sums, { grid: [columns], buffers: { x, y } });
  run.expect(y, () =>
    Float64Array.from({ length: columns }, (_, c) => {
      let sum = 0;
      for (let r = 0; r < rows; r++) sum += x.values[r * columns + c]!;
      return sum;
    }),
  );
});
