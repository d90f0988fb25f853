/** Loads that a pipelined loop's copies wait for are issued a step before them, whatever the entries look like. */
import { describe, expect, it } from 'vitest';
import { interpret } from '../../../backends/cpu/interpreter/index.ts';
import { simulate } from '../../../backends/cpu/simulator/index.ts';
import { decodeArray, encodeArray, poisoned } from '../../../compiler/ir/numeric.ts';
import { lowerKernel } from '../../../compiler/lower/index.ts';
import { ringBlocks } from '../../../compiler/lower/ring.ts';
import { findTarget } from '../../../compiler/target.ts';
import { exprsOf, walkExpr, walkStmts } from '../../../compiler/thread/build.ts';
import type { Expr, Stmt } from '../../../compiler/thread/nodes.ts';
import type { Tile } from '../../../dsl/index.ts';
import { everywhere, makeCase } from '../../support/corpus.ts';
import { run, traced } from '../../support/interpret.ts';

const [rows, width, pages] = [16, 64, 6];

/** Sums w . x over the rows that a table names, scaled by a number of the entry's; entries have a begin and an end. */
const sumsBy = (by: number) =>
  traced((k) => {
    const w = k.input('w', 'f16', [16, width]);
    const x = k.input('x', 'f16', [pages, rows, width]);
    const entries = k.input('entries', 'i32', ['entryCount', 3]);
    const table = k.input('table', 'i32', [8]);
    const range = k.input('range', 'i32', [2]);
    const out = k.output('out', 'f32', [16, rows]);
    const left = w.load([k.iota(16).expand(1), k.iota(width).expand(0)]);
    const { acc } = k.ragged(
      {
        from: range.at(0),
        to: range.at(1),
        step: by,
        trips: (e) => entries.at(e, 1).sub(entries.at(e, 0)).add(15).div(16),
      },
      { acc: k.zeros([16, rows], 'f32') },
      (e, step, { acc }) => {
        const token = entries.at(e, 0).add(step.mul(16)).add(k.iota(rows));
        const live = token.lt(entries.at(e, 1));
        const page = table.load([token.div(rows)], { mask: live });
        const place = [page.expand(1), token.rem(rows).expand(1), k.iota(width).expand(0)];
        const right = x.load(place, { mask: live.expand(1) });
        return { acc: acc.add(k.dot(left, right.T).mul(entries.at(e, 2).cast('f32'))) };
      },
    );
    out.store([k.iota(16).expand(1), k.iota(rows).expand(0)], acc);
  });

const sums = sumsBy(1);

const shapes: Record<string, [number, number, number][]> = {
  'no entry': [],
  'an entry without steps': [[3, 3, 1]],
  'one step': [[5, 9, 2]],
  'entries of one step': [0, 1, 2, 3, 4, 5].map((i) => [i * 7, i * 7 + 9, i + 1]),
  'empty ones first, last and between': [
    [0, 0, 9],
    [4, 4, 9],
    [8, 60, 1],
    [2, 2, 9],
    [2, 2, 9],
    [0, 17, 3],
    [1, 2, 4],
    [9, 9, 9],
  ],
  'a long one': [[0, 96, 1]],
};

const inputs = (entries: readonly [number, number, number][]) => ({
  w: Float64Array.from({ length: 16 * width }, (_, i) => ((i * 7) % 5) - 2),
  x: Float64Array.from({ length: pages * rows * width }, (_, i) => ((i * 5) % 7) - 3),
  entries: entries.length > 0 ? entries.flat() : [0, 0, 0],
  table: [3, 0, 5, 1, 4, 2, 0, 0],
  range: [0, entries.length],
});

describe.each(Object.entries(shapes))('%s', (_, entries) => {
  it.each(
    [2, 3, 4].flatMap((stages) => [
      ...[0, 1].map((producers) => ({ by: 1, stages, producers, target: 'cuda:sm_80' })),
      // One warp that only copies, or two.
      ...[1, 2].map((producers) => ({ by: 1, stages, producers, target: 'cuda:sm_90a' })),
      // Some entries are passed over, and the last may be.
      ...[0, 1].map((producers) => ({ by: 2 + producers, stages, producers, target: 'cuda:sm_90a' })),
    ]),
  )('by=$by stages=$stages producers=$producers $target', ({ target, by, ...tile }) => {
    const sums = sumsBy(by);
    const given = inputs(entries);
    const scalars = { entryCount: Math.max(1, entries.length) };
    const arrays = new Map(
      sums.params.flatMap((p) =>
        p.kind !== 'tensor'
          ? []
          : [
              [
                p.name,
                p.name in given
                  ? encodeArray(p.element, given[p.name as keyof typeof given])
                  : poisoned(p.element, 16 * rows),
              ] as const,
            ],
      ),
    );
    const lowered = lowerKernel({ ...sums, tile }, findTarget(target)!);
    expect(simulate(lowered, [1, 1, 1], arrays, scalars).errors).toEqual([]);
    expect([...decodeArray('f32', arrays.get('out')!)]).toEqual(
      run(sums, given, [1, 1, 1], scalars).out['out'],
    );
  });
});

