import { kernel, type Tile } from '../../../dsl/index.ts';

const halve = (x: Tile): Tile => x.mul(0.5);

export default kernel('halves', {}, (k) => {
  const row = k.iota(64);
  halve(row);
});
