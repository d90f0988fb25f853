import { kernel, tune } from '../../../dsl/index.ts';

export default kernel('double', { tile: { block: tune(128) } }, (k, { block }) => {
  const x = k.inout('x', 'f32', ['n']);
  const i = k.programId(0).mul(block).add(k.iota(block));
  x.store([i], x.load([i]).mul(2));
});
