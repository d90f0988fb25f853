import { kernel } from '../../../dsl/index.ts';

export default kernel('residual', {}, (k) => {
  const i = k.iota(128);
  const x = k.input('x', 'f16', [128]).load([i]);
  const bias = k.input('bias', 'f32', [128]).load([i]);
  // @ts-expect-error tsc underlines it too
  k.output('y', 'f32', [128]).store([i], x.add(bias));
});
