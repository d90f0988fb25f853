/** Loads that say that nobody reads the elements again soon: copies follow where those who copy can know it, and results never change. */
import { describe, expect, it } from 'vitest';
import { simulate } from '../../../backends/cpu/simulator/index.ts';
import { decodeArray, encodeArray, poisoned } from '../../../compiler/ir/numeric.ts';
import { lowerKernel } from '../../../compiler/lower/index.ts';
import { findTarget } from '../../../compiler/target.ts';
import { walkStmts } from '../../../compiler/thread/build.ts';
import type { Tile } from '../../../dsl/index.ts';
import { run, traced } from '../../support/interpret.ts';

const [rows, width, pages] = [16, 64, 6];

interface Known {
  readonly left: Tile<'f16', readonly [number, number]>;
  readonly acc: Tile<'f32', readonly [number, number]>;
  /** Of the entry. */
  readonly last: Tile<'i32', readonly []>;
  readonly flag: Tile<'i32', readonly []>;
}

const hints: Record<string, readonly [(known: Known) => boolean | Tile<'bool', readonly []>, boolean]> = {
  nothing: [() => false, false],
  'a constant': [() => true, true],
  'a scalar of the launch': [({ flag }) => flag.ne(0), true],
  'a number of the entry': [({ last }) => last.gt(3), true],
  // The warps that copy do not know these.
  'what the loop carries': [({ acc }) => acc.reduceSum(1).reduceSum(0).gt(0), false],
  'data in registers': [({ left }) => left.cast('f32').reduceSum(1).reduceSum(0).gt(0), false],
};

/** Sums w . x over the pages that entries list. */
const sums = (hint: (known: Known) => boolean | Tile<'bool', readonly []>) =>
  traced((k) => {
    const w = k.input('w', 'f16', [16, width]);
    const x = k.input('x', 'f16', [pages, rows, width]);
    const entries = k.input('entries', 'i32', [3, 2]);
    const out = k.output('out', 'f32', [16, rows]);
    const flag = k.scalar('flag', 'i32');
    const left = w.load([k.iota(16).expand(1), k.iota(width).expand(0)]);
    const { acc } = k.ragged(
      { from: 0, to: 3, trips: (e) => entries.at(e, 1).sub(entries.at(e, 0)) },
      { acc: k.zeros([16, rows], 'f32') },
      (e, step, { acc }) => {
        const place = [entries.at(e, 0).add(step), k.iota(rows).expand(1), k.iota(width).expand(0)] as const;
        const right = x.load(place, { evictFirst: hint({ left, acc, flag, last: entries.at(e, 1) }) });
        return { acc: acc.add(k.dot(left, right.T)) };
      },
    );
    out.store([k.iota(16).expand(1), k.iota(rows).expand(0)], acc);
  });

const given = {
  w: Float64Array.from({ length: 16 * width }, (_, i) => ((i * 7) % 5) - 2),
  x: Float64Array.from({ length: pages * rows * width }, (_, i) => ((i * 5) % 7) - 3),
  entries: [0, 3, 2, 6, 5, 6],
};

describe.each(Object.entries(hints))('a hint by %s', (_, [hint, kept]) => {
  it.each([0, 1].flatMap((flag) => ['cuda:sm_80', 'cuda:sm_90a'].map((target) => ({ flag, target }))))(
    'changes no result and keeps no load from running ahead: $target, flag $flag',
    ({ flag, target }) => {
      const kernel = sums(hint);
      const lowered = lowerKernel({ ...kernel, tile: { stages: 3, producers: 1 } }, findTarget(target)!);
      const copies: boolean[] = [];
      let waits = 0;
      walkStmts(lowered.body, (s) => {
        if (s.s === 'tensorCopy') copies.push(s.evictFirst !== undefined);
        if (s.s === 'mbarrierWait') waits++;
      });
      // A ring, whatever the hint is.
      expect(waits).toBe(2);
      expect(new Set(copies)).toEqual(new Set(target === 'cuda:sm_90a' ? [kept] : []));
      const scalars = { flag };
      const arrays = new Map([
        ['w', encodeArray('f16', given.w)],
        ['x', encodeArray('f16', given.x)],
        ['entries', encodeArray('i32', given.entries)],
        ['out', poisoned('f32', 16 * rows)],
      ]);
      expect(simulate(lowered, [1, 1, 1], arrays, scalars).errors).toEqual([]);
      expect([...decodeArray('f32', arrays.get('out')!)]).toEqual(
        run(kernel, given, [1, 1, 1], scalars).out['out'],
      );
    },
  );
});
