import { kernel } from '../../../dsl/index.ts';

export default kernel('scores', { spec: { headDim: 64 } }, (k, { headDim }) => {
  const queries = k.zeros([16, headDim], 'f16');
  const keys = k.zeros([32, 64], 'f16');
  k.dot(queries, keys);
});
