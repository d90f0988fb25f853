import { kernel } from '../../../dsl/index.ts';

export default kernel('partial', {}, (k) => {
  const y = k.output('y', 'f32', [16]);
  const x = k.full([16], 1);
  k.rows({ from: 4, to: 8 }, { x }, ({ x }) => {
    y.store([k.iota(16)], x);
    return { x };
  });
});
