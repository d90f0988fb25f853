/** What the CUDA path must compute right, as lists of runs of `pat`; nothing here is timed. */

export interface Check {
  readonly workload: string;
  readonly flags: Readonly<Record<string, string>>;
  readonly seed: number;
  /** Tile numbers to fix. */
  readonly tile?: Readonly<Record<string, number>>;
}

const defaults = { heads: '28/4', headDim: '128', page: '16', dtype: 'f16' };

/** Every dimension of the input space, one at a time, around one workload. */
export function matrixChecks(workload: string): Check[] {
  const vary = (name: string, values: readonly string[]): Check[] =>
    values.map((value) => ({ workload, seed: 7, flags: { ...defaults, [name]: value } }));
  return [
    { workload, seed: 7, flags: defaults },
    ...vary('heads', ['5/5', '24/8', '40/8', '48/8', '32/2', '8/8']),
    ...vary('headDim', ['64', '80', '96', '192', '256']),
    ...vary('page', ['1', '8', '32', '48', '128']),
    ...vary('dtype', ['bf16']),
    ...vary('packing', ['pat', 'node', 'none']),
    { workload, seed: 7, flags: { ...defaults, dtype: 'bf16', headDim: '64', page: '32', heads: '64/4' } },
  ];
}

/** One check per tile shape that compiles, on shared, private, partial and empty parts. */
export function tileChecks(workload: string, tiles: readonly Readonly<Record<string, number>>[]): Check[] {
  return tiles.map((tile) => ({ workload, seed: 11, flags: { ...defaults, heads: '16/4' }, tile }));
}

/** Random ragged batches of few specialisations: what varies is the forest, the lengths and the numbers. */
export function soakChecks(count: number, scale: number): Check[] {
  const heads = ['16/8', '32/8', '12/4', '7/1'];
  return Array.from({ length: count }, (_, i) => ({
    workload: `random:${i + 1},batch=${1 + ((i * 7) % 24)},scale=${scale}`,
    seed: i + 1,
    flags: {
      ...defaults,
      heads: heads[i % heads.length]!,
      packing: i % 5 === 4 ? (['pat', 'node', 'none'] as const)[i % 3]! : 'auto',
    },
  }));
}