const loads = (stmts: readonly Stmt[]): number => {
  let n = 0;
  walkStmts(stmts, (s) =>
    exprsOf(s).forEach((e) => walkExpr(e, (x) => void (n += x.e === 'loadGlobal' ? 1 : 0))),
  );
  return n;
};

it.each([2, 3])('with %i stages nothing is read between a step’s barrier and its copies', (stages) => {
  const { body } = lowerKernel({ ...sums, tile: { stages } }, findTarget('cuda:sm_90a')!);
  const steps: Stmt[][] = [];
  walkStmts(body, (s) => {
    if (s.s === 'while' && s.body.some((x) => x.s === 'barrier')) steps.push([...s.body]);
  });
  expect(steps.length).toBe(1);
  const commit = steps[0]!.findIndex((s) => s.s === 'cpAsyncCommit');
  expect(loads(steps[0]!.slice(0, commit))).toBe(0);
  expect(loads(steps[0]!.slice(commit))).toBeGreaterThan(0);
});

it.each([
  [2, 0],
  [3, 0],
  [2, 1],
])(
  'an entry’s numbers are read when it is entered, not in its steps: %i stages, %i producers',
  (stages, producers) => {
    const { body } = lowerKernel({ ...sums, tile: { stages, producers } }, findTarget('cuda:sm_80')!);
    const reads = (list: readonly Stmt[], name: string): Expr[] => {
      const found: Expr[] = [];
      for (const s of list)
        for (const e of exprsOf(s))
          walkExpr(e, (x) => void (x.e === 'loadGlobal' && x.buffer.name === name && found.push(x.index)));
      return found;
    };
    const ofNext = (index: Expr): boolean => {
      let next = false;
      walkExpr(index, (x) => void (next ||= x.e === 'binary' && x.fn === 'min'));
      return next;
    };
    const blocks: (readonly Stmt[])[] = [];
    walkStmts(body, (s) => {
      if (s.s === 'while') blocks.push(s.body);
      if (s.s === 'if') blocks.push(s.then);
    });
    // A step reads the next entry's, whether it is entered or not: that costs no branch.
    const steps = blocks.filter((b) => b.some((s) => s.s === 'barrier' || s.s === 'mbarrierWait'));
    const inSteps = steps.flatMap((b) => reads(b, 'entries'));
    expect(inSteps.length).toBeGreaterThan(0);
    expect(inSteps.every(ofNext)).toBe(true);
    const lookups = blocks.filter((b) =>
      b.some((s) => reads(s.s === 'for' ? s.body : [s], 'table').length > 0),
    );
    expect(lookups.length).toBeGreaterThan(0);
    expect(lookups.flatMap((b) => reads(b, 'entries')).every(ofNext)).toBe(true);
  },
);

