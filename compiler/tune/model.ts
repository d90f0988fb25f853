/**
 * Predicted time of a block and of a launch on a device.
 *
 * A step of a block has limits, each in seconds:
 *
 *   chain    one warp's instructions, one after another, and the latency of its copies over the steps that they run ahead
 *   busy     what the step takes of the unit: instructions of all warps over its issue rate, matrix work over its matrix rate;
 *            warps whose rows a step does not touch only issue what every warp does
 *   memory   compulsory bytes over the bandwidth, shared by all running blocks; a little slower the more bytes are in flight
 *   cache    all bytes that blocks load, over the cache's bandwidth
 *
 * With b blocks running on a unit, a step takes (chain^s + (b busy)^s + max(memory, cache)^s)^(1/s), s = sharpness: blocks fill
 * each other's waits until something is full. A code that lacks registers (fewer than its values need) issues more and waits
 * more. Blocks flow through the device as flow.ts says; a launch takes `startUs` more.
 *
 * Nothing here lists shapes or kernels: instructions, matrix work, bytes and registers are counted on the lowered kernel. The
 * coefficients are fitted to measured runs (fits/*.json, `node scripts/fit-model.ts`), which also say how far off they are.
 */
import type { BlockWork, LaunchWork } from '../work.ts';
import { residency, type Configuration } from './configuration.ts';
import { figureOf, matrixRate, type DeviceDescription } from './devices.ts';
import type { Coefficients } from './fits.ts';
import { flowTime, type Flow, type Machine, type Stretch } from './flow.ts';

/** Seconds, of one step of one block in which all its rows take part. */
export interface ModelTerms {
  readonly issue: number;
  readonly matrix: number;
  /** Of the two, what the step takes of its unit. */
  readonly busy: number;
  readonly chain: number;
  readonly blocksPerUnit: number;
  readonly startUs: number;
  /** Fixed work per block. */
  readonly pack: number;
  /** Fixed work for each piece of the streamed axis: waiting, and of the unit's time. */
  readonly piece: number;
  readonly pieceBusy: number;
}

/** Values of a warp beyond its registers by this share still cost nothing: the estimate is that far off. */
const slack = 1.05;
/** Share of the cache that a launch's data may take to be found there again. */
const cacheable = 0.85;

export function termsOf(c: Configuration, d: DeviceDescription, k: Coefficients): ModelTerms {
  return { ...stepOf(c, d, k, 1), ...fixedOf(c, d, k) };
}

function fixedOf(
  c: Configuration,
  d: DeviceDescription,
  k: Coefficients,
): Pick<ModelTerms, 'blocksPerUnit' | 'startUs' | 'pack' | 'piece' | 'pieceBusy'> {
  return {
    blocksPerUnit: Math.max(1, residency(c, d).blocks),
    startUs: k.startUs,
    pack: k.packNs * 1e-9,
    piece: k.pieceNs * 1e-9,
    pieceBusy: k.pieceBusyNs * 1e-9,
  };
}

/** `share`: of the rows that take part in the step. */
function stepOf(
  c: Configuration,
  d: DeviceDescription,
  k: Coefficients,
  share: number,
): Pick<ModelTerms, 'issue' | 'matrix' | 'busy' | 'chain'> {
  const units = figureOf(d, 'units');
  const warpSize = figureOf(d, 'warpSize');
  const clock = figureOf(d, 'clockMHz') * 1e6;
  const { always, partaking } = c.issue;
  const warps = c.threads / warpSize;
  const workers = Math.max(1, warps - c.producers);
  const lacking = 1 + k.lacking * Math.max(0, c.pressure / c.registers.perThread - slack);
  // An instruction of a warp keeps as many lanes as the warp has; a lane's multiply-add counts twice.
  const issueRate = figureOf(d, 'vectorFlops') / units / 2 / warpSize;
  const instructions = warps * always.instructions + share * workers * partaking.instructions;
  const issue = (k.issue * lacking * instructions) / issueRate;
  const matrix =
    c.matrix === 'none'
      ? 0
      : ((c.matrix === 'mma' ? k.matrix : k.groupMatrix) * lacking * share * c.work.matrixFlops) /
        (matrixRate(d, c.matrix) / units);
  const latency = (k.latency * figureOf(d, 'latencyNs') * 1e-9) / Math.max(0.5, c.ahead);
  const serial =
    k.syncNs * 1e-9 + (k.chain * lacking * (always.instructions + partaking.instructions)) / clock;
  return { issue, matrix, busy: issue + matrix, chain: Math.max(serial, latency) };
}

function combined(k: Coefficients, limits: readonly number[]): number {
  const most = Math.max(...limits);
  if (!(most > 0)) return 0;
  return most * limits.reduce((sum, x) => sum + (x / most) ** k.sharpness, 0) ** (1 / k.sharpness);
}

/** Seconds that a step takes while `running` blocks of a unit take steps, `share` of whose rows take part, and data is no limit. */
export function stepTime(
  c: Configuration,
  d: DeviceDescription,
  k: Coefficients,
  { share, running }: { share: number; running: number },
): number {
  const { chain, busy } = stepOf(c, d, k, share);
  return combined(k, [chain, running * busy]);
}

