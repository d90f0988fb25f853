/** The cases on which packings are compared. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { paperHeads, paperTrees } from '../suites.ts';
import { syntheticTrace } from './trace.ts';

export interface PackingCase {
  readonly kind: 'tree' | 'random' | 'trace' | 'small';
  /** As records name it. */
  readonly tree: string;
  /** As it loads: a trace is a file. */
  readonly workload: string;
  readonly heads: string;
  readonly page: number;
}

/** What a trace's file holds: named by it, so that the record says how to make it again. */
const traces = [
  { seed: 1, requests: 2000 },
  { seed: 2, requests: 2000 },
];

export class Traces {
  readonly #folder = mkdtempSync(path.join(tmpdir(), 'patc-traces-'));

  constructor() {
    for (const { seed, requests } of traces)
      writeFileSync(
        this.#file(seed),
        syntheticTrace(seed, requests)
          .map((r) => `${JSON.stringify(r)}\n`)
          .join(''),
      );
  }

  #file(seed: number): string {
    return path.join(this.#folder, `synthetic-${seed}.jsonl`);
  }

  case(seed: number, at: number, batch: number, heads: string): PackingCase {
    const more = `at=${at},batch=${batch}`;
    return {
      kind: 'trace',
      tree: `trace:synthetic-${seed},${more}`,
      workload: `trace:${this.#file(seed)},${more}`,
      heads,
      page: 32,
    };
  }

  close(): void {
    rmSync(this.#folder, { recursive: true });
  }
}

const plain = (kind: PackingCase['kind'], tree: string, heads: string): PackingCase => ({
  kind,
  tree,
  workload: tree,
  heads,
  page: 32,
});

/** `few`: what a minute and a half of a GPU measures, one head configuration; else everything. */
export function packingCases(traced: Traces, few: boolean): PackingCase[] {
  const heads = few ? ['32/8'] : paperHeads;
  const seeds = Array.from({ length: few ? 6 : 24 }, (_, i) => i + 1);
  const moments = few ? [20] : [10, 20, 30];
  return heads.flatMap((h) => [
    ...paperTrees.map((tree) => plain('tree', tree, h)),
    ...seeds.map((seed) => plain('random', `random:${seed},batch=${[64, 128, 256][seed % 3]!},scale=4`, h)),
    ...traces.flatMap(({ seed }) => moments.map((at) => traced.case(seed, at, [64, 128][seed % 2]!, h))),
  ]);
}

/** What a simulator finishes. */
export const smallCases: readonly PackingCase[] = [
  '1,3_32,40',
  '2,4_48,16',
  'random:3,batch=5,scale=0.2',
].map((tree) => plain('small', tree, '4/2'));
