/** The planner keeps memory from plan to plan: no plan may change when another is made, or depend on those before it. */
import { describe, expect, it } from 'vitest';
import { defaultCosts, makePlan, type Plan } from '../../../examples/pat/plan.ts';
import { serving } from '../../../bench/planner/serving.ts';

/** Everything in a plan that is an array. */
const copyOf = ({ tables, forest, exact, work }: Plan) =>
  structuredClone({ tables, forest, exact, length: work.length, shared: work.shared, before: work.before });

describe('memory that plans share', () => {
  it('is no part of any of them', () => {
    const sizes = [300, 1, 2, 8, 9, 64, 700, 64, 5, 300];
    const plans = sizes.flatMap((sequences) => {
      const batch = serving(sequences);
      const options = [{}, { invariantSpan: 1024 }, { packing: 'node' as const }];
      return options.map((o) => makePlan(batch, defaultCosts(batch), o));
    });
    const copies = plans.map(copyOf);
    for (const sequences of [900, 3, 64]) makePlan(serving(sequences), defaultCosts(serving(sequences)));
    plans.forEach((plan, i) => {
      expect(copyOf(plan)).toEqual(copies[i]);
    });
    // 300 and 64 sequences were planned twice, after others.
    for (let o = 0; o < 3; o++) {
      expect(copies[27 + o]).toEqual(copies[o]);
      expect(copies[21 + o]).toEqual(copies[15 + o]);
    }
  });
});
