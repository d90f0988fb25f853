/**
 * What things cost on a device, as the planner counts them: integers in picoseconds, so that every implementation takes the
 * same decisions bit for bit.
 *
 * For one launch in one shape:
 *
 *   t = start + wMax * a + wMin * b * b / a + partial * rows    with a = max(H, M, A, T) and b = min(H, max(M, A))
 *
 * H = unique KV bytes / memory bandwidth, less where they stay in L2, and no less than the share of all full rounds of jobs and A after
 * it; T = bytes loaded by all packs / L2 bandwidth; M = the heaviest unit's load, its work at `token` each and its packs at `pack` each,
 * while all blocks that fit the unit run; and A = the largest pack's work at `alone` each: a block takes that long however idle the rest
 * of its unit is. Of memory and work the lesser hides behind the limit the better, the further it is below it: hence b * b / a. Kernels
 * differ in how near they come to memory's bandwidth: hence `wMax` for each.
 *
 * Work is tokens in whole steps of a lane, for an entry takes no less; one for the first 16 rows that read it and `warp` / 256 for every
 * 16 more: warps skip what none of their rows reads. H and T count the tokens alone.
 *
 * The H100's figures are fitted to 2,368 runs of patc's own kernels (bench/results/cuda-h100-plans.json, one shape each; 14 shapes
 * with n = 32 and 64, 80 cases): from what scripts/fit-planner.ts finds by squared error on, by descent on that error and on what
 * choosing by the figures costs over the cases. `alone` of kernels with a ring is not below what a block takes by the clock.
 * scripts/plan-choices.ts compares what is chosen with what was measured. Figures of n = 16 and 128 are estimates in the proportion to
 * n = 32 and 64 that they had in earlier sweeps.
 */
import { fail } from '../../compiler/diagnostics/error.ts';
import { tokenBytes, type Heads } from './heads.ts';

/** A tile shape that is compiled for the device: m query rows, n tokens a step, `stages` steps in flight. */
export interface TileShape {
  readonly m: number;
  readonly n: number;
  readonly stages: number;
  /** Which of the device's kernels of these numbers (see variantOf); 0 where there is one. */
  readonly variant?: number;
}

/** A device's tile record as a shape. */
export const tileShape = (t: Readonly<Record<string, number>>): TileShape =>
  shapeOf({ m: t.m!, n: t.n!, stages: t.stages ?? 1, variant: variantOf(t) });

/** How a kernel is built, as a number for tables and hosts: 0 all warps copy and multiply; 1 a warp copies; 2 and wgmma multiplies. */
export const variantOf = (tile: { readonly producers?: number; readonly wgmma?: number }): number =>
  tile.wgmma ? 2 : tile.producers ? 1 : 0;

export const sameShape = (a: TileShape, b: TileShape): boolean =>
  a.m === b.m && a.n === b.n && a.stages === b.stages && (a.variant ?? 0) === (b.variant ?? 0);

/** The shape alone, of a tile that may carry more. */
export const shapeOf = ({ m, n, stages, variant = 0 }: TileShape): TileShape =>
  variant === 0 ? { m, n, stages } : { m, n, stages, variant };

/** Costs of one tile shape, in picoseconds for one KV head; weights in 1/256. */
export interface TileCost extends TileShape {
  readonly token: number;
  /** A token of a pack whose unit runs nothing else; at least `token`. */
  readonly alone: number;
  /** What a token costs again for every 16 rows more that read it, in 1/256 of a token. */
  readonly warp: number;
  readonly pack: number;
  readonly start: number;
  readonly wMax: number;
  readonly wMin: number;
}

/** Device numbers of the planner. All integers. */
export interface PlanCosts {
  /** SMs or compute units to fill. */
  readonly units: number;
  /** Ascending by m, then by n. */
  readonly tiles: readonly TileCost[];
  /** Reading one token of one KV head from memory, whole machine. */
  readonly memoryToken: number;
  /** The same from L2. */
  readonly cacheToken: number;
  /** Writing and reading back one partial row (one query head of one part). */
  readonly partialRow: number;
  /** One more launch. */
  readonly launch: number;
  /** Unique KV below this many tokens (all heads together) stays in L2; memory then counts at `cached` / 256. */
  readonly cachedTokens: number;
  readonly cached: number;
}

