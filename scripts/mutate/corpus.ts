/** The corpus for mutation testing: on the interpreter after passes and on the simulator of one target of each kind. */
import { describe, expect, test } from 'vitest';
import { corpus } from '../../test/support/corpus.ts';
import { afterPasses, disagreements, simulator } from '../../test/support/executors.ts';

describe.each([afterPasses, simulator('cuda:sm_80'), simulator('wgsl')])('$name', (executor) => {
  test.each(corpus)('$name', async (c) => {
    expect(await disagreements(c, [executor])).toEqual([]);
  });
});
