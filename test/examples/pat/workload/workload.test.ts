import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PatcError } from '../../../../compiler/diagnostics/error.ts';
import { checkCoverage } from '../../../../examples/pat/coverage.ts';
import { buildForest } from '../../../../examples/pat/forest.ts';
import { forestNodes } from '../../../../examples/pat/packers/nodes.ts';
import { makePlan } from '../../../../examples/pat/plan.ts';
import { loadWorkload, type WorkloadOptions } from '../../../../examples/pat/workload/index.ts';
import { replay } from '../../../../examples/pat/workload/trace.ts';
import { costsFor } from '../helpers.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'patc-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const write = (name: string, text: string): string => {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
};

const codes = (text: string, options: WorkloadOptions = {}): string[] => {
  try {
    loadWorkload(text, options);
    return [];
  } catch (error) {
    if (!(error instanceof PatcError)) throw error;
    return error.diagnostics.map((d) => `${d.code} ${d.message.replace(folder, '')}`);
  }
};

/** The paper's trees, with the number of forest nodes. */
const trees: [string, number][] = [
  ['1,10_4096,416', 11],
  ['1,2,64_1024,256,256', 67],
  ['1,4,16,512_1024,256,128,32', 533],
  ['8,16,32,256_512,512,256,32', 312],
  ['256_1024', 256],
];

describe('workloads', () => {
  it.each(trees)('tree %s', (text, nodes) => {
    const batch = loadWorkload(text, { page: 32 });
    expect(forestNodes(batch, buildForest(batch))).toHaveLength(nodes);
    expect(batch.lengths.length).toBe(Number(text.split('_')[0]!.split(',').at(-1)));
  });

  it('divides a tree unevenly: the first nodes get one child more', () => {
    const batch = loadWorkload('2,5_32,16', { page: 16 });
    expect(forestNodes(batch, buildForest(batch)).map((n) => n.end - n.begin)).toEqual([3, 1, 1, 1, 2, 1, 1]);
  });

  it('random: ragged, several roots, partly filled shared pages; the same seed gives the same batch', () => {
    const batch = loadWorkload('random:7,batch=64', {});
    expect(loadWorkload('random:7,batch=64', {})).toEqual(batch);
    const nodes = forestNodes(batch, buildForest(batch));
    expect(nodes.filter((n) => n.parent < 0).length).toBeGreaterThan(2);
    expect(nodes.some((n) => n.end - n.begin > 1 && n.ending > 0 && n.to % 16 !== 0)).toBe(true);
    checkCoverage(batch, makePlan(batch, costsFor(batch)).tables);
  });

  it('batch file with everything in it', () => {
    const file = write(
      'b.json',
      '{"page": 8, "heads": "6/2", "headDim": 80, "dtype": "bf16", "sequences": [{"length": 10, "pages": [4, 9], "queries": 3}]}',
    );
    const batch = loadWorkload(`batch:${file}`, {});
    expect(batch).toMatchObject({
      page: 8,
      qHeads: 6,
      kvHeads: 2,
      headDim: 80,
      dtype: 'bf16',
      pageCount: 10,
    });
    // Three query tokens, causal among themselves, one page list.
    expect([...batch.lengths]).toEqual([8, 9, 10]);
    expect([...batch.tableBegin]).toEqual([0, 0, 0]);
  });

  it('an empty batch has an empty plan', () => {
    const batch = loadWorkload(`batch:${write('e.json', '{"page": 16, "sequences": []}')}`, {});
    const { tables } = makePlan(batch, costsFor(batch));
    checkCoverage(batch, tables);
    expect(tables.shapes).toEqual([]);
  });

  it.each<[string, WorkloadOptions, string]>([
    ['nonsense', {}, "PAT0501 'nonsense' is not a workload"],
    ['1,2_3', {}, "PAT0501 tree '1,2_3': 2 levels of nodes, 1 of tokens"],
    ['4,2_3,3', {}, "PAT0501 tree '4,2_3,3': level 2 has 2 nodes, fewer than the 4 above it"],
    ['0_5', {}, "PAT0501 tree '0_5': level 1 needs at least 1 node and 0 tokens"],
    ['1,_5,5', {}, "PAT0501 tree '1,_5,5': level 2 needs at least 1 node and 0 tokens"],
    ['random:x,batch=3', {}, "PAT0501 'random:x,batch=3': SEED 'x' is not a whole number"],
    ['random:1,btch=3', {}, "PAT0501 'random:1,btch=3': unexpected 'btch=3', expected batch=… or scale=…"],
    ['batch:/nowhere/b.json', {}, 'PAT0604 cannot read /nowhere/b.json'],
    ['trace:/nowhere/t.jsonl,at=3', {}, 'PAT0604 cannot read /nowhere/t.jsonl'],
    ['1_5', { heads: '32/5' }, 'PAT0504 heads 32/5: 5 KV heads do not divide 32 query heads'],
    ['1_5', { heads: '32' }, "PAT0504 heads '32': expected QUERY_HEADS/KV_HEADS, for example 32/8"],
    ['1_5', { heads: '64/2' }, 'PAT0504 heads 64/2: 32 query heads per KV head, at most 16 are supported'],
    ['1_5', { headDim: 7 }, 'PAT0505 head dim 7: expected one of 64, 80, 96, 128, 192, 256'],
    ['1_5', { dtype: 'fp4' }, "PAT0501 dtype 'fp4': expected one of f16, bf16, f32"],
    ['1_5', { page: 0 }, 'PAT0501 page 0: expected a whole number of tokens'],
  ])('%s %j', (text, options, message) => {
    expect(codes(text, options).join('\n')).toContain(message);
  });

  it.each([
    [
      '{"page": 16, "sequences": [{"length": 5, "pages": [-1]}]}',
      'PAT0502 /x.json: sequences[0].pages[0]: -1 is not a page id',
    ],
    [
      '{"page": 16, "poolPages": 4, "sequences": [{"length": 5, "pages": [1]}, {"length": 5, "pages": [4]}]}',
      'PAT0502 /x.json: sequences[1].pages[0]: 4 is not a page id',
    ],
    ['{"page": 16, "sequences": [{"length": 5, "pages": [1.5]}]}', 'PAT0502'],
    [
      '{"page": 16, "sequences": [{"length": 33, "pages": [1, 2]}]}',
      'PAT0503 /x.json: sequences[0]: length 33 needs 3 pages of 16 tokens, its table has 2',
    ],
    ['{"page": 16, "sequences": [{"length": -1, "pages": []}]}', 'PAT0501 /x.json: sequences[0].length'],
    [
      '{"page": 16, "sequences": [{"length": 2, "pages": [1], "queries": 3}]}',
      'PAT0501 /x.json: sequences[0]: 3 query tokens, but only 2 tokens',
    ],
    ['{"page": 16, "sequence": []}', 'PAT0501 /x.json: sequences'],
    ['{"page": 16,\n "sequences": [}', 'PAT0501 /x.json is not JSON'],
    ['[]', 'PAT0501 /x.json: the document'],
  ])('batch file %s', (text, message) => {
    expect(codes(`batch:${write('x.json', text)}`).join('\n')).toContain(message);
  });

  it('lists every fault of a batch file', () => {
    const text = '{"page": 16, "sequences": [{"length": 99, "pages": [-1]}, {"length": 5, "pages": [2.5]}]}';
    expect(codes(`batch:${write('x.json', text)}`)).toHaveLength(3);
  });
});

