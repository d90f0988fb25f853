/** What a plan reads and how long it should take, for reports. */
import { tokenBytes } from './heads.ts';
import { usedTokens } from './inputs.ts';
import { entryInts } from './packlist.ts';
import type { Plan } from './plan.ts';
import { predict } from './predict.ts';
import { packRows } from './tables.ts';

export interface PlanSummary {
  readonly packs: number;
  /** Partial slots: parts whose results are merged. */
  readonly splits: number;
  /** K and V bytes if every page in use were read once. */
  readonly uniqueKvBytes: number;
  /** K and V bytes that the packs read. */
  readonly readKvBytes: number;
  /** The same with one query per block: every sequence reads all of its own. */
  readonly separateKvBytes: number;
  /** Time to plan, host, microseconds. */
  readonly planUs: number;
  /** Of all launches, by the cost model. */
  readonly predictedUs: number;
  readonly packing: string;
}

export function summarise(plan: Plan, planUs: number): PlanSummary {
  const { batch, tables } = plan;
  const bytes = batch.kvHeads * tokenBytes(batch);
  let read = 0;
  for (let e = 0; e < tables.entries.length; e += entryInts)
    read += tables.entries[e + 2]! - tables.entries[e + 1]!;
  return {
    packs: packRows(tables),
    splits: tables.slots,
    uniqueKvBytes: sum(usedTokens(batch)) * bytes,
    readKvBytes: read * bytes,
    separateKvBytes: sum(batch.lengths) * bytes,
    planUs,
    predictedUs: predict(plan).time / 1e6,
    packing: plan.packing,
  };
}

export function sum(values: Int32Array): number {
  let total = 0;
  for (const v of values) total += v;
  return total;
}
