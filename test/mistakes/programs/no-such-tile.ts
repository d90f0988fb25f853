import { kernel, tune } from '../../../dsl/index.ts';

export default kernel('copy', { tile: { rows: tune(16, 32, 64) } }, (k, { rows }) => {
  const i = k.iota(rows);
  k.output('y', 'f32', [rows]).store([i], k.input('x', 'f32', [rows]).load([i]));
});