describe('traces', () => {
  const request = (timestamp: number, input_length: number, output_length: number, hash_ids: number[]) => ({
    timestamp,
    input_length,
    output_length,
    hash_ids,
  });
  const options = { atSeconds: 1, batch: 8, budgetTokens: 1e6, stepMs: 100 };

  it('shares full pages of equal prefixes only', () => {
    const lines = [
      request(0, 1100, 50, [1, 2, 3]),
      request(0, 1100, 50, [1, 2, 4]),
      request(0, 1024, 50, [9, 2]),
    ];
    const file = write('t.jsonl', lines.map((l) => JSON.stringify(l)).join('\n'));
    const batch = loadWorkload(`trace:${file},at=1,batch=8`, { page: 48 });
    const { lcp } = buildForest(batch);
    // 1024 equal tokens are 21 pages of 48 and 16 tokens more; equal ids after another prefix are not shared.
    expect([...lcp]).toEqual([0, 1008, 0]);
  });

  it('replays continuous batching: arrivals, a full batch, a KV budget, departures', () => {
    const requests = [
      request(0, 10, 5, [1]),
      request(0, 10, 100, [1]),
      request(50, 10, 100, [1]),
      request(5000, 10, 9, [1]),
    ];
    const at = (seconds: number, more = {}) =>
      replay(requests, { ...options, atSeconds: seconds, ...more }).map((r) => [
        requests.indexOf(r.request),
        r.generated,
      ]);
    expect(at(0)).toEqual([
      [0, 1],
      [1, 1],
    ]);
    expect(at(0.3)).toEqual([
      [0, 4],
      [1, 4],
      [2, 3],
    ]);
    expect(at(1)).toEqual([
      [1, 11],
      [2, 10],
    ]);
    expect(at(0.3, { batch: 2 })).toEqual([
      [0, 4],
      [1, 4],
    ]);
    expect(at(1, { batch: 2 })).toEqual([
      [1, 11],
      [2, 6],
    ]);
    expect(at(0.3, { budgetTokens: 110 })).toEqual([[0, 4]]);
    expect(at(100)).toEqual([]);
  });

  it('reports every bad line', () => {
    const text = [
      '{"timestamp": 1',
      JSON.stringify(request(0, 600, 5, [1])),
      '{"timestamp": -1, "input_length": 3, "output_length": 1, "hash_ids": [1]}',
    ].join('\n');
    const file = write('bad.jsonl', text);
    try {
      loadWorkload(`trace:${file},at=1,batch=8`, {});
      expect.unreachable();
    } catch (error) {
      const found = (error as PatcError).diagnostics;
      expect(found.map((d) => d.code)).toEqual(['PAT0507', 'PAT0507', 'PAT0507']);
      expect(found.map((d) => d.span!.line)).toEqual([1, 2, 3]);
    }
  });
});
