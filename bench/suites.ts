/** The recorded benchmarks: which batches, heads, types and pages. */

export interface BenchCase {
  /** Workload text, as `--workload` takes it. */
  readonly tree: string;
  /** Query heads / KV heads. */
  readonly heads: string;
  readonly dtype: 'f16' | 'bf16';
  readonly headDim: number;
  readonly page: number;
}

export interface Suite {
  readonly name: string;
  readonly about: string;
  readonly cases: readonly BenchCase[];
}

/** The paper's 20 trees (figure 10), in its order; the last two share nothing. */
export const paperTrees: readonly string[] = [
  '1,10_4096,416',
  '1,256_256,32',
  '1,1024_2048,32',
  '1,2,64_1024,256,256',
  '1,4,256_32,256,32',
  '1,8,512_32,512,256',
  '1,8,512_32,2048,256',
  '1,8,512_512,512,256',
  '1,4,8,256_32,256,256,32',
  '1,4,16,512_1024,256,128,32',
  '1,4,16,64,256,1024_256,32,256,64,32,256',
  '1,16,32,64,128,1024_256,128,64,32,32,32',
  '1,16,32,64,256,1024_256,128,64,32,32,32',
  '1,8,16,32,64,128,1024_256,128,64,32,32,32,32',
  '1,8,16,32,64,256,1024_256,128,64,32,32,32,32',
  '2,8,16,256_256,256,32,32',
  '4,16,256,512_512,32,128,32',
  '8,16,32,256_512,512,256,32',
  '256_1024',
  '256_4096',
];
export const paperHeads: readonly string[] = ['32/32', '16/8', '32/8', '64/8'];

/** Trees that stand for the rest: many short leaves, few long ones, deep, wide, no sharing. */
const fewTrees = [
  '1,10_4096,416',
  '1,256_256,32',
  '1,4,16,512_1024,256,128,32',
  '1,8,16,32,64,128,1024_256,128,64,32,32,32,32',
  '8,16,32,256_512,512,256,32',
  '256_1024',
];

const usual = { dtype: 'f16', headDim: 128, page: 32 } as const;
const cross = (
  trees: readonly string[],
  heads: readonly string[],
  more: Partial<BenchCase> = {},
): BenchCase[] => heads.flatMap((h) => trees.map((tree) => ({ tree, heads: h, ...usual, ...more })));
const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1);

export const suites: readonly Suite[] = [
  {
    name: 'fig10',
    about: 'the paper’s 20 trees x 4 head configurations',
    cases: cross(paperTrees, paperHeads),
  },
  {
    name: 'quick',
    about: 'eight cases of fig10 that finish in seconds',
    cases: [
      ...cross(['1,256_256,32', '1,4,16,512_1024,256,128,32'], paperHeads.slice(1)),
      ...cross(['256_1024', '1,10_4096,416'], ['16/8']),
    ],
  },
  { name: 'page16', about: 'pages of 16 tokens', cases: cross(paperTrees, ['32/8'], { page: 16 }) },
  { name: 'bf16', about: 'bfloat16', cases: cross(paperTrees, ['32/8'], { dtype: 'bf16' }) },
  { name: 'hd64', about: 'head dim 64', cases: cross(fewTrees, ['32/8', '64/8'], { headDim: 64 }) },
  { name: 'hd256', about: 'head dim 256', cases: cross(fewTrees, ['32/8', '16/8'], { headDim: 256 }) },
  {
    name: 'groups',
    about: 'ratios of 3, 5, 6, 7 and 16 query heads to a KV head',
    cases: cross(fewTrees, ['24/8', '40/8', '48/8', '56/8', '64/4']),
  },
  {
    name: 'small',
    about: 'batches of 1 to 8, with and without a shared prefix',
    cases: upTo(8).flatMap((b) =>
      cross([`${b}_2048`, ...(b > 1 ? [`1,${b}_2048,256`] : [])], ['32/8', '32/32']),
    ),
  },
  {
    name: 'unshared',
    about: 'no shared prefix',
    cases: cross(['16_8192', '64_1024', '128_2048', '256_1024', '512_512', '1024_256'], ['32/8', '32/32']),
  },
  {
    name: 'ragged',
    about: 'random serving-like forests, lengths and sharing of every kind',
    cases: upTo(12).flatMap((seed) =>
      cross([`random:${seed},batch=${[16, 64, 128, 256][seed % 4]}`], [paperHeads[seed % 4]!], { page: 16 }),
    ),
  },
  {
    name: 'decode',
    about: 'one batch of 64 while its private tails grow token by token over page boundaries',
    cases: cross(
      [1, 2, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128].map((t) => `1,64_2048,${t}`),
      ['32/8'],
      {
        page: 16,
      },
    ),
  },
];

export const findSuite = (name: string): Suite | undefined => suites.find((s) => s.name === name);
