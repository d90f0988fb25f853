/**
 * What things cost on a device, as the planner counts them: integers in picoseconds, so that every implementation takes the
 * same decisions bit for bit.
 *
 * The form of the model comes from measurements of hand-written kernels on an H100; the kernel figures are fitted to patc's
 * own pipelined kernels (bench/results/cuda-h200-tile-sweep.json; row tile 16 is extrapolated). For one launch in one shape:
 *
 *   t = start + wMax * max(H, M, T) + wMin * min(H, M) + partial * rows
 *
 * with H = unique KV bytes / memory bandwidth, T = bytes loaded by all packs / L2 bandwidth, and M = the heaviest unit's
 * load: its tokens at `token` each and its packs at `pack` each.
 */
import { fail } from '../../compiler/diagnostics/error.ts';
import { tokenBytes, type Heads } from './heads.ts';

/** A tile shape that is compiled for the device: m query rows, n tokens a step, `stages` steps in flight. */
export interface TileShape {
  readonly m: number;
  readonly n: number;
  readonly stages: number;
}

/** Costs of one tile shape, in picoseconds for one KV head; weights in 1/256. */
export interface TileCost extends TileShape {
  readonly token: number;
  readonly step: number;
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
  /** Unique KV below this many tokens (all heads together) stays in L2; memory then counts at 3/5. */
  readonly cachedTokens: number;
}

/** A device as a person describes it. Times in ns, rates in GB/s, sizes in bytes. */
export interface DeviceFigures {
  readonly units: number;
  readonly memoryGBs: number;
  readonly cacheGBs: number;
  readonly cacheBytes: number;
  readonly launchNs: number;
  /** One f32 partial row of 128 values, written and read. */
  readonly partialRowNs: number;
  /** Fitted kernel figures by row tile, ascending; a tile takes those of the first entry with `m` at or above its own. */
  readonly kernels: readonly KernelFigures[];
}

export interface KernelFigures {
  readonly m: number;
  /** One unit's time for 16 KB of K and V, in ns. */
  readonly pageNs: number;
  /** Fixed work per pack, as 16 KB pages. */
  readonly packPages: number;
  /** Fixed work per step of n tokens, in ns. */
  readonly stepNs: number;
  readonly startNs: number;
  readonly wMax: number;
  readonly wMin: number;
}

const h100: DeviceFigures = {
  units: 132,
  memoryGBs: 3000,
  cacheGBs: 5000,
  cacheBytes: 45e6,
  launchNs: 2500,
  partialRowNs: 0.85,
  kernels: [
    { m: 16, pageNs: 100, packPages: 4, stepNs: 180, startNs: 10000, wMax: 1, wMin: 0.15 },
    { m: 32, pageNs: 120, packPages: 4, stepNs: 233, startNs: 10000, wMax: 1, wMin: 0.15 },
    { m: 64, pageNs: 272, packPages: 2, stepNs: 700, startNs: 10000, wMax: 1, wMin: 0.15 },
    { m: 128, pageNs: 780, packPages: 2, stepNs: 780, startNs: 10000, wMax: 1, wMin: 0.15 },
  ],
};

/** A GPU reached through WebGPU, of unknown make: matrix work without matrix instructions grows with the row tile. */
const webgpu: DeviceFigures = {
  units: 64,
  memoryGBs: 400,
  cacheGBs: 1200,
  cacheBytes: 16e6,
  launchNs: 8000,
  partialRowNs: 4,
  kernels: [
    { m: 16, pageNs: 3200, packPages: 1, stepNs: 200, startNs: 20000, wMax: 1, wMin: 0.1 },
    { m: 32, pageNs: 5000, packPages: 1, stepNs: 200, startNs: 20000, wMax: 1, wMin: 0.1 },
    { m: 64, pageNs: 8600, packPages: 1, stepNs: 200, startNs: 20000, wMax: 1, wMin: 0.1 },
    { m: 128, pageNs: 16000, packPages: 1, stepNs: 200, startNs: 20000, wMax: 1, wMin: 0.1 },
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
      .sort((a, b) => a.m - b.m || a.n - b.n || a.stages - b.stages),
    memoryToken: ps(bytes / figures.memoryGBs),
    cacheToken: ps(bytes / figures.cacheGBs),
    partialRow: ps((figures.partialRowNs * heads.headDim) / 128),
    launch: ps(figures.launchNs),
    cachedTokens: Math.floor(figures.cacheBytes / bytes),
  };
}

function tileCost(figures: DeviceFigures, tile: TileShape, bytes: number): TileCost {
  const kernel = figures.kernels.find((k) => k.m >= tile.m) ?? figures.kernels.at(-1)!;
  const scale = Math.max(1, tile.m / kernel.m);
  const token = Math.max(1, Math.round((kernel.pageNs * 1000 * scale * bytes) / 16384));
  return {
    m: tile.m,
    n: tile.n,
    stages: tile.stages,
    token,
    step: Math.round(kernel.stepNs * 1000),
    pack: Math.round(kernel.pageNs * 1000 * kernel.packPages),
    start: Math.round(kernel.startNs * 1000),
    wMax: Math.round(kernel.wMax * 256),
    wMin: Math.round(kernel.wMin * 256),
  };
}
