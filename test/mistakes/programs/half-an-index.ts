import { kernel } from '../../../dsl/index.ts';

export default kernel('upsample', {}, (k) => {
  const i = k.iota(128);
  const x = k.input('x', 'f32', [64]);
  k.output('y', 'f32', [128]).store([i], x.load([i.mul(0.5)]));
});
