/**
 * Random forests of every class that planning must survive, small enough to check by the thousand: several roots, ragged
 * depth, sequences that end inside another's path, duplicates, partly filled shared pages, lengths of 1 and 0, several query
 * tokens, tables longer than needed, pages used in unrelated places. The same seed gives the same batch everywhere.
 */
import { Random } from '../../../compiler/ir/random.ts';
import type { BatchInput, SequenceInput } from '../batch.ts';
import type { Heads } from '../heads.ts';

export interface GeneratedForest {
  readonly input: BatchInput;
  readonly heads: Heads;
}

const pages = [1, 2, 8, 16, 16, 16, 32, 48, 64, 128] as const;
const groups = [1, 2, 3, 4, 4, 5, 6, 7, 8, 16] as const;

export function generateForest(seed: number, largest = 40): GeneratedForest {
  const random = new Random(seed);
  const page = random.pick(pages);
  const group = random.pick(groups);
  const kvHeads = random.pick([1, 2, 4, 8]);
  const count = random.integer(0, 12) === 0 ? random.integer(0, 3) : random.integer(1, largest);
  const kind = random.integer(0, 6);
  let next = random.integer(0, 1000);
  const fresh = () => next++;
  const sequences: SequenceInput[] = [];
  const tokens = () =>
    random.pick([1, random.integer(1, 2 * page + 1), random.integer(1, 200), random.integer(1, 3000)]);
  const add = (table: number[], length: number): void => {
    while (table.length * page < length) table.push(fresh());
    const spare = random.integer(0, 8) === 0 ? [fresh()] : [];
    const queries =
      length > 1 && random.integer(0, 12) === 0 ? random.integer(1, Math.min(5, length) + 1) : undefined;
    sequences.push({ length, pages: [...table, ...spare], ...(queries ? { queries } : {}) });
  };
  while (sequences.length < count) {
    const earlier = sequences.length > 0 ? random.pick(sequences) : undefined;
    const choice = kind === 5 ? 0 : random.integer(0, 8);
    if (!earlier || choice <= 1) add([], random.integer(0, 15) === 0 ? 0 : tokens());
    // The same tokens, or fewer of them, possibly ending inside a page.
    else if (choice === 2)
      add([...earlier.pages], random.integer(0, 2) ? earlier.length : random.integer(0, earlier.length + 1));
    // The same pages up to some point, then its own.
    else if (choice <= 6) {
      const keep = random.integer(0, Math.ceil(earlier.length / page) + 1);
      add(earlier.pages.slice(0, keep), keep * page + (random.integer(0, 6) === 0 ? 0 : tokens()));
    }
    // Pages of another sequence in the middle of its own: equal ids, different prefix.
    else
      add([fresh(), ...earlier.pages.slice(0, 3), fresh()], (2 + Math.min(3, earlier.pages.length)) * page);
  }
  const heads = { qHeads: group * kvHeads, kvHeads, headDim: 64, dtype: 'f16' as const };
  return { input: { page, sequences: sequences.slice(0, count) }, heads };
}
