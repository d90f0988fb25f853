import { kernel, program, tune } from '../../../dsl/index.ts';

const double = kernel('double', { tile: { block: tune(128) } }, (k, { block }) => {
  const x = k.input('x', 'f32', ['n']);
  const y = k.output('y', 'f32', ['n']);
  const i = k.programId(0).mul(block).add(k.iota(block));
  y.store([i], x.load([i]).mul(2), { mask: i.lt(k.dim('n')) });
});

export default program('double', { kernels: [double] }, (run) => {
  const { block } = run.use(double);
  const n = 1000;
  const x = run.input('x', 'f32', n);
  const y = run.output('y', 'f32', n);
  run.launch(double, { grid: [Math.ceil(n / block)], buffers: { x, y }, scalars: { n } });
  run.expect(y, () => x.values.map((v) => 2 * v));
});
