/**
 * A hundred random tile programs on everything that can run a kernel. The same ones each time; PATC_SEED starts elsewhere,
 * and scripts/random-programs.ts runs thousands and makes a failing one small.
 */
import { afterAll, expect, test } from 'vitest';
import { PatcError } from '../../compiler/diagnostics/error.ts';
import { everywhere, judge, openWebGpu, type Executor } from '../support/executors.ts';
import { seededProgram } from '../support/random-program.ts';
import { caseOf } from '../support/shrink.ts';

const first = Number(process.env.PATC_SEED ?? 1);

async function failures(executors: readonly Executor[], count: number): Promise<string[]> {
  const found: string[] = [];
  let agreed = 0;
  for (let seed = first; seed < first + count; seed++)
    for (const { executor, outcome, message } of await judge(caseOf(seededProgram(seed)), executors)) {
      if (outcome === 'failed') found.push(`seed ${seed}: ${executor}: ${message}`);
      if (outcome === 'agreed') agreed++;
    }
  // A target may refuse a program that does not fit it; that must be the exception.
  expect(agreed).toBeGreaterThan(0.9 * (count * executors.length - found.length));
  return found;
}

test('passes, text and every lowering agree with the interpreter', async () => {
  expect(await failures(everywhere, 100)).toEqual([]);
});

const webGpu = await openWebGpu().catch((error: unknown) => {
  if (error instanceof PatcError && error.exitCode === 3) return undefined;
  throw error;
});
afterAll(() => webGpu?.close());

test.skipIf(!webGpu)('so does WebGPU', async () => {
  expect(await failures([webGpu!], 20)).toEqual([]);
});
