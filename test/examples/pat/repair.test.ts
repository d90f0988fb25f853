import { describe, expect, it } from 'vitest';
import { coverageFaults } from '../../../examples/pat/coverage.ts';
import { makePlan, packings } from '../../../examples/pat/plan.ts';
import { Planner } from '../../../examples/pat/repair.ts';
import { batchOf, bytesOf, costsFor, tileSets } from './helpers.ts';
import { decodeSteps } from './steps.ts';

describe('repair', () => {
  it('equals a rebuild over 150 runs of 12 decode steps, and mostly patches', () => {
    let patched = 0;
    let steps = 0;
    for (let seed = 0; seed < 150; seed++) {
      const batches = decodeSteps(seed, 12);
      const invariantSpan = seed % 5 === 0 ? 256 : 0;
      const costs = costsFor(batches[0]!, tileSets[seed % 5]!, [4, 132][seed % 2]!);
      const planner = new Planner(costs, { invariantSpan });
      planner.plan(batches[0]!);
      for (const batch of batches.slice(1)) {
        const { plan, repaired } = planner.repair(batch);
        expect(bytesOf(plan.tables), `seed ${seed}`).toBe(
          bytesOf(makePlan(batch, costs, { invariantSpan }).tables),
        );
        expect(coverageFaults(batch, plan.tables)).toEqual([]);
        steps++;
        if (repaired) patched++;
      }
    }
    expect(patched).toBeGreaterThan(steps / 10);
  });

  it('equals a rebuild where sequences only grow, and mostly keeps the forest', () => {
    const results = { repaired: 0, grown: 0, planned: 0 };
    for (let seed = 0; seed < 150; seed++) {
      const batches = decodeSteps(seed, 12, true);
      const options = {
        invariantSpan: seed % 5 === 0 ? 256 : 0,
        packing: packings[seed % 7 === 1 ? seed % 4 : 0]!,
      };
      const costs = costsFor(batches[0]!, tileSets[seed % 5]!, [4, 132][seed % 2]!);
      const planner = new Planner(costs, options);
      planner.plan(batches[0]!);
      for (const batch of batches.slice(1)) {
        const { plan, result } = planner.grow(batch);
        expect(bytesOf(plan.tables), `seed ${seed}`).toBe(bytesOf(makePlan(batch, costs, options).tables));
        results[result]++;
      }
    }
    for (const count of Object.values(results)) expect(count).toBeGreaterThan(50);
  });

  it('plans anew where a table has moved', () => {
    const at = (front: number) => {
      const one = batchOf(16, [{ length: 20, pages: [1, 2] }]);
      return {
        ...one,
        tableBegin: Int32Array.of(front),
        pages: Int32Array.of(...Array(front).fill(0), 1, 2),
      };
    };
    const planner = new Planner(costsFor(at(0)));
    planner.plan(at(0));
    const { plan, repaired } = planner.repair(at(3));
    expect(repaired).toBe(false);
    expect(plan.tables.entries[0]).toBe(3);
  });

  it('patches in place: the arrays stay where they are', () => {
    const at = (length: number) =>
      batchOf(16, [
        { length, pages: [1, 2] },
        { length: length + 1, pages: [1, 3] },
      ]);
    const planner = new Planner(costsFor(at(20)));
    const { tables } = planner.plan(at(20));
    const { plan, repaired } = planner.repair(at(21));
    expect(repaired).toBe(true);
    expect(plan.tables.entries).toBe(tables.entries);
    expect(planner.repair(at(31)).repaired).toBe(true);
    // 33 tokens of the second sequence need a third page.
    expect(() => planner.repair(at(32))).toThrow(/length 33 needs 3 pages/);
  });

  it('plans anew where an end is shared', () => {
    const at = (a: number, b: number) =>
      batchOf(16, [
        { length: a, pages: [1, 2] },
        { length: b, pages: [1, 2] },
      ]);
    const planner = new Planner(costsFor(at(20, 24)));
    planner.plan(at(20, 24));
    expect(planner.repair(at(21, 24)).repaired).toBe(false);
    expect(planner.repair(at(21, 25)).repaired).toBe(true);
  });
});
