import { kernel, tune } from '../../../dsl/index.ts';

export default kernel(
  'scores',
  { spec: { headDim: 128 }, tile: { m: tune(64, 32, 16), n: tune(64, 32, 16), stages: tune(3, 2) } },
  (k, { headDim, m, n }) => {
    const q = k.input('q', 'f16', [m, headDim]);
    const keys = k.input('keys', 'f16', ['tokens', headDim]);
    const best = k.output('best', 'f32', [m]);
    const feature = k.iota(headDim).expand(0);
    const qs = q.load([k.iota(m).expand(1), feature]);
    const start = { top: k.full([m], -Infinity, 'f32') };
    const { top } = k.loop({ to: k.dim('tokens'), step: n }, start, (from, { top }) => {
      const token = from.add(k.iota(n));
      const mask = token.lt(k.dim('tokens')).expand(1);
      const ks = keys.load([token.expand(1), feature], { mask });
      return { top: top.max(k.dot(qs, ks.T).reduceMax(1)) };
    });
    best.store([k.iota(m)], top);
  },
);
