import { kernel, type Tile } from '../../../dsl/index.ts';

const step = (sum: Tile): Tile => sum.mul(2).cast('f16');

export default kernel('growing', {}, (k) => {
  const sum = k.full([16], 1);
  k.loop({ to: 8 }, { sum }, (_, carried) => ({ sum: step(carried.sum) }));
});
