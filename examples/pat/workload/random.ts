/**
 * `random:SEED,batch=N`: a ragged forest like a server's decode batch. Some system prompts (several roots), under each some
 * documents, forks that share everything up to a partly filled page, sequences with nothing shared, private tails of any
 * length. Sizes are modest, so that a software GPU finishes. Page ids are scattered over the pool.
 */
import { Random } from '../../../compiler/ir/random.ts';
import type { BatchInput, SequenceInput } from '../batch.ts';

export interface RandomOptions {
  readonly seed: number;
  readonly batch: number;
  /** Multiplies every length; 1 keeps a sequence near 300 tokens. */
  readonly scale: number;
}

export function randomBatch({ seed, batch, scale }: RandomOptions, page: number): BatchInput {
  const random = new Random(seed);
  const tokens = (lo: number, hi: number) => Math.max(1, Math.floor(random.integer(lo, hi) * scale));
  let next = 0;
  const extend = (pages: readonly number[], length: number): number[] => {
    const out = pages.slice(0, Math.ceil(length / page));
    while (out.length * page < length) out.push(next++);
    return out;
  };
  const whole = (length: number) => Math.max(1, Math.floor(length / page)) * page;
  const prompts = Array.from({ length: Math.max(1, Math.min(3, Math.floor(batch / 16))) }, () => {
    const length = whole(tokens(48, 320));
    const pages = extend([], length);
    const documents = Array.from({ length: random.integer(1, 4) }, () => {
      const end = length + whole(tokens(32, 256));
      return { length: end, pages: extend(pages, end) };
    });
    return { length, pages, documents };
  });
  const sequences: SequenceInput[] = [];
  while (sequences.length < batch) {
    const kind = random.integer(0, 20);
    const prompt = random.pick(prompts);
    if (kind < 2) {
      const length = tokens(8, 400);
      sequences.push({ length, pages: extend([], length) });
    } else if (kind < 4 && sequences.length > 0) {
      // A fork in the middle of decoding: the same pages, the last of them partly filled.
      const parent = random.pick(sequences);
      const length = Math.max(1, parent.length - random.integer(0, Math.min(parent.length, page)));
      sequences.push({ length, pages: parent.pages.slice(0, Math.ceil(length / page)) });
    } else {
      const stem = kind < 13 ? random.pick(prompt.documents) : prompt;
      const length = stem.length + (random.integer(0, 12) === 0 ? tokens(200, 600) : tokens(4, 160));
      sequences.push({ length, pages: extend(stem.pages, length) });
    }
  }
  const names = shuffled(random, next);
  return {
    page,
    poolPages: Math.max(1, next),
    sequences: sequences.map((s) => ({ length: s.length, pages: s.pages.map((id) => names[id]!) })),
  };
}

function shuffled(random: Random, n: number): Int32Array {
  const ids = Int32Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = random.integer(0, i + 1);
    [ids[i], ids[j]] = [ids[j]!, ids[i]!];
  }
  return ids;
}
