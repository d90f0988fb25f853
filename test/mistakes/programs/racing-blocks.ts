import { kernel, program } from '../../../dsl/index.ts';

const total = kernel('total', {}, (k) => {
  const x = k.input('x', 'f32', ['n']);
  const sum = k.inout('sum', 'f32', [1]);
  const i = k.programId(0).mul(128).add(k.iota(128));
  const part = x.load([i], { mask: i.lt(k.dim('n')) }).reduceSum(0);
  sum.store([0], sum.at(0).add(part));
});

export default program('total', { kernels: [total] }, (run) => {
  const x = run.input('x', 'f32', new Float64Array(512).fill(1));
  const sum = run.input('sum', 'f32', [0]);
  run.launch(total, { grid: [4], buffers: { x, sum }, scalars: { n: 512 } });
});
