import { kernel } from '../../../dsl/index.ts';

export default kernel('shifted', {}, (k) => {
  const i = k.iota(128);
  const x = k.input('x', 'f32', ['n']);
  const start = k.programId(0);
  // @ts-expect-error tsc underlines it too
  k.output('y', 'f32', [128]).store([i], x.load([i.add(start * 128)]));
});
