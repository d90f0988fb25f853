/**
 * Which (rows, tokens) tiles keep a device's memory busy, in closed form: the offline solver of PAT (arXiv 2511.22333, section
 * 5.2), with the terms that it leaves out. Sizes in elements and bytes, times in seconds.
 *
 *   1. on-chip memory   rows*h*b + buffers*n*h*b  <=  shared memory of a unit / resident blocks
 *   2. Little's law     units * C * n*h*b * inFlight * duty  >=  latency * bandwidth
 *   3. instructions     rows and n are multiples of the matrix instruction's 16
 *   4. compute roof     rows * operationsPerByteRow * bandwidth  <=  share * matrix operations per second     (not in the paper)
 *
 * The paper's own terms: buffers 1, inFlight 1, duty 1, no compute roof, C found by compiling.
 */

export interface TileLimits {
  readonly units: number;
  readonly sharedPerUnit: number;
  readonly sharedPerBlock: number;
  readonly registersPerUnit: number;
  readonly registersPerThread: number;
  /** Bytes per second and seconds. */
  readonly bandwidth: number;
  readonly latency: number;
  /** Operations per second that the matrix units give; Infinity leaves the roof out. */
  readonly matrixFlops: number;
  /** Elements of a token's row, and their bytes. */
  readonly width: number;
  readonly elementBytes: number;
  /** Tiles of n tokens that a block has on its way on average: stages in flight times the duty cycle. */
  readonly inFlight: number;
  /** Tiles of n tokens that a block keeps in shared memory. */
  readonly buffers: number;
}

export interface TileCandidate {
  readonly rows: number;
  readonly tokens: number;
  /** From compiling; undefined takes 255 as the worst that compiles. */
  readonly registersPerThread?: number;
  readonly threads: number;
  /** Resident blocks per unit where known by compiling; else the most that registers and shared memory allow. */
  readonly blocks?: number;
}

export interface TileVerdict {
  readonly fits: boolean;
  readonly blocks: number;
  /** The first constraint that fails, with its arithmetic. */
  readonly reason?: 'shared' | 'registers' | 'instruction' | 'bytes in flight' | 'compute roof';
  readonly arithmetic: string;
}

const no = (reason: NonNullable<TileVerdict['reason']>, blocks: number, arithmetic: string): TileVerdict => ({
  fits: false,
  reason,
  blocks,
  arithmetic,
});

export function judgeTile(l: TileLimits, c: TileCandidate): TileVerdict {
  const { rows, tokens, threads } = c;
  const row = l.width * l.elementBytes;
  if (rows % 16 !== 0 || tokens % 16 !== 0)
    return no('instruction', 0, `${rows} x ${tokens}: the matrix instruction is 16 x 8 x 16`);
  const shared = Math.max((rows + l.buffers * tokens) * row, 2 * rows * row);
  if (shared > l.sharedPerBlock)
    return no(
      'shared',
      0,
      `(${rows} + ${l.buffers} * ${tokens}) * ${row} B = ${shared} B, a block may have ${l.sharedPerBlock}`,
    );
  const registers = c.registersPerThread ?? l.registersPerThread;
  if (registers > l.registersPerThread)
    return no('registers', 0, `${registers} registers a thread, ${l.registersPerThread} are there`);
  const byShared = Math.floor(l.sharedPerUnit / shared);
  const byRegisters = Math.floor(l.registersPerUnit / (registers * threads));
  const blocks = c.blocks ?? Math.min(byShared, byRegisters);
  if (blocks < 1)
    return no(
      'registers',
      0,
      `${registers} * ${threads} threads > ${l.registersPerUnit} registers of a unit`,
    );
  const flying = l.units * blocks * tokens * row * l.inFlight;
  const needed = l.latency * l.bandwidth;
  if (flying < needed) {
    return no(
      'bytes in flight',
      blocks,
      `${l.units} units * ${blocks} blocks * ${tokens} * ${row} B * ${l.inFlight} in flight = ${Math.round(flying)} B < ${Math.round(needed)} B = latency * bandwidth`,
    );
  }
  // Every byte of K or V takes part in 2 operations per row and element: 2 * rows / elementBytes per byte.
  const demand = (2 * rows * l.bandwidth) / l.elementBytes;
  if (demand > l.matrixFlops) {
    return no(
      'compute roof',
      blocks,
      `2 * ${rows} rows / ${l.elementBytes} B * ${(l.bandwidth / 1e12).toFixed(2)} TB/s = ${(demand / 1e12).toFixed(0)} TFLOP/s > ${(l.matrixFlops / 1e12).toFixed(0)}`,
    );
  }
  return { fits: true, blocks, arithmetic: `${Math.round(flying)} B in flight >= ${Math.round(needed)} B` };
}
