import { kernel } from '../../../dsl/index.ts';

export default kernel('accumulate', {}, (k) => {
  const y = k.output('y', 'f32', ['n']);
  const i = k.programId(0);
  y.store([i], y.at(i).add(1));
});
