import { describe, expect, it } from 'vitest';
import { paperTrees } from '../../../bench/suites.ts';
import { loadWorkload } from '../../../examples/pat/index.ts';
import { makePlan } from '../../../examples/pat/plan.ts';
import { predict } from '../../../examples/pat/predict.ts';
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
});
