import { kernel, type Tile } from '../../../dsl/index.ts';

const next = (i: Tile): number => Number(i) + 1;

export default kernel('next', {}, (k) => {
  next(k.programId(0));
});
