/** The corpus and the example programs, run by everything that can run a kernel. */
import { afterAll, describe, expect, test } from 'vitest';
import { PatcError } from '../../compiler/diagnostics/error.ts';
import { corpus } from '../support/corpus.ts';
import { afterPasses, disagreements, everywhere, openWebGpu, type Executor } from '../support/executors.ts';

describe.each(everywhere)('$name', (executor) => {
  test.each(corpus)('$name', async (c) => {
    expect(await disagreements(c, [executor])).toEqual([]);
  });
});

const webGpu = await openWebGpu().catch((error: unknown) => {
  if (error instanceof PatcError && error.exitCode === 3) return undefined;
  throw error;
});
afterAll(() => webGpu?.close());

describe.skipIf(!webGpu)('WebGPU', () => {
  test.each(corpus)('$name', async (c) => {
    expect(await disagreements(c, [webGpu!])).toEqual([]);
  });
});

test('a wrong result, and an error, are told', async () => {
  const wrong: Executor = {
    name: 'wrong',
    async run(c) {
      const arrays = new Map(await afterPasses.run(c));
      for (const [name, array] of arrays) if (name === 'y') array[1]! *= 1.01;
      return arrays;
    },
  };
  const broken: Executor = {
    name: 'broken',
    run: () => Promise.reject(new Error('no')),
  };
  const found = await disagreements(corpus[0]!, [wrong, broken]);
  expect(found).toEqual([
    expect.stringMatching(/^wrong: 1 of 77 elements of y differ, first \[1\]: /),
    'broken: no',
  ]);
});
