/** The serving batch of planner.cpp, number for number. */
import { makeBatch, type Batch } from '../../examples/pat/batch.ts';

const page = 16;
const prompt = 2112;
const document = 1024;

export function serving(sequences: number): Batch {
  let state = 1;
  const draw = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 8;
  const shared = prompt / page;
  const pagesPerDocument = document / page;
  let next = shared + 4 * pagesPerDocument;
  const list = Array.from({ length: sequences }, (_, s) => {
    const length = prompt + (s % 2) * document + 200 + (draw() % 3001);
    const pages = Array.from({ length: Math.ceil(length / page) }, (_, i) => {
      if (i < shared) return i;
      if (s % 2 && i < shared + pagesPerDocument) return i + (Math.floor(s / 2) % 4) * pagesPerDocument;
      return next++;
    });
    return { length, pages };
  });
  return makeBatch({ page, sequences: list }, { qHeads: 32, kvHeads: 8, headDim: 128, dtype: 'f16' });
}
