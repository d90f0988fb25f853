/** Batches over time, for repair: a forest that decodes, with arrivals, departures and copies of shared partial pages. */
import { Random } from '../../../compiler/ir/random.ts';
import { makeBatch, type Batch, type SequenceInput } from '../../../examples/pat/batch.ts';
import { generateForest } from '../../../examples/pat/workload/generate.ts';

/** `stay`: sequences neither arrive nor leave. */
export function decodeSteps(seed: number, steps: number, stay = false): Batch[] {
  const random = new Random(seed ^ 0x5eed);
  const { input, heads } = generateForest(seed, 24);
  const { page } = input;
  let running: SequenceInput[] = [...input.sequences];
  let next = 1 << 20;
  const batches = [makeBatch({ page, sequences: running }, heads)];
  for (let step = 0; step < steps; step++) {
    // Mostly every sequence grows; sometimes only some, by several tokens, into a new page, or the batch changes.
    const some = random.integer(0, 4) === 0;
    running = running.map((s) => {
      if (s.length === 0 || (some && random.integer(0, 2))) return s;
      const length = s.length + (random.integer(0, 20) === 0 ? 3 : 1);
      const pages = [...s.pages];
      while (pages.length * page < length) pages.push(next++);
      return { ...s, length, pages };
    });
    if (!stay && random.integer(0, 10) === 0 && running.length > 1)
      running = running.filter((_, i) => i !== 1);
    if (!stay && random.integer(0, 10) === 0)
      running = [...running, { length: 3, pages: [next++, next++, next++] }];
    batches.push(makeBatch({ page, sequences: running }, heads));
  }
  return batches;
}
