/**
 * `trace:FILE.jsonl,at=SECONDS,batch=N`: a request trace replayed with continuous batching up to a moment, and the decode
 * batch that is running then. One JSON object a line: `timestamp` (ms), `input_length`, `output_length`, `hash_ids` (one id
 * per 512 tokens of prompt; equal ids mean equal content).
 *
 * The model of the server: steps of `stepMs`; a request is admitted first come first served when the batch has room and the
 * KV budget holds its prompt and its output; it decodes one token a step and leaves after the last. Sequences share a page
 * only where every id up to and including the page's tokens is equal, and only full pages: decoding writes behind the prompt.
 */
import { z } from 'zod';
import { PatcError, type Diagnostic } from '../../../compiler/diagnostics/error.ts';
import type { BatchInput } from '../batch.ts';

const requestSchema = z.object({
  timestamp: z.number().min(0),
  input_length: z
    .number()
    .int()
    .min(1)
    .max(1 << 30),
  output_length: z
    .number()
    .int()
    .min(1)
    .max(1 << 30),
  hash_ids: z.array(z.number().int()),
});

export type Request = z.infer<typeof requestSchema>;

export interface TraceOptions {
  readonly atSeconds: number;
  readonly batch: number;
  readonly budgetTokens: number;
  readonly stepMs: number;
}

export const tokensPerHash = 512;

export interface Running {
  readonly request: Request;
  /** Tokens generated so far, at least 1. */
  generated: number;
}

/** Throws PAT0507 with the line of every fault. */
export function parseTrace(text: string, file: string): Request[] {
  const faults: Diagnostic[] = [];
  const requests: Request[] = [];
  text.split('\n').forEach((line, i) => {
    if (line.trim() === '') return;
    const fault = (message: string) =>
      faults.push({ code: 'PAT0507', message, span: { file, line: i + 1, column: 1 } });
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch (error) {
      return fault(`not a JSON object: ${(error as Error).message}`);
    }
    const parsed = requestSchema.safeParse(value);
    if (!parsed.success)
      for (const issue of parsed.error.issues) fault(`${issue.path.join('.') || 'line'}: ${issue.message}`);
    else if (parsed.data.hash_ids.length * tokensPerHash < parsed.data.input_length)
      fault(
        `input_length ${parsed.data.input_length} needs ${Math.ceil(parsed.data.input_length / tokensPerHash)} hash_ids, found ${parsed.data.hash_ids.length}`,
      );
    else requests.push(parsed.data);
  });
  const [first, ...rest] = faults.slice(0, 20);
  if (first) throw new PatcError(first, ...rest);
  return requests.sort((a, b) => a.timestamp - b.timestamp);
}

/** What runs at `atSeconds`, in order of admission. */
export function replay(requests: readonly Request[], options: TraceOptions): Running[] {
  const { batch, budgetTokens, stepMs } = options;
  const end = options.atSeconds * 1000;
  let running: Running[] = [];
  let used = 0;
  let waiting = 0;
  const need = (r: Request) => r.input_length + r.output_length;
  for (let now = 0; ;) {
    while (waiting < requests.length && running.length < batch) {
      const request = requests[waiting]!;
      // A request that could never fit is turned away.
      if (need(request) > budgetTokens) waiting++;
      else if (request.timestamp > now || used + need(request) > budgetTokens) break;
      else {
        used += need(request);
        running.push({ request, generated: 1 });
        waiting++;
      }
    }
    // Nothing changes before the next arrival or departure: take all steps until then at once.
    const leave = Math.min(...running.map((r) => r.request.output_length - r.generated + 1), Infinity);
    const arrival =
      waiting < requests.length && running.length < batch ? requests[waiting]!.timestamp : Infinity;
    const toArrival = arrival > now ? Math.ceil((arrival - now) / stepMs) : Infinity;
    const steps = Math.max(1, Math.min(leave, toArrival));
    const toEnd = Math.floor((end - now) / stepMs);
    if (steps > toEnd || !Number.isFinite(steps)) {
      for (const r of running) r.generated += Math.max(0, toEnd);
      return running.filter((r) => r.generated <= r.request.output_length);
    }
    now += steps * stepMs;
    for (const r of running) r.generated += steps;
    for (const r of running) if (r.generated > r.request.output_length) used -= need(r.request);
    running = running.filter((r) => r.generated <= r.request.output_length);
  }
}

export function traceBatch(text: string, file: string, page: number, options: TraceOptions): BatchInput {
  const pool = new Map<string, number>();
  let next = 0;
  const sequences = replay(parseTrace(text, file), options).map(({ request, generated }) => {
    const pages: number[] = [];
    for (let i = 0; (i + 1) * page <= request.input_length; i++) {
      const ids = request.hash_ids.slice(
        Math.floor((i * page) / tokensPerHash),
        Math.floor(((i + 1) * page - 1) / tokensPerHash) + 1,
      );
      // The page before stands for everything before it.
      const key = `${i === 0 ? '' : pages[i - 1]}:${ids.join()}:${i}`;
      let id = pool.get(key);
      if (id === undefined) pool.set(key, (id = next++));
      pages.push(id);
    }
    const length = request.input_length + generated;
    while (pages.length * page < length) pages.push(next++);
    return { length, pages };
  });
  return { page, sequences, poolPages: Math.max(1, next) };
}
