import { describe, expect, it } from 'vitest';
import { makePlan } from '../../../examples/pat/plan.ts';
import { predict } from '../../../examples/pat/predict.ts';
import { bestTime, smallForest } from './exhaustive.ts';

describe('path packs against exhaustive search', () => {
  it('come within 1.05 of the best plan on forests of up to five sequences', () => {
    const gaps: number[] = [];
    for (let seed = 0; seed < 200; seed++) {
      const small = smallForest(seed);
      if (!small) continue;
      const gap = predict(makePlan(small.batch, small.costs)).time / bestTime(small.batch, small.costs);
      expect(gap, `seed ${seed}`).toBeLessThan(1.05);
      gaps.push(gap);
    }
    expect(gaps.length).toBeGreaterThan(150);
    expect(gaps.reduce((a, b) => a + b) / gaps.length).toBeLessThan(1.005);
  });
});
