/** The input classes that break the published packer, each with what must hold. */
import { describe, expect, it } from 'vitest';
import { Random } from '../../../compiler/ir/random.ts';
import type { Batch, SequenceInput } from '../../../examples/pat/batch.ts';
import { makeBatch } from '../../../examples/pat/batch.ts';
import { coverageFaults } from '../../../examples/pat/coverage.ts';
import { forestNodes } from '../../../examples/pat/packers/nodes.ts';
import { makePlan, packings } from '../../../examples/pat/plan.ts';
import type { PlanTables } from '../../../examples/pat/tables.ts';
import { batchOf, costsFor, heads, tileSets } from './helpers.ts';

let nextPage = 0;
const fresh = (length: number, page: number) =>
  Array.from({ length: Math.ceil(length / page) }, () => nextPage++);
const under = (prefix: readonly number[], tail: number, page: number): SequenceInput => ({
  length: prefix.length * page + tail,
  pages: [...prefix, ...fresh(tail, page)],
});

const everyPlanIsExact = (batch: Batch): void => {
  for (const packing of packings)
    for (const tiles of tileSets.filter((set) => set.some((t) => t.m >= batch.qHeads / batch.kvHeads))) {
      const { tables } = makePlan(batch, costsFor(batch, tiles), { packing });
      expect(coverageFaults(batch, tables)).toEqual([]);
    }
};

/** Entries but for lanes that read nothing. */
const entriesOf = ({ entries }: PlanTables): number[][] =>
  Array.from({ length: entries.length / 5 }, (_, e) => [...entries.subarray(5 * e, 5 * e + 5)]).filter(
    (e) => e[4] !== 0,
  );

describe('input classes that break the published packer', () => {
  it('R1: several tile shapes and no split: every pack of every shape is launched', () => {
    const sequences = [...Array(32).keys()].map((i) => under([], i < 16 ? 100 : 500, 32));
    const batch = batchOf(32, sequences, '32/8');
    everyPlanIsExact(batch);
    const { tables } = makePlan(batch, costsFor(batch), { packing: 'pat' });
    expect(tables.shapes.reduce((n, s) => n + s.packCount, 0)).toBe(tables.packs.length / 4 - 1);
  });

  it('R2: ragged depth under a split shared node: every partial slot is written once', () => {
    const prompt = fresh(4096, 32);
    const document = [...prompt, ...fresh(1024, 32)];
    const sequences = [...Array(16).keys()].map((i) => under(i % 2 ? document : prompt, 40 + i, 32));
    const batch = batchOf(32, sequences, '32/8');
    everyPlanIsExact(batch);
    expect(makePlan(batch, costsFor(batch), { packing: 'pat' }).tables.slots).toBeGreaterThan(0);
  });

  it.each([1, 16, 48, 80])('R3: page size %i', (page) => {
    const prompt = fresh(10 * page, page);
    everyPlanIsExact(
      batchOf(
        page,
        [...Array(9).keys()].map((i) => under(prompt, 128 + 7 * i, page)),
        '32/8',
      ),
    );
  });

  it('R4: a partly filled page shared by two lengths: 20 tokens for both, 4 more for one', () => {
    const pages = fresh(24, 16);
    const batch = batchOf(16, [
      { length: 20, pages },
      { length: 24, pages },
    ]);
    everyPlanIsExact(batch);
    // On one unit: side by side on two, each in one step of its own, they would be as fast.
    const { tables, forest } = makePlan(batch, costsFor(batch, tileSets[0], 1));
    expect(forestNodes(batch, forest).map((n) => [n.from, n.to, n.end - n.begin])).toEqual([
      [0, 20, 2],
      [20, 24, 1],
    ]);
    expect(entriesOf(tables)).toEqual([
      [0, 0, 20, 0, 2],
      [2, 20, 24, 1, 1],
    ]);
  });

  it('R5: a plan kept over decode steps is refused once the lengths have moved on', () => {
    const tables = (more: number) => {
      const batch = batchOf(16, [{ length: 30 + more, pages: [1, 2, 3] }]);
      return { batch, tables: makePlan(batch, costsFor(batch)).tables };
    };
    const stale = tables(0).tables;
    expect(coverageFaults(tables(7).batch, stale).map((f) => f.message)).toEqual([
      'sequence 0: tokens 30..37 are covered by no entry',
    ]);
  });

  it.each([64, 128])('R6: head dim %i with 8 query heads per KV head', (headDim) => {
    const prompt = fresh(64, 16);
    const batch = batchOf(
      16,
      [...Array(5).keys()].map((i) => under(prompt, 5 + i, 16)),
      '64/8',
      headDim,
    );
    everyPlanIsExact(batch);
    // The table ends with a zero row, which blocks past the end read.
    const { packs } = makePlan(batch, costsFor(batch)).tables;
    expect([...packs.subarray(-4)]).toEqual([0, 0, 0, 0]);
  });

  it('R7: a ragged last step ends at the length, not at the step', () => {
    const batch = batchOf(16, [under([], 65, 16)]);
    const { tables } = makePlan(batch, costsFor(batch, [{ m: 16, n: 64, stages: 2 }], 1));
    expect(entriesOf(tables)).toEqual([
      [0, 0, 32, 0, 1],
      [0, 32, 64, 0, 1],
      [0, 64, 65, 0, 1],
    ]);
  });

  it('R8: page ids, which only hashing sees, do not change a plan', () => {
    const random = new Random(8);
    const prompt = fresh(320, 16);
    const sequences = [...Array(40).keys()].map((i) =>
      under(i % 3 ? prompt : [], random.integer(1, 400), 16),
    );
    const plan = (rename: (id: number) => number) => {
      const renamed = sequences.map((s) => ({ ...s, pages: s.pages.map(rename) }));
      const batch = makeBatch({ page: 16, sequences: renamed }, heads('32/8'));
      return makePlan(batch, costsFor(batch)).tables;
    };
    const multiplier = 2 * random.integer(0, 1 << 15) + 1;
    expect(plan((id) => ((id * multiplier) % (1 << 20)) + 77)).toEqual(plan((id) => id));
  });

  it('R9: more than 32 parts of one sequence', () => {
    const batch = batchOf(16, [under([], 100_000, 16)], '8/8');
    everyPlanIsExact(batch);
    const { tables } = makePlan(batch, costsFor(batch, tileSets[0]!, 2000));
    expect(tables.slots).toBeGreaterThan(32);
  });

  it('serving-like batches: prompts, documents and private tails, 200 draws', () => {
    for (let seed = 0; seed < 200; seed++) {
      const random = new Random(seed);
      const prompt = fresh(32 * random.integer(4, 124), 32);
      const documents = [...Array(random.integer(1, 5)).keys()].map(() => [
        ...prompt,
        ...fresh(32 * random.integer(1, 61), 32),
      ]);
      const sequences = [...Array(random.integer(4, 60)).keys()].map(() => {
        const kind = random.integer(0, 10);
        const prefix = kind < 2 ? [] : kind < 7 ? random.pick(documents) : prompt;
        return under(prefix, random.integer(1, 1501), 32);
      });
      const batch = batchOf(32, sequences, '32/8');
      for (const packing of packings) {
        const { tables } = makePlan(batch, costsFor(batch), { packing });
        expect(coverageFaults(batch, tables), `seed ${seed}, ${packing}`).toEqual([]);
      }
    }
  });
});
