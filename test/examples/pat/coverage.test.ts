import { describe, expect, it } from 'vitest';
import { PatcError } from '../../../compiler/diagnostics/error.ts';
import { Random } from '../../../compiler/ir/random.ts';
import { checkCoverage, coverageFaults } from '../../../examples/pat/coverage.ts';
import { makePlan } from '../../../examples/pat/plan.ts';
import type { PlanTables } from '../../../examples/pat/tables.ts';
import { batchOf, costsFor } from './helpers.ts';

const prompt = [1, 2, 3, 4];
const batch = batchOf(
  16,
  [...Array(12).keys()].map((i) => ({
    length: 64 + 100 * i + 7,
    pages: [...prompt, ...Array.from({ length: 7 * i + 1 }, (_, j) => 100 * (i + 1) + j)],
  })),
  '16/8',
);
const tables = makePlan(batch, costsFor(batch), { packing: 'pat' }).tables;

const copy = (t: PlanTables): PlanTables => ({
  ...t,
  packs: t.packs.slice(),
  packSequences: t.packSequences.slice(),
  packSlots: t.packSlots.slice(),
  entries: t.entries.slice(),
  merges: t.merges.slice(),
});

describe('coverage checker', () => {
  it('accepts a plan with partials', () => {
    expect(tables.slots).toBeGreaterThan(0);
    expect(coverageFaults(batch, tables)).toEqual([]);
  });

  it('names what a wrong entry does', () => {
    const t = copy(tables);
    t.entries[2]! += 1;
    expect(() => checkCoverage(batch, t)).toThrow(PatcError);
    expect(() => checkCoverage(batch, t)).toThrow(/PAT0506 coverage-violation: sequence \d+: entry/);
  });

  it('refuses a table that reads another page than the sequence owns', () => {
    const other = { ...batch, pages: batch.pages.slice() };
    // The last sequence's second page: shared entries read it through the first sequence's list.
    other.pages[batch.tableBegin[11]! + 1] = 99;
    expect(
      coverageFaults(other, tables)
        .map((f) => f.message)
        .join(),
    ).toMatch(/reads page 2 where its own is 99/);
  });

  it('refuses every single corrupted number, 3,000 draws', () => {
    const random = new Random(3);
    const columns = ['packs', 'packSequences', 'packSlots', 'entries', 'merges'] as const;
    for (let draw = 0; draw < 3000; draw++) {
      const t = copy(tables);
      const column = random.pick(columns);
      const at = random.integer(0, t[column].length);
      // pageBase may point to another sequence with the same pages: that is no fault.
      if (column === 'entries' && at % 5 === 0) continue;
      const before = t[column][at]!;
      t[column][at] = random.pick([before + 1, before - 1, random.integer(-2, 2000)]);
      if (t[column][at] === before) continue;
      expect(coverageFaults(batch, t), `${column}[${at}]: ${before} -> ${t[column][at]}`).not.toEqual([]);
    }
  });

  it('refuses launches that leave packs out', () => {
    const shapes = tables.shapes.slice(1);
    expect(coverageFaults(batch, { ...tables, shapes })).not.toEqual([]);
  });
});
