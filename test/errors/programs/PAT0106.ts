import { kernel } from '../../../dsl/index.ts';

export default kernel('copy', { spec: { dtype: 'f16' } }, (k, { dtype }) => {
  k.input('x', dtype, ['n']);
});