/** A device as a person describes it. Times in ns, rates in GB/s, sizes in bytes. */
export interface DeviceFigures {
  readonly units: number;
  readonly memoryGBs: number;
  readonly cacheGBs: number;
  readonly cacheBytes: number;
  /** What of the memory time is left where everything stays in L2. */
  readonly cachedShare: number;
  readonly launchNs: number;
  /** One f32 partial row of 128 values, written and read. */
  readonly partialRowNs: number;
  /** Fitted figures, ascending by m, then n; a tile takes the first of its variant with neither below its own, else the last. */
  readonly kernels: readonly KernelFigures[];
}

export interface KernelFigures {
  readonly m: number;
  readonly n: number;
  readonly variant?: number;
  /** One unit's time for a token of 512 B (K and V of one head), with all blocks that fit it running. */
  readonly tokenNs: number;
  /** The same for a block alone on its unit. */
  readonly aloneNs: number;
  /** The same token for every 16 rows more that read it, added to `tokenNs`. */
  readonly warpNs: number;
  /** Fixed work per pack. */
  readonly packNs: number;
  readonly startNs: number;
  readonly wMax: number;
  readonly wMin: number;
}

/** A row of the table below: m, n, variant, tokenNs, aloneNs, warpNs, packNs, wMax. */
function h100Kernel(row: readonly number[]): KernelFigures {
  const [m, n, variant, tokenNs, aloneNs, warpNs, packNs, wMax] = row as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  // A warp that only copies has the first step under way while the others still make their fragments.
  const startNs = variant > 0 ? 4000 : 4150;
  return { m, n, variant, tokenNs, aloneNs, warpNs, packNs, startNs, wMax, wMin: 0.376 };
}

const h100: DeviceFigures = {
  units: 132,
  memoryGBs: 3440,
  cacheGBs: 11000,
  cacheBytes: 45e6,
  cachedShare: 0.1,
  launchNs: 2200,
  partialRowNs: 0.8,
  kernels: [
    ...[
      [16, 16, 0, 19, 56, 0, 800, 1],
      [16, 32, 0, 4.8, 22, 0, 1151, 1.112],
      [16, 64, 0, 14.2, 28.9, 0, 4057, 0.952],
      [16, 128, 0, 28, 28, 0, 2428, 1],
      [32, 16, 0, 16, 51, 0, 580, 1],
      [32, 32, 0, 6.5, 21.1, 0.6, 339, 1.065],
      [32, 32, 1, 7.2, 15, 0.5, 1087, 1.04],
      [32, 64, 0, 9.5, 21, 0.2, 3170, 1.046],
      [32, 128, 0, 21, 21, 0, 1355, 1],
      [64, 16, 0, 25, 50, 0, 300, 1],
      [64, 32, 0, 8.6, 13.1, 3.8, 4670, 0.94],
      [64, 32, 1, 6.3, 15.2, 1.4, 2282, 1.016],
      [64, 32, 2, 8.9, 17, 2.2, 300, 1.04],
      [64, 64, 0, 9.6, 18, 1.4, 4401, 1.037],
      [64, 64, 2, 8.2, 13.2, 0.2, 3341, 1.105],
      [64, 128, 0, 23, 24, 0, 626, 1],
      [128, 16, 0, 33, 33, 2.7, 300, 1],
      [128, 32, 0, 14.6, 15, 2.9, 6685, 1.001],
      [128, 32, 2, 12.6, 13.9, 1.6, 5120, 1.026],
      [128, 64, 0, 14.6, 14.8, 2.8, 8740, 0.966],
      [128, 64, 2, 13.1, 13.7, 1.1, 6419, 1.005],
      [128, 128, 0, 33, 33, 2.7, 1500, 1],
    ].map(h100Kernel),
  ],
};

