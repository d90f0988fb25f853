import { kernel, tune } from '../../../dsl/index.ts';

export default kernel(
  'product',
  { spec: { depth: 1024 }, tile: { m: tune(64, 16), n: tune(64, 16), stages: tune(3) } },
  (k, { depth, m, n }) => {
    const a = k.input('a', 'f16', ['rows', depth]);
    const b = k.input('b', 'f16', [depth, n]);
    const c = k.output('c', 'f32', ['rows', n]);
    const row = k.programId(0).mul(m).add(k.iota(m)).expand(1);
    const mask = row.lt(k.dim('rows'));
    const column = k.iota(n).expand(0);
    const { sum } = k.loop({ to: depth, step: 128 }, { sum: k.zeros([m, n]) }, (at, { sum }) => {
      const step = at.add(k.iota(128));
      const left = a.load([row, step.expand(0)], { mask });
      const right = b.load([step.expand(1), column]);
      return { sum: k.dot(left, right, sum) };
    });
    c.store([row, column], sum, { mask });
  },
);
