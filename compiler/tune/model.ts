/**
 * Predicted time of a block and of a plan on a device.
 *
 * One step of a block costs its unit, in seconds, with everything the unit has:
 *
 *   matrix  = matrixFlops / (matrix rate of a unit)
 *   shared  = streamed bytes * rows / 16 / (shared-memory rate of a unit)       every 16 rows read the streamed tile again
 *   vector  = vectorOps / (vector rate of a unit)
 *   compute = (cMatrix*matrix + cShared*shared + cVector*vector) / min(1, warps resident / 8)^cWarps
 *   step    = compute * rows that take part + sync / blocks resident            what one block waits, others work
 *
 * A launch on `units` units, with M = the steps of the heaviest unit, H = compulsory bytes / bandwidth, less where too few bytes
 * are in flight, T = all bytes that blocks load / cache bandwidth:
 *
 *   time = start + max(M, H, T) + overlap * min(M, max(H, T))
 *
 * The coefficients are fitted to measured runs (fits/*.json, `node scripts/fit-model.ts`), which also say how far off they are.
 */
import type { BlockWork, LaunchWork } from '../work.ts';
import { residency, type Configuration } from './configuration.ts';
import { figureOf, type DeviceDescription } from './devices.ts';
import type { Coefficients } from './fits.ts';

export interface ModelTerms {
  /** Seconds of one step of one block on a unit that it has for itself. */
  readonly matrix: number;
  readonly shared: number;
  readonly vector: number;
  readonly compute: number;
  /** Seconds per step that a block waits and no other block of the unit fills. */
  readonly wait: number;
  readonly blocksPerUnit: number;
  /** Bytes per second that the blocks in flight can draw from memory. */
  readonly bandwidth: number;
  readonly startUs: number;
  /** Fixed work per block, seconds. */
  readonly pack: number;
}

const fullWarps = 8;

export function termsOf(c: Configuration, d: DeviceDescription, k: Coefficients): ModelTerms {
  const units = figureOf(d, 'units');
  const { work } = c;
  const blocks = Math.max(1, residency(c, d).blocks);
  const matrix = work.matrixFlops / (figureOf(d, c.matrix ? 'matrixFlops' : 'vectorFlops') / units);
  // 128 bytes per clock and unit on every NVIDIA card since Volta; taken for the others too.
  const shared = (work.streamBytes * Math.max(1, work.rows / 16)) / (128 * figureOf(d, 'clockMHz') * 1e6);
  const vector = work.vectorOps / (figureOf(d, 'vectorFlops') / units);
  const warps = ((c.threads - 32 * c.producers) / figureOf(d, 'warpSize')) * blocks;
  const filled = d.family === 'cuda' ? Math.min(1, warps / fullWarps) ** k.warps : 1;
  const compute = (k.matrix * matrix + k.shared * shared + k.vector * vector) / filled;
  // A ring with few slots makes its consumers wait for the producer.
  const sync = (c.producers > 0 ? k.syncProducersNs / Math.max(1, c.ahead) ** 1.5 : k.syncNs) * 1e-9;
  const flying = blocks * units * work.streamBytes * (c.ahead > 0 ? c.ahead : 0.5);
  const bandwidth = Math.min(
    figureOf(d, 'bandwidth'),
    flying / (figureOf(d, 'latencyNs') * 1e-9) || Infinity,
  );
  return {
    matrix,
    shared,
    vector,
    compute,
    wait: sync / blocks,
    blocksPerUnit: blocks,
    bandwidth,
    startUs: k.startUs,
    pack: k.packNs * 1e-9,
  };
}

/** Seconds of a unit for one block. */
function busyTime(
  c: Configuration,
  terms: ModelTerms,
  { tokens, active }: Pick<BlockWork, 'tokens' | 'active'>,
): number {
  const steps = Math.ceil(tokens / c.work.step);
  const share = active === undefined ? 1 : Math.min(1, active / c.work.rows);
  return terms.pack + steps * (terms.compute * share + terms.wait);
}

