import { describe, expect, it } from 'vitest';
import { makeBatch } from '../../../examples/pat/batch.ts';
import { coverageFaults } from '../../../examples/pat/coverage.ts';
import { executePlan } from '../../../examples/pat/execute.ts';
import { makePlan, packings } from '../../../examples/pat/plan.ts';
import { generateForest } from '../../../examples/pat/workload/generate.ts';
import { packLoad, packRows } from '../../../examples/pat/tables.ts';
import { batchOf, costsFor, randomInputs, tile, tileSets } from './helpers.ts';

const plain = { packing: 'auto', span: 0 } as const;
const modes = [...packings.map((packing) => ({ packing, span: 0 })), { packing: 'auto', span: 256 } as const];

describe('packing', () => {
  it('covers 2,000 random forests exactly, with every packing, on several machines', () => {
    let partials = 0;
    let mixed = 0;
    for (let seed = 0; seed < 2000; seed++) {
      const { input, heads } = generateForest(seed);
      const batch = makeBatch(input, heads);
      const costs = costsFor(heads, tileSets[seed % 5]!, [1, 16, 132][seed % 3]!, seed % 2 ? 'cuda' : 'wgsl');
      for (const { packing, span } of modes) {
        const { tables } = makePlan(batch, costs, { packing, invariantSpan: span });
        expect(coverageFaults(batch, tables), `seed ${seed}, ${packing}, span ${span}`).toEqual([]);
        if (tables.slots > 0) partials++;
        if (tables.shapes.length > 1) mixed++;
      }
    }
    // The draw exercises what it is meant to.
    expect(partials).toBeGreaterThan(1000);
    expect(mixed).toBeGreaterThan(200);
  });

  it('gives tables that compute attention', () => {
    let ran = 0;
    for (let seed = 0; seed < 150; seed++) {
      const { input, heads } = generateForest(seed, 8);
      const batch = makeBatch(input, { ...heads, qHeads: heads.qHeads / heads.kvHeads, kvHeads: 1 });
      const tokens = batch.lengths.reduce((a, b) => a + b, 0);
      // Small ones, in numbers and in pages.
      if (tokens * batch.qHeads > 12_000 || batch.pageCount * batch.page > 20_000) continue;
      ran++;
      const inputs = randomInputs(batch, seed);
      const want = plainAttention(batch, inputs);
      for (const { packing, span } of modes) {
        const costs = costsFor(batch, tileSets[seed % 5]!, [1, 132][seed % 2]!);
        const { tables } = makePlan(batch, costs, { packing, invariantSpan: span });
        const got = executePlan(batch, tables, inputs);
        const name = `seed ${seed}, ${packing}, span ${span}`;
        expect(distance(got.out, want.out), name).toBeLessThan(1e-9);
        expect(distance(got.lse, want.lse), name).toBeLessThan(1e-9);
      }
    }
    expect(ran).toBeGreaterThan(20);
  });

  it('is a function of the batch: planning twice gives the same bytes', () => {
    for (let seed = 0; seed < 200; seed++) {
      const { input, heads } = generateForest(seed);
      const batch = makeBatch(input, heads);
      const costs = costsFor(heads);
      expect(makePlan(batch, costs, plain).tables).toEqual(
        makePlan(makeBatch(input, heads), costs, plain).tables,
      );
    }
  });

  // Loads as equal as cuts at pages allow: where one was an eighth longer than the others, eight sequences of 32,768 tokens took 6 % longer.
  it.each([
    [8, 32_768],
    [8, 8192],
    [3, 100_000],
    [7, 5000],
  ])('cuts %i sequences of %i tokens evenly', (n, tokens) => {
    const each = Math.ceil(tokens / 16);
    const sequences = Array.from({ length: n }, (_, s) => ({
      length: tokens,
      pages: Array.from({ length: each }, (_, i) => s * each + i),
    }));
    const batch = batchOf(16, sequences, '32/8', 128);
    const { tables } = makePlan(batch, costsFor(batch, [tile(64, 32, 3)]));
    const loads = Array.from({ length: packRows(tables) }, (_, p) => packLoad(tables, p).load);
    expect(loads.length).toBeGreaterThan(n);
    expect(Math.max(...loads) - (n * tokens) / loads.length).toBeLessThanOrEqual(64 + 16);
  });

  it('does not change while lengths grow inside the last page, but for the ends of private entries', () => {
    const sequences = [40, 41, 42].map((length, i) => ({ length, pages: [1, 2, 10 + i] }));
    const plans = [0, 5].map((more) => {
      const grown = sequences.map((s) => ({ ...s, length: s.length + more }));
      const batch = makeBatch(
        { page: 16, sequences: grown },
        { qHeads: 8, kvHeads: 2, headDim: 64, dtype: 'f16' },
      );
      return makePlan(batch, costsFor(batch)).tables;
    });
    expect(plans[0]!.packs).toEqual(plans[1]!.packs);
    const ends = (t: Int32Array) => [...t].map((x, i) => (i % 5 === 2 && x > 32 ? 'end' : x));
    expect(ends(plans[0]!.entries)).toEqual(ends(plans[1]!.entries));
  });
});

const distance = (a: Float64Array, b: Float64Array): number => {
  let most = 0;
  a.forEach((x, i) => {
    const error = x === b[i] ? 0 : Math.abs(x - b[i]!);
    if (!(error <= most)) most = error;
  });
  return most;
};

/** Softmax over the sequence's own tokens, no plan in sight. */
function plainAttention(
  batch: ReturnType<typeof makeBatch>,
  inputs: ReturnType<typeof randomInputs>,
): { out: Float64Array; lse: Float64Array } {
  const { qHeads, headDim, page } = batch;
  const out = new Float64Array(batch.lengths.length * qHeads * headDim);
  const lse = new Float64Array(batch.lengths.length * qHeads).fill(-Infinity);
  for (let row = 0; row < lse.length; row++) {
    const s = Math.floor(row / qHeads);
    const scores: number[] = [];
    const at = (t: number) =>
      (batch.pages[batch.tableBegin[s]! + Math.floor(t / page)]! * page + (t % page)) * headDim;
    for (let t = 0; t < batch.lengths[s]!; t++) {
      let dot = 0;
      for (let d = 0; d < headDim; d++) dot += inputs.q[row * headDim + d]! * inputs.k[at(t) + d]!;
      scores.push(dot * inputs.scale);
    }
    if (scores.length === 0) continue;
    const max = scores.reduce((a, b) => Math.max(a, b));
    const sum = scores.reduce((a, b) => a + Math.exp(b - max), 0);
    lse[row] = max + Math.log(sum);
    scores.forEach((x, t) => {
      for (let d = 0; d < headDim; d++)
        out[row * headDim + d]! += (Math.exp(x - max) / sum) * inputs.v[at(t) + d]!;
    });
  }
  return { out, lse };
}
