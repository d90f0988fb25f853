import { describe, expect, it } from 'vitest';
import { packingCases, Traces } from '../../bench/packings/cases.ts';
import { packingTable, type PackingRow } from '../../bench/packings/table.ts';
import { syntheticTrace } from '../../bench/packings/trace.ts';
import { loadWorkload, packings } from '../../examples/pat/index.ts';

describe('comparison of packings', () => {
  it('makes the same traces every time, with shared prefixes and running requests', () => {
    expect(syntheticTrace(1, 50)).toEqual(syntheticTrace(1, 50));
    const traced = new Traces();
    try {
      for (const c of packingCases(traced, true).filter((x) => x.kind === 'trace')) {
        const batch = loadWorkload(c.workload, { heads: c.heads, page: c.page });
        expect(batch.lengths.length).toBeGreaterThan(40);
        expect(new Set(batch.pages).size).toBeLessThan(batch.pages.length);
        expect(c.tree).not.toContain('/');
      }
    } finally {
      traced.close();
    }
  });

  it('prints ratios to auto, and says what was not verified', () => {
    const rows = packings.map((packing, i): PackingRow => ({
      kind: 'tree',
      tree: '1,2_32,32',
      heads: '4/2',
      page: 16,
      packing,
      packs: 1,
      splits: 0,
      tiles: ['16x32/3'],
      predictedUs: 10,
      graphUs: 10 * (i + 1),
      verified: packing !== 'node',
    }));
    const text = packingTable('title', rows);
    expect(text).toMatch(/1,2_32,32 4\/2 +10\.0 +10\.0 +2\.00 +3\.00 +4\.00 +NOT VERIFIED/);
    expect(text).toContain('measured time over auto');
    expect(text).toContain('3 of 4 runs verified');
  });
});