describe('a product in a loop', () => {
  /** Two loops over a depth, each with its staged factors; rows of the first are masked beyond `limit`. */
  const twice = (rows: number, depth: number) =>
    makeCase(
      `two loops ${rows}`,
      (k) => {
        const sum = (name: string) => {
          const [r, c] = everywhere(k, [rows, 32]) as [Tile<'i32'>, Tile<'i32'>];
          const a = k.input(`${name}_a`, 'f16', [rows, depth]);
          const b = k.input(`${name}_b`, 'f16', [depth, 16]);
          return k.loop({ to: depth, step: 32 }, { acc: k.zeros([rows, 16]) }, (from, { acc }) => {
            const x = a.load([r, c.add(from)], { mask: r.lt(rows - 5) });
            const [r2, c2] = everywhere(k, [32, 16]) as [Tile<'i32'>, Tile<'i32'>];
            const y = b.load([r2.add(from), c2]);
            return { acc: k.dot(x as never, y as never, acc) as typeof acc };
          }).acc;
        };
        const y = k.output('y', 'f32', [rows, 16]);
        y.store(everywhere(k, [rows, 16]), sum('first').add(sum('second')));
      },
      {},
    );
  it.each([
    [16, 64],
    [48, 128],
    [80, 96],
  ])(
    '%i rows, depth %i: by every kind of copy, one loop a kernel with warps that only copy',
    (rows, depth) => {
      const c = twice(rows, depth);
      for (const [target, tile, rings] of [
        ['cuda:sm_80', { stages: 3 }, 0],
        ['cuda:sm_80', { stages: 3, producers: 1 }, 1],
        ['cuda:sm_90a', { stages: 2, producers: 1 }, 1],
        ['cuda:sm_90a', { stages: 3, producers: 2 }, 1],
        ['cuda:sm_90a', { stages: 2, producers: 1, bulk: 0 }, 1],
      ] as const) {
        const lowered = lowerKernel({ ...c.kernel, tile: { warps: 1, ...tile } }, findTarget(target)!);
        let inits = 0;
        walkStmts(lowered.body, (s) => {
          inits += s.s === 'mbarrierInit' ? 1 : 0;
          // Rows of 64 and of 32 bytes are no boxes.
          expect(s.s).not.toBe('tensorCopy');
        });
        expect(inits).toBe(rings * 2 * tile.stages);
        const arrays = new Map(c.buffers.map((b) => [b.name, b.data.slice()]));
        const want = new Map(c.buffers.map((b) => [b.name, b.data.slice()]));
        interpret(c.kernel, [1, 1, 1], want, {});
        expect(simulate(lowered, [1, 1, 1], arrays, {}).errors).toEqual([]);
        const [got, wanted] = [arrays, want].map((m) => [...decodeArray('f32', m.get('y')!)]);
        got!.forEach((x, i) => expect(x).toBeCloseTo(wanted![i]!, 2));
      }
    },
  );
});

it('registers are left for as many blocks as shared memory has room for, and registers', () => {
  const target = findTarget('cuda:sm_90a')!;
  const blocks = (warps: number, kib: number): number => ringBlocks(target, 32 * warps, 1024 * kib);
  // Twelve warps of 168 registers fit, three a scheduler.
  expect([blocks(5, 48), blocks(3, 48), blocks(2, 32), blocks(9, 48)]).toEqual([2, 4, 6, 0]);
  expect([blocks(2, 100), blocks(2, 120), blocks(3, 72)]).toEqual([2, 0, 3]);
});

it.each(['cuda:sm_80', 'cuda:sm_90a'])('block barriers of a role are among its threads: %s', (target) => {
  const c = makeCase('barriers', (k) => {
    const v = k.input('v', 'f16', [16, 32]).load(everywhere(k, [16, 32]));
    const w = k.input('w', 'f16', [32, 16]).load(everywhere(k, [32, 16]));
    const x = k.input('x', 'f16', [4, 32, 32]);
    const { acc } = k.loop({ to: 4 }, { acc: k.zeros([16, 16]) }, (i, { acc }) => {
      const product = k.dot(x.load([i, ...everywhere(k, [32, 32])]) as never, w as never);
      // As a right factor it goes through shared memory, in every step.
      return { acc: k.dot(v as never, product.cast('f16') as never, acc as never) as typeof acc };
    });
    k.output('y', 'f32', [16, 16]).store(everywhere(k, [16, 16]), acc);
  });
  const lowered = lowerKernel({ ...c.kernel, tile: { warps: 1, producers: 1 } }, findTarget(target)!);
  const inside = new Set<number | undefined>();
  walkStmts(lowered.body, (s) => {
    if (s.s === 'while') walkStmts(s.body, (x) => void (x.s === 'barrier' && inside.add(x.threads)));
  });
  expect([...inside]).toEqual([32]);
  const arrays = new Map(c.buffers.map((b) => [b.name, b.data.slice()]));
  expect(simulate(lowered, [1, 1, 1], arrays, {}).errors).toEqual([]);
});

it('warps that only copy have a loop of the kernel, not one inside another', () => {
  const c = makeCase('nested', (k) => {
    const at = everywhere(k, [16, 16]);
    const x = k.input('x', 'f16', [4, 16, 16]);
    const start = { acc: k.zeros([16, 16]) };
    const { acc } = k.loop({ to: 2 }, start, (i, { acc }) =>
      k.loop({ to: 2 }, { acc }, (j, { acc }) => {
        const block = x.load([i.mul(2).add(j), ...at]);
        return { acc: k.dot(block as never, block as never, acc as never) as typeof acc };
      }),
    );
    k.output('y', 'f32', [16, 16]).store(at, acc);
  });
  const lowered = lowerKernel({ ...c.kernel, tile: { producers: 1, stages: 2 } }, findTarget('cuda:sm_80')!);
  const kinds = new Set<string>();
  walkStmts(lowered.body, (s) => void kinds.add(s.s));
  expect(kinds.has('cpAsync')).toBe(true);
  expect(kinds.has('mbarrierInit')).toBe(false);
});