/** A GPU reached through WebGPU, of unknown make: matrix work without matrix instructions grows with the row tile. */
const webgpu: DeviceFigures = {
  units: 64,
  memoryGBs: 400,
  cacheGBs: 1200,
  cacheBytes: 16e6,
  cachedShare: 0.6,
  launchNs: 8000,
  partialRowNs: 4,
  kernels: [
    {
      m: 16,
      n: 1024,
      tokenNs: 106,
      aloneNs: 106,
      warpNs: 0,
      packNs: 3200,
      startNs: 20000,
      wMax: 1,
      wMin: 0.1,
    },
    {
      m: 32,
      n: 1024,
      tokenNs: 162,
      aloneNs: 162,
      warpNs: 0,
      packNs: 5000,
      startNs: 20000,
      wMax: 1,
      wMin: 0.1,
    },
    {
      m: 64,
      n: 1024,
      tokenNs: 275,
      aloneNs: 275,
      warpNs: 0,
      packNs: 8600,
      startNs: 20000,
      wMax: 1,
      wMin: 0.1,
    },
    {
      m: 128,
      n: 1024,
      tokenNs: 506,
      aloneNs: 506,
      warpNs: 0,
      packNs: 16000,
      startNs: 20000,
      wMax: 1,
      wMin: 0.1,
    },
  ],
};

export const figuresOf = (family: 'cuda' | 'wgsl' | 'cpu'): DeviceFigures =>
  family === 'wgsl' ? webgpu : h100;

/** Integer costs for a batch's heads. Throws PAT0306 when no tile holds one KV head's query rows. */
export function planCosts(
  figures: DeviceFigures,
  units: number,
  tiles: readonly TileShape[],
  heads: Heads,
): PlanCosts {
  const group = heads.qHeads / heads.kvHeads;
  const usable = tiles.filter((t) => t.m >= group);
  if (usable.length === 0)
    fail(
      'PAT0306',
      `no tile shape holds ${group} query rows per KV head (row tiles: ${tiles.map((t) => t.m).join(', ') || 'none'})`,
    );
  const bytes = tokenBytes(heads);
  const ps = (ns: number) => Math.max(1, Math.round(ns * 1000));
  return {
    units: Math.max(1, units),
    tiles: usable
      .map((t) => tileCost(figures, t, bytes))
      .sort((a, b) => a.m - b.m || a.n - b.n || a.stages - b.stages || (a.variant ?? 0) - (b.variant ?? 0)),
    memoryToken: ps(bytes / figures.memoryGBs),
    cacheToken: ps(bytes / figures.cacheGBs),
    partialRow: ps((figures.partialRowNs * heads.headDim) / 128),
    launch: ps(figures.launchNs),
    cachedTokens: Math.floor(figures.cacheBytes / bytes),
    cached: Math.round(figures.cachedShare * 256),
  };
}

/** The figures are of kernels with three stages. With two short ones memory is waited for: 410 µs measured where 355 are possible. */
const tooFewUnderWay = ({ n, stages, variant = 0 }: TileShape): boolean =>
  variant === 0 && stages === 2 && n < 64;
const shallow = 1.15;

function tileCost(figures: DeviceFigures, tile: TileShape, bytes: number): TileCost {
  const { variant = 0 } = tile;
  const own = figures.kernels.filter((k) => (k.variant ?? 0) === variant);
  const kernels = own.length > 0 ? own : figures.kernels;
  const kernel = kernels.find((k) => k.m >= tile.m && k.n >= tile.n) ?? kernels.at(-1)!;
  const scale = Math.max(1, tile.m / kernel.m);
  const token = Math.max(1, Math.round((kernel.tokenNs * 1000 * scale * bytes) / 512));
  return {
    ...shapeOf(tile),
    token,
    alone: Math.max(token, Math.round((kernel.aloneNs * 1000 * scale * bytes) / 512)),
    warp: Math.round((256 * kernel.warpNs) / kernel.tokenNs),
    pack: Math.round(kernel.packNs * 1000),
    start: Math.round(kernel.startNs * 1000),
    wMax: Math.round(kernel.wMax * (tooFewUnderWay(tile) ? shallow : 1) * 256),
    wMin: Math.round(kernel.wMin * 256),
  };
}
