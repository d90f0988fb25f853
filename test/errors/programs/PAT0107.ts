import { kernel, tune } from '../../../dsl/index.ts';

export default kernel('copy', { tile: { rows: tune(16, 32) } }, (k, { rows }) => {
  k.iota(rows);
});
