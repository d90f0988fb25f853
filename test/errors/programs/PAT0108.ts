import { kernel, type Tile } from '../../../dsl/index.ts';

export default kernel('last', {}, (k) => {
  const x = k.input('x', 'f32', ['n']);
  const y = k.output('y', 'f32', [1]);
  let last: Tile = k.const(0);
  k.loop({ to: k.dim('n') }, {}, (i) => {
    last = x.at(i);
  });
  y.store([0], last);
});
