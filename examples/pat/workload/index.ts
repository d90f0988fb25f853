/**
 * `--workload` text to a batch:
 *
 *   1,4,256_32,256,32                          the paper's trees                 tree.ts
 *   random:SEED,batch=N[,scale=X]              a ragged serving-like forest      random.ts
 *   batch:FILE.json                            an engine's block table           file.ts
 *   trace:FILE.jsonl,at=SECONDS,batch=N        a request trace, replayed         trace.ts
 *   FILE.work                                  the workload language             language/
 *
 */
import { fail } from '../../../compiler/diagnostics/error.ts';
import { makeBatch, type Batch, type BatchInput } from '../batch.ts';
import { parseHeads, type Dtype, type Heads } from '../heads.ts';
import { parseBatchFile, readText } from './file.ts';
import { workFileBatch } from './language/index.ts';
import { randomBatch } from './random.ts';
import { traceBatch } from './trace.ts';
import { isTree, treeBatch } from './tree.ts';

/** Batch flags; a workload file may set what is left undefined. */
export interface WorkloadOptions {
  readonly heads?: string | undefined;
  readonly headDim?: number | undefined;
  readonly page?: number | undefined;
  readonly dtype?: string | undefined;
}

/** What a workload file may say about the batch itself. */
export interface Workload extends WorkloadOptions {
  readonly input: BatchInput;
  readonly where: string;
}

export const defaults = { heads: '32/8', headDim: 128, page: 16, dtype: 'f16' } as const;

/** Throws PAT0501..0507 or PAT0604, every message with what was expected. */
export function loadWorkload(text: string, options: WorkloadOptions): Batch {
  const page = checkPage(options.page);
  const w = parse(text.trim(), page ?? defaults.page, options);
  if (page !== undefined && w.input.page !== page)
    fail('PAT0501', `${w.where} has pages of ${w.input.page} tokens, --page says ${page}`);
  const heads: Heads = {
    ...parseHeads(options.heads ?? w.heads ?? defaults.heads),
    headDim: options.headDim ?? w.headDim ?? defaults.headDim,
    dtype: (options.dtype ?? w.dtype ?? defaults.dtype) as Dtype,
  };
  return makeBatch(w.input, heads, w.where);
}

function parse(text: string, page: number, options: WorkloadOptions): Workload {
  if (isTree(text)) return { input: treeBatch(text, page), where: `tree ${text}` };
  if (text.startsWith('random:')) {
    const [seed, pairs] = arguments_(text.slice('random:'.length), ['batch', 'scale'], text);
    const input = randomBatch(
      {
        seed: natural(seed, 'SEED', text),
        batch: natural(pairs.batch ?? '64', 'batch', text),
        scale: positive(pairs.scale ?? '1', text),
      },
      page,
    );
    return { input, where: text };
  }
  if (text.startsWith('batch:')) {
    const file = text.slice('batch:'.length);
    const { heads, headDim, dtype, ...input } = parseBatchFile(readText(file), file);
    return { input, heads, headDim, dtype, where: file };
  }
  if (text.startsWith('trace:')) {
    const [file, pairs] = arguments_(text.slice('trace:'.length), ['at', 'batch', 'budget', 'step'], text);
    const input = traceBatch(readText(file), file, page, {
      atSeconds: positive(pairs.at ?? fail('PAT0501', `'${text}': at=SECONDS is missing`), text),
      batch: natural(pairs.batch ?? '256', 'batch', text),
      budgetTokens: natural(pairs.budget ?? '4000000', 'budget', text),
      stepMs: positive(pairs.step ?? '25', text),
    });
    return { input, where: text };
  }
  if (text.endsWith('.work')) return workFileBatch(readText(text), text, options, defaults.page);
  return fail('PAT0501', `'${text}' is not a workload`, {
    help: 'use a tree (1,4,256_32,256,32), random:SEED,batch=N, trace:FILE.jsonl,at=SECONDS,batch=N, batch:FILE.json or a .work file',
  });
}

/** `HEAD,name=value,…`; unknown names are refused. */
function arguments_(
  text: string,
  known: readonly string[],
  whole: string,
): [string, Record<string, string | undefined>] {
  const [head, ...rest] = text.split(',');
  const pairs: Record<string, string | undefined> = {};
  for (const part of rest) {
    const match = /^(\w+)=(.+)$/.exec(part);
    if (!match || !known.includes(match[1]!))
      fail(
        'PAT0501',
        `'${whole}': unexpected '${part}', expected ${known.map((k) => `${k}=…`).join(' or ')}`,
      );
    pairs[match[1]!] = match[2]!;
  }
  return [head!, pairs];
}

const natural = (text: string, name: string, whole: string): number =>
  /^\d{1,9}$/.test(text)
    ? Number(text)
    : fail('PAT0501', `'${whole}': ${name} '${text}' is not a whole number`);

const positive = (text: string, whole: string): number =>
  Number(text) >= 0 && Number.isFinite(Number(text))
    ? Number(text)
    : fail('PAT0501', `'${whole}': '${text}' is not a number of at least 0`);

function checkPage(page: number | undefined): number | undefined {
  if (page !== undefined && (!Number.isInteger(page) || page < 1 || page > 1 << 20))
    fail('PAT0501', `page ${page}: expected a whole number of tokens from 1 to ${1 << 20}`);
  return page;
}
