/** Loads that a pipelined loop's copies wait for are issued a step before them, whatever the entries look like. */
import { describe, expect, it } from 'vitest';
import { simulate } from '../../../backends/cpu/simulator/index.ts';
import { decodeArray, encodeArray, poisoned } from '../../../compiler/ir/numeric.ts';
import { lowerKernel } from '../../../compiler/lower/index.ts';
import { findTarget } from '../../../compiler/target.ts';
import { exprsOf, walkExpr, walkStmts } from '../../../compiler/thread/build.ts';
import type { Stmt } from '../../../compiler/thread/nodes.ts';
import { run, traced } from '../../support/interpret.ts';

const [rows, width, pages] = [16, 64, 6];

/** Sums w . x over the rows that a table names, scaled by a number of the entry's; entries have a begin and an end. */
const sums = traced((k) => {
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
  it.each([2, 3, 4].flatMap((stages) => [0, 1].map((producers) => ({ stages, producers }))))(
    'stages=$stages producers=$producers',
    (tile) => {
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
      const lowered = lowerKernel({ ...sums, tile }, findTarget('cuda:sm_80')!);
      expect(simulate(lowered, [1, 1, 1], arrays, scalars).errors).toEqual([]);
      expect([...decodeArray('f32', arrays.get('out')!)]).toEqual(
        run(sums, given, [1, 1, 1], scalars).out['out'],
      );
    },
  );
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
