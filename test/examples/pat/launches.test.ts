import { expect, it } from 'vitest';
import { loadWorkload, pat } from '../../../examples/pat/index.ts';
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

it('--streams says so in its stead', () => {
  const streams = (text?: string) => {
    const { launches } = pat.instantiate({
      workload: '1,2_16,20',
      seed: 1,
      spec: {},
      flags: { heads: '4/2', headDim: '64', ...(text === undefined ? {} : { streams: text }) },
      verify: false,
      device: {
        family: 'cuda',
        units: 4,
        feasible: ({ tile }) => [
          Object.fromEntries(Object.entries(tile).map(([name, of]) => [name, of[0]!])),
        ],
      },
    });
    return launches[0]!.scalars['streams'];
  };
  expect([undefined, 'auto', 'yes', 'no'].map(streams)).toEqual([0, 0, 1, 0]);
  expect(() => streams('1')).toThrow(/--streams 1: expected yes, no or auto/);
});
