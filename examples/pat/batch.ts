/**
 * A decode batch: sequences, each a list of KV pages and a length in tokens, and the attention heads that read them.
 * Everything after this file works on `Batch`: flat arrays, checked once.
 */
import { z } from 'zod';
import { PatcError, type Diagnostic } from '../../compiler/diagnostics/error.ts';
import { checkHeads, type Heads } from './heads.ts';

/** One row of the batch per query token; lengths in tokens, page ids below `pageCount`. */
export interface Batch extends Heads {
  /** Tokens per KV page. */
  readonly page: number;
  /** Pages in the pool: every id in `pages` is below it. */
  readonly pageCount: number;
  /** [sequences] tokens that the sequence's query attends to. */
  readonly lengths: Int32Array;
  /** [sequences] where the sequence's page list begins in `pages`. */
  readonly tableBegin: Int32Array;
  /** Page lists one after another; query tokens of one sequence share theirs. */
  readonly pages: Int32Array;
  /** [sequences] which input sequence this row came from (differs from its index with several query tokens). */
  readonly source: Int32Array;
}

/** A sequence as given: `queries` query tokens at its end (default 1), causal among themselves. */
export interface SequenceInput {
  readonly length: number;
  readonly pages: readonly number[];
  readonly queries?: number | undefined;
}

export interface BatchInput {
  readonly page: number;
  readonly sequences: readonly SequenceInput[];
  /** Pages in the pool; default: the largest id + 1. */
  readonly poolPages?: number | undefined;
}

const count = z
  .number()
  .int()
  .min(1)
  .max(1 << 30);

export const batchSchema = z.strictObject({
  page: count,
  poolPages: count.optional(),
  sequences: z.array(
    z.strictObject({
      length: z
        .number()
        .int()
        .min(0)
        .max(1 << 30),
      pages: z.array(z.number()),
      queries: count.optional(),
    }),
  ),
  heads: z.string().optional(),
  headDim: z.number().optional(),
  dtype: z.string().optional(),
});

export type BatchFile = z.infer<typeof batchSchema>;

const maxReported = 20;

/** Throws PAT0501 (shape), PAT0502 (page ids) or PAT0503 (lengths), every fault listed with its position. */
export function makeBatch(input: BatchInput, heads: Heads, where = 'batch'): Batch {
  checkHeads(heads);
  const faults: Diagnostic[] = [];
  const { page, sequences } = input;
  const pool = input.poolPages ?? Infinity;
  let total = 0;
  let rows = 0;
  for (const s of sequences) {
    total += s.pages.length;
    rows += s.queries ?? 1;
  }
  const batch = {
    ...heads,
    page,
    lengths: new Int32Array(rows),
    tableBegin: new Int32Array(rows),
    pages: new Int32Array(total),
    source: new Int32Array(rows),
  };
  let largest = -1;
  let at = 0;
  let row = 0;
  sequences.forEach((s, i) => {
    const name = `${where}: sequences[${i}]`;
    const queries = s.queries ?? 1;
    if (s.length > s.pages.length * page) faults.push(tooLong(name, s, page));
    if (queries > 1 && queries > s.length) faults.push(tooManyQueries(name, s));
    s.pages.forEach((id, j) => {
      if (!Number.isInteger(id) || id < 0 || id >= Math.min(pool, 1 << 30))
        faults.push(badPage(name, j, id, pool));
      if (id > largest) largest = id;
      batch.pages[at + j] = id;
    });
    for (let q = 0; q < queries; q++) {
      batch.lengths[row] = s.length - queries + 1 + q;
      batch.tableBegin[row] = at;
      batch.source[row] = i;
      row++;
    }
    at += s.pages.length;
  });
  const [first, ...rest] = faults.slice(0, maxReported);
  if (first) throw new PatcError(first, ...rest);
  return { ...batch, pageCount: Math.max(1, input.poolPages ?? largest + 1) };
}

const tooLong = (name: string, s: SequenceInput, page: number): Diagnostic => ({
  code: 'PAT0503',
  message: `${name}: length ${s.length} needs ${Math.ceil(s.length / page)} pages of ${page} tokens, its table has ${s.pages.length}`,
  notes: [{ text: `${s.pages.length} pages * ${page} tokens = ${s.pages.length * page} < ${s.length}` }],
  help: 'give the sequence every page that holds its tokens, or correct its length',
});

const tooManyQueries = (name: string, s: SequenceInput): Diagnostic => ({
  code: 'PAT0501',
  message: `${name}: ${s.queries} query tokens, but only ${s.length} tokens`,
  help: 'the query tokens are the last tokens of the sequence, so `length` includes them',
});

const badPage = (name: string, at: number, id: number, pool: number): Diagnostic => ({
  code: 'PAT0502',
  message: `${name}.pages[${at}]: ${id} is not a page id`,
  notes: [{ text: `page ids are integers from 0 to ${Number.isFinite(pool) ? pool - 1 : (1 << 30) - 1}` }],
});

/** Page ids of one row's tokens, for printing and dumping. */
export const pagesOf = (batch: Batch, sequence: number): Int32Array => {
  const begin = batch.tableBegin[sequence]!;
  return batch.pages.subarray(begin, begin + Math.ceil(batch.lengths[sequence]! / batch.page));
};
