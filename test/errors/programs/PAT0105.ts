import { kernel } from '../../../dsl/index.ts';

export default kernel('copy', { spec: { columns: 64 } }, (k, { columns }) => {
  k.input('x', 'f32', ['n', columns]);
});
