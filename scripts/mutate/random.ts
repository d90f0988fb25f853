/** The random programs of `npm test`, a test each, for mutation testing. */
import { expect, test } from 'vitest';
import { afterPasses, judge, simulator } from '../../test/support/executors.ts';
import { seededProgram } from '../../test/support/random-program.ts';
import { caseOf } from '../../test/support/shrink.ts';

const executors = [afterPasses, simulator('cuda:sm_80'), simulator('wgsl')];
test.each(Array.from({ length: 100 }, (_, i) => i + 1))('random program %i', async (seed) => {
  const verdicts = await judge(caseOf(seededProgram(seed)), executors);
  expect(verdicts.filter((v) => v.outcome === 'failed')).toEqual([]);
});
