/** What unrolled loops add to an index, apart from the rest. */
import { expect, test } from 'vitest';
import { splitSteps } from '../../../backends/cuda/emit/steps.ts';
import { add, constI, mul, Registers, threadId, varRef } from '../../../compiler/thread/build.ts';
import { printExpr } from '../../../compiler/thread/print.ts';
import type { Expr } from '../../../compiler/thread/nodes.ts';

const registers = new Registers();
const [i, at] = ['i', 'at'].map((name) => registers.scalar(name, 'i32')) as [never, never];
const shown = (e: Expr): string[] | undefined => {
  const split = splitSteps(e, new Set([i]));
  return split && [printExpr(split.rest), printExpr(split.step)];
};

test('sums and multiples are split', () => {
  const row = add(mul(threadId(), 16), mul(varRef(i), 8));
  expect(shown(add(mul(row, 4096), add(varRef(at), mul(varRef(i), 2))))).toEqual([
    'thread * 65536 + at',
    'i * 32768 + i * 2',
  ]);
});

test('an index that no unrolled loop moves, or nothing else, stays whole', () => {
  expect(shown(add(varRef(at), constI(8)))).toBeUndefined();
  expect(shown(mul(varRef(i), 8))).toBeUndefined();
});
