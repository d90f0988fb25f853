import { expect, it } from 'vitest';
import { loadWorkload } from '../../../examples/pat/index.ts';
import { streamsKv } from '../../../examples/pat/launches.ts';
import { makePlan, packings } from '../../../examples/pat/plan.ts';
import { costsFor } from './helpers.ts';

it('KV streams where the tokens that are read, each once, are more than L2 holds', () => {
  // 64 sequences that share 4,096 tokens: of one KV head 4,096 + 64 * own tokens, of 512 bytes each.
  const plan = (own: number, packing: (typeof packings)[number]) => {
    const batch = loadWorkload(`1,64_4096,${own}`, { heads: '32/8', page: 16 });
    return makePlan(batch, costsFor(batch), { packing });
  };
  for (const packing of packings) {
    expect(streamsKv(plan(64, packing))).toBe(false);
    expect(streamsKv(plan(160, packing))).toBe(true);
  }
});
