import { kernel } from '../../../dsl/index.ts';

export default kernel('weighted', { spec: { tokens: 64, headDim: 128 } }, (k, { tokens, headDim }) => {
  const at = [k.iota(tokens).expand(1), k.iota(headDim).expand(0)];
  const q = k.input('q', 'f16', [tokens, headDim]).load(at);
  const keys = k.input('keys', 'f16', [tokens, headDim]).load(at);
  const scores = k.dot(q, keys);
  k.output('scores', 'f32', [tokens, tokens]).store(at, scores);
});
