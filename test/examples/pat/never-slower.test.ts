import { describe, expect, it } from 'vitest';
import { paperTrees } from '../../../bench/suites.ts';
import { makeBatch } from '../../../examples/pat/batch.ts';
import { loadWorkload } from '../../../examples/pat/index.ts';
import { makePlan } from '../../../examples/pat/plan.ts';
import { predict } from '../../../examples/pat/predict.ts';
import { generateForest } from '../../../examples/pat/workload/generate.ts';
import { costsFor, tile } from './helpers.ts';

const shapes = [16, 32, 64, 128].map((m) => tile(m, 64));

describe('the default packing', () => {
  it.each(['32/32', '16/8', '32/8', '64/8', '28/4', '40/8'])(
    'is never predicted slower than the published rule or one query per block: the paper’s trees at %s',
    (heads) => {
      for (const tree of paperTrees) {
        const batch = loadWorkload(tree, { heads, page: 32 });
        const costs = costsFor(batch, shapes);
        const time = (packing: 'auto' | 'pat' | 'none') => predict(makePlan(batch, costs, { packing })).time;
        const auto = time('auto');
        expect(auto, `${tree}, pat`).toBeLessThanOrEqual(time('pat'));
        expect(auto, `${tree}, none`).toBeLessThanOrEqual(time('none'));
      }
    },
  );

  // Pieces of a pack may have fewer rows than the tile that it was scored in; in smaller tiles these forests took a fifth longer.
  it.each([597, 732, 1117, 1125])('is in tiles as good as those it was scored in: forest %i', (seed) => {
    const { input, heads } = generateForest(seed, 40);
    const scale = [1, 8, 40][seed % 3]!;
    const sequences = input.sequences.map(({ pages }) => ({
      length: pages.length * input.page * scale,
      pages: pages.flatMap((page) => Array.from({ length: scale }, (_, i) => page * scale + i)),
    }));
    const batch = makeBatch({ page: input.page, sequences }, { ...heads, headDim: 128 });
    const ring = (m: number, n: number, variant: number) => ({ m, n, stages: 5, variant });
    const kernels = [
      tile(16, 32, 3),
      tile(32, 32, 3),
      ring(32, 32, 1),
      ring(64, 64, 2),
      tile(64, 32, 3),
      ring(64, 32, 1),
      ring(128, 64, 2),
    ];
    const plan = makePlan(batch, costsFor(batch, kernels));
    expect(predict(plan).time / plan.choice!.time).toBeLessThan(1.12);
  });
});