/** Seconds that a unit spends on blocks of `rows` rows and `tokens` tokens, per block, with enough of them to fill the machine. */
export function blockTime(
  c: Configuration,
  d: DeviceDescription,
  k: Coefficients,
  { rows, tokens }: { rows: number; tokens: number },
  terms = termsOf(c, d, k),
): number {
  const { work } = c;
  const parts = Math.max(1, Math.ceil(rows / work.rows));
  const steps = Math.ceil(tokens / work.step);
  const busy = busyTime(c, terms, { tokens }) * parts;
  const units = figureOf(d, 'units');
  // Rows beyond the first tile read the same bytes again, from the cache.
  const perStep = work.streamBytes / units;
  const memory = steps * perStep * (1 / terms.bandwidth + (parts - 1) / (k.cache * figureOf(d, 'bandwidth')));
  return Math.max(busy, memory) + k.overlap * Math.min(busy, memory);
}

export interface LaunchPrediction {
  readonly us: number;
  readonly busyUs: number;
  readonly memoryUs: number;
  readonly cacheUs: number;
  readonly blocks: number;
  readonly bound: 'compute' | 'memory' | 'cache' | 'launch';
}

export function launchTime(
  launch: LaunchWork,
  c: Configuration,
  d: DeviceDescription,
  k: Coefficients,
): LaunchPrediction {
  const terms = termsOf(c, d, k);
  const units = figureOf(d, 'units');
  const blocks = launch.blocks.reduce((sum, b) => sum + b.count, 0);
  const stepsOf = (b: BlockWork): number => Math.ceil(b.tokens / c.work.step);
  if (c.work.matrixFlops === 0) {
    // Nothing but traffic: scattered small accesses get a share of the bandwidth.
    const waves = (blocks / (units * terms.blocksPerUnit)) * terms.pack;
    const us = (launch.bytes / (k.scatter * figureOf(d, 'bandwidth')) + waves) * 1e6;
    return {
      us: k.startUs + us,
      busyUs: 0,
      memoryUs: us,
      cacheUs: 0,
      blocks,
      bound: us > k.startUs ? 'memory' : 'launch',
    };
  }
  const loaded = launch.blocks.reduce((sum, b) => sum + stepsOf(b) * c.work.streamBytes * b.count, 0);
  const busyUs = heaviestUnit(launch.blocks, units, (b) => busyTime(c, terms, b)) * 1e6;
  const cached = launch.bytes < 0.85 * figureOf(d, 'cacheBytes') ? 0.6 : 1;
  const memoryUs = (launch.bytes / terms.bandwidth) * cached * 1e6;
  const cacheUs = (loaded / (k.cache * figureOf(d, 'bandwidth'))) * 1e6;
  const traffic = Math.max(memoryUs, cacheUs);
  const us = k.startUs + Math.max(busyUs, traffic) + k.overlap * Math.min(busyUs, traffic);
  const bound = busyUs >= traffic ? 'compute' : memoryUs >= cacheUs ? 'memory' : 'cache';
  return { us, busyUs, memoryUs, cacheUs, blocks, bound };
}

/** Longest first, each block to the unit that is free first; above a few thousand blocks the mean and the largest decide. */
export function heaviestUnit(
  blocks: readonly BlockWork[],
  units: number,
  weight: (b: BlockWork) => number,
): number {
  const sorted = blocks.map((b) => ({ count: b.count, w: weight(b) })).sort((a, b) => b.w - a.w);
  const total = sorted.reduce((sum, b) => sum + b.w * b.count, 0);
  const count = sorted.reduce((sum, b) => sum + b.count, 0);
  const largest = sorted[0]?.w ?? 0;
  if (count <= units) return largest;
  if (count > 24 * units) return Math.max(largest, total / units) + largest / 2;
  const free = new Float64Array(units);
  let most = 0;
  for (const { w, count } of sorted) {
    for (let i = 0; i < count; i++) {
      const end = free[0]! + w;
      if (end > most) most = end;
      siftDown(free, end);
    }
  }
  return most;
}

/** Replaces the least of a binary heap. */
function siftDown(heap: Float64Array, value: number): void {
  let i = 0;
  for (;;) {
    let child = 2 * i + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && heap[child + 1]! < heap[child]!) child++;
    if (heap[child]! >= value) break;
    heap[i] = heap[child]!;
    i = child;
  }
  heap[i] = value;
}