/** Bytes per step of one block that must come from memory, and that any cache may give. */
interface Draw {
  readonly memory: number;
  readonly cache: number;
}

function machineOf(c: Configuration, d: DeviceDescription, k: Coefficients, draw: Draw): Machine {
  const bandwidth = k.bandwidth * figureOf(d, 'bandwidth');
  const wanted = figureOf(d, 'bandwidth') * figureOf(d, 'latencyNs') * 1e-9;
  const flying = c.work.streamBytes * Math.max(0.5, c.ahead);
  return {
    units: figureOf(d, 'units'),
    blocksPerUnit: Math.max(1, residency(c, d).blocks),
    traffic: (running) => {
      const crowd = Math.max(1, (running * flying) / wanted) ** k.crowd;
      return running * Math.max((draw.memory * crowd) / bandwidth, draw.cache / (k.cache * bandwidth));
    },
    combine: (...limits) => combined(k, limits),
  };
}

function flowOf(c: Configuration, d: DeviceDescription, k: Coefficients, b: BlockWork, from = 0): Flow {
  const steps = Math.max(1, Math.ceil(b.tokens / c.work.step));
  const pieces = b.pieces ?? 1;
  const share = b.active === undefined ? 1 : Math.min(1, b.active / c.work.rows);
  const { chain, busy } = stepOf(c, d, k, share);
  return {
    from,
    count: b.count,
    steps,
    delay: k.packNs * 1e-9,
    chain: chain + (pieces * k.pieceNs * 1e-9) / steps,
    busy: busy + (pieces * k.pieceBusyNs * 1e-9) / steps,
  };
}

/** Seconds that a unit spends on blocks of `rows` rows and `tokens` tokens, per block, with enough of them to fill the machine. */
export function blockTime(
  c: Configuration,
  d: DeviceDescription,
  k: Coefficients,
  { rows, tokens }: { rows: number; tokens: number },
): number {
  const parts = Math.max(1, Math.ceil(rows / c.work.rows));
  // Rows beyond the first tile read the same bytes again, from the cache.
  const machine = machineOf(c, d, k, { memory: c.work.streamBytes / parts, cache: c.work.streamBytes });
  const flow = flowOf(c, d, k, { rows, tokens, count: 1 });
  const { units, blocksPerUnit } = machine;
  const step = machine.combine(flow.chain, blocksPerUnit * flow.busy, machine.traffic(units * blocksPerUnit));
  return (parts * (flow.steps * step + flow.delay)) / blocksPerUnit;
}

export interface LaunchPrediction {
  readonly us: number;
  /** What it would take if only the units were limited, only the memory, only the cache. */
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
  drawn?: Stretch[],
): LaunchPrediction {
  const blocks = launch.blocks.reduce((sum, b) => sum + b.count, 0);
  if (c.work.matrixFlops === 0) {
    const us = launchUs(launch, c, d, k);
    const bound = us > 2 * k.startUs ? 'memory' : 'launch';
    return { us, busyUs: 0, memoryUs: us - k.startUs, cacheUs: 0, blocks, bound };
  }
  const bandwidth = k.bandwidth * figureOf(d, 'bandwidth');
  const { flows, steps, draw } = launchFlows(launch, c, d, k);
  const busyUs = flowTime(flows, { ...machineOf(c, d, k, draw), traffic: () => 0 }) * 1e6;
  const memoryUs = ((steps * draw.memory) / bandwidth) * 1e6;
  const cacheUs = ((steps * draw.cache) / (k.cache * bandwidth)) * 1e6;
  const bound = busyUs >= Math.max(memoryUs, cacheUs) ? 'compute' : memoryUs >= cacheUs ? 'memory' : 'cache';
  return { us: launchUs(launch, c, d, k, drawn), busyUs, memoryUs, cacheUs, blocks, bound };
}

/** The prediction alone. */
export function launchUs(
  launch: LaunchWork,
  c: Configuration,
  d: DeviceDescription,
  k: Coefficients,
  drawn?: Stretch[],
): number {
  // Nothing but traffic: scattered small accesses get a share of the bandwidth.
  if (c.work.matrixFlops === 0)
    return k.startUs + (launch.bytes / (k.scatter * figureOf(d, 'bandwidth'))) * 1e6;
  const { flows, draw } = launchFlows(launch, c, d, k);
  return k.startUs + flowTime(flows, machineOf(c, d, k, draw), drawn) * 1e6;
}

function launchFlows(
  { blocks, bytes }: LaunchWork,
  c: Configuration,
  d: DeviceDescription,
  k: Coefficients,
): { flows: readonly Flow[]; steps: number; draw: Draw } {
  const flows = blocks.map((b, i) => flowOf(c, d, k, b, i));
  const steps = flows.reduce((sum, f) => sum + f.steps * f.count, 0);
  const compulsory = bytes * (bytes < cacheable * figureOf(d, 'cacheBytes') ? k.cached : 1);
  return { flows, steps, draw: { memory: compulsory / Math.max(1, steps), cache: c.work.streamBytes } };
}
