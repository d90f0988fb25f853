import { kernel } from '../../../dsl/index.ts';

export default kernel('histogram', {}, (k) => {
  const bins = k.input('bins', 'i32', ['n']);
  const counts = k.inout('counts', 'i32', [16]);
  const bin = bins.load([k.programId(0).mul(64).add(k.iota(64))]);
  counts.store([bin], counts.load([bin]).add(1));
});
