import { kernel } from '../../../dsl/index.ts';

export default kernel('relu', {}, (k) => {
  const i = k.iota(128);
  const x = k.input('x', 'f32', [128]).load([i]);
  const positive = x.gt(0);
  k.output('y', 'f32', [128]).store([i], positive ? x : k.zeros([128], 'f32'));
});
