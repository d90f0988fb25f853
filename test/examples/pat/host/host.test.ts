import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Random } from '../../../../compiler/ir/random.ts';
import { makeBatch } from '../../../../examples/pat/batch.ts';
import { makePlan } from '../../../../examples/pat/plan.ts';
import { streamsKv } from '../../../../examples/pat/launches.ts';
import { makeFixed, writeFixed } from '../../../../examples/pat/fixed.ts';
import { generateForest } from '../../../../examples/pat/workload/generate.ts';
import { figuresOf, planCosts } from '../../../../examples/pat/cost.ts';
import { bytesOf, costsFor, heads, tile, tileSets } from '../helpers.ts';
import { decodeSteps } from '../steps.ts';
import { readSource, withFigures } from '../../../../scripts/host-figures.ts';
import { hasCompiler, HostPlanner, type Case } from './planner.ts';

if (!hasCompiler) console.warn('g++ is not here: the C++ planner is not tested');

it('has the figures of cost.ts (node scripts/host-figures.ts writes them)', () => {
  expect(readSource()).toBe(withFigures(readSource()));
});

describe.skipIf(!hasCompiler)('C++ planner', () => {
  let planner: HostPlanner;
  beforeAll(() => {
    // Undefined behaviour and bad accesses end the program.
    planner = new HostPlanner(['-O1', '-fsanitize=undefined,address', '-fno-sanitize-recover=all']);
    // g++ with sanitizers, on a busy machine.
  }, 180_000);
  afterAll(() => planner.close());

  const equalToTypeScript = (cases: readonly Case[]) => {
    const outcomes = planner.run(cases);
    const results: number[] = [];
    cases.forEach((c, i) =>
      c.steps.forEach(({ batch }, j) => {
        const { tables, result, streams } = outcomes[i]![j]!;
        results.push(result);
        const plan = makePlan(batch, c.costs, { invariantSpan: c.span });
        expect(bytesOf(tables), `case ${i}, step ${j}`).toBe(bytesOf(plan.tables));
        expect(streams, `case ${i}, step ${j}`).toBe(streamsKv(plan));
      }),
    );
    return results;
  };

  it('makes the same bytes as TypeScript on 2,000 random forests, several by one planner', () => {
    const cases: Case[] = [];
    for (let seed = 0; seed < 2000; seed += 4) {
      const first = generateForest(seed);
      // The same heads throughout a case: costs depend on them.
      const steps = [0, 1, 2, 3].map((i) => ({
        batch: makeBatch(generateForest(seed + i).input, first.heads),
        repair: i === 3,
      }));
      const costs = costsFor(
        first.heads,
        tileSets[(seed / 4) % 5]!,
        [1, 16, 132][(seed / 4) % 3]!,
        seed % 8 ? 'cuda' : 'wgsl',
      );
      cases.push({ costs, span: seed % 20 === 0 ? 256 : 0, steps });
    }
    equalToTypeScript(cases);
  });

  it('repairs over decode steps to what TypeScript plans anew', () => {
    const cases = [...Array(150).keys()].map((seed): Case => {
      const batches = decodeSteps(seed, 8);
      const costs = costsFor(batches[0]!, tileSets[seed % 5]!, [4, 132][seed % 2]!);
      return {
        costs,
        span: seed % 5 === 0 ? 256 : 0,
        steps: batches.map((batch, i) => ({ batch, repair: i > 0 })),
      };
    });
    const results = equalToTypeScript(cases);
    expect(results.filter((r) => r === 1).length).toBeGreaterThan(100);
  });

  it('grows over decode steps to what TypeScript plans anew', () => {
    const cases = [...Array(150).keys()].map((seed): Case => {
      const batches = decodeSteps(seed, 12, true);
      const costs = costsFor(batches[0]!, tileSets[seed % 5]!, [4, 132][seed % 2]!);
      return {
        costs,
        span: seed % 5 === 0 ? 256 : 0,
        steps: batches.map((batch, i) => ({ batch, repair: false, grow: i > 0 })),
      };
    });
    const results = equalToTypeScript(cases);
    // All ways are taken: an end patched, the forest kept, and planned anew where an end is shared.
    for (const result of [0, 1, 2]) expect(results.filter((r) => r === result).length).toBeGreaterThan(50);
  });

  it('finds the page at which a sequence leaves, wherever it is', () => {
    const pages = [...Array(150).keys()];
    const leaves = pages.map((k) => (k * 7) % 150);
    const sequences = [pages, ...leaves.map((at) => pages.map((id, i) => (i < at ? id : 1000 + id)))];
    const cases = [1, 2, 3].map((page): Case => {
      const input = { page, sequences: sequences.map((list) => ({ length: 149 * page + 1, pages: list })) };
      const batch = makeBatch(input, heads('32/8'));
      return { costs: costsFor(batch), span: 0, steps: [{ batch, repair: false }] };
    });
    equalToTypeScript(cases);
  });

  it('finds who is not on a long path like its neighbours: one page that differs, an end, a longer way', () => {
    const cases = [...Array(120).keys()].map((seed): Case => {
      const random = new Random(seed);
      const below = (n: number) => random.integer(0, n - 1);
      const page = [1, 16, 24][seed % 3]!;
      const usual = 17 + below(150);
      const path = Array.from({ length: usual + 40 }, (_, i) => i);
      const sequences = Array.from({ length: 9 + below(90) }, (_, s) => {
        const odd = s > 0 && below(seed % 2 ? 5 : 16) === 0 ? 1 + below(3) : 0;
        const leave = s === 0 ? path.length : odd === 1 ? usual + below(40) : usual;
        const pages = path.map((id, i) => (i < leave ? id : 1000 * (s + 1) + i));
        // On the path again after it.
        if (odd === 2) pages[below(usual)] = 1000 * (s + 1);
        const count = odd === 3 ? 1 + below(usual) : pages.length;
        return { length: count * page - below(page), pages: pages.slice(0, count) };
      });
      const batch = makeBatch({ page, sequences }, heads('32/8'));
      return { costs: costsFor(batch), span: 0, steps: [{ batch, repair: false }] };
    });
    equalToTypeScript(cases);
  });

  it('plans large forests alike', () => {
    const cases = [1500, 5000].map((sequences, i): Case => {
      const input = {
        page: 16,
        sequences: [...Array(sequences).keys()].map((s) => ({
          length: 70 + ((s * 37) % 900),
          pages: [0, 1, 2, 3, ...Array.from({ length: 57 }, (_, j) => 4 + s * 57 + j)],
        })),
      };
      const batch = makeBatch(input, heads(['32/8', '28/4'][i]!));
      return { costs: costsFor(batch), span: 0, steps: [{ batch, repair: false }] };
    });
    equalToTypeScript(cases);
  });

  it('writes the same tables of fixed capacity, and nothing where they are too small', () => {
    const cases = [...Array(60).keys()].map((seed): Case => {
      const { input, heads } = generateForest(seed);
      const batch = makeBatch(input, heads);
      const capacity = {
        packs: seed % 6 === 0 ? 1 : 400,
        rows: 2000,
        entries: 2000,
        merges: 200,
        slots: 2000,
      };
      return {
        costs: costsFor(heads, tileSets[seed % 5]!),
        span: 0,
        steps: [{ batch, repair: false, fixed: capacity }],
      };
    });
    const outcomes = planner.run(cases);
    let full = 0;
    cases.forEach(({ costs, steps: [step] }, i) => {
      const { fixed } = outcomes[i]![0]!;
      const mine = makeFixed(step!.fixed!, costs.tiles);
      const write = () => writeFixed(makePlan(step!.batch, costs), mine);
      if (fixed!.result === -5) {
        full++;
        expect(write).toThrow(/PAT0509/);
        expect(fixed!.tables.every((x) => x === 7)).toBe(true);
        return;
      }
      write();
      const all = [mine.packs, mine.packSequences, mine.packSlots, mine.entries, mine.merges].flatMap((a) => [
        ...a,
      ]);
      expect([...fixed!.tables].join()).toBe(all.join());
    });
    expect(full).toBeGreaterThan(0);
    expect(full).toBeLessThan(20);
  });

  it('refuses malformed batches with a code', () => {
    const good = makeBatch({ page: 16, sequences: [{ length: 20, pages: [0, 1] }] }, heads('32/8'));
    const costs = costsFor(good);
    const step = (change: object) => ({ batch: { ...good, ...change }, repair: false });
    const steps = [
      step({ page: 0 }),
      step({ qHeads: 31 }),
      step({ kvHeads: 0 }),
      step({ lengths: Int32Array.of(-1) }),
      step({ lengths: Int32Array.of(0x7fffffff) }),
      step({ qHeads: 8 * 200 }),
    ];
    const outcomes = planner.run([{ costs, span: 0, steps }]);
    expect(outcomes[0]!.map((o) => o.result)).toEqual([-1, -1, -1, -1, -1, -2]);
    for (const how of [{ repair: true }, { repair: false, grow: true }])
      expect(planner.run([{ costs, span: 0, steps: [{ batch: good, ...how }] }])[0]![0]!.result).toBe(-4);
  });

  it('knows the same costs of an H100', () => {
    for (const headDim of [64, 80, 96, 128, 192, 256])
      for (const dtype of ['f16', 'f32'] as const) {
        const shapes = [tile(16, 64, 3), tile(32, 32), tile(64, 64), tile(128, 64), tile(256, 64)];
        const costs = planCosts(figuresOf('cuda'), 132, shapes, { ...heads('8/1', headDim), dtype });
        expect(planner.h100(headDim, dtype === 'f32' ? 4 : 2, 132, shapes)).toEqual(costs);
      }
  });
});
