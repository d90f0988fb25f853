/**
 * The predicted time of finished tables, and which unit does what when: packs in launch order, each to the unit that is free
 * first, launches one after another. The same cost model as the packers', on real tokens.
 */
import { sameShape } from './cost.ts';
import { laneTokens } from './lanes.ts';
import { packLoad, packInts, type PlanTables } from './tables.ts';
import type { Plan } from './plan.ts';
import { launchTime, overheadTokens } from './packers/score.ts';
import { rereadCost, workOf } from './packers/work.ts';

/** One pack of one KV head on one unit; times in picoseconds of load (see `Prediction.time` for the whole). */
export interface Job {
  readonly pack: number;
  readonly head: number;
  readonly unit: number;
  readonly begin: number;
  readonly end: number;
}

export interface Prediction {
  /** Picoseconds, all launches. */
  readonly time: number;
  /** [units] load of each, picoseconds. */
  readonly load: Float64Array;
  readonly jobs: readonly Job[];
}

export function predict(plan: Plan): Prediction {
  const { batch, costs, tables, work } = plan;
  const unique = work.before[work.length.length] ?? 0;
  const total = packLoads(tables).reduce((sum, { load }) => sum + load, 0);
  const load = new Float64Array(costs.units);
  const jobs: Job[] = [];
  let time = Math.max(0, tables.shapes.length - 1) * costs.launch;
  for (const shape of tables.shapes) {
    const tile = costs.tiles.find((t) => sameShape(t, shape.tile))!;
    const overhead = overheadTokens(tile);
    const reread = rereadCost(tile, work.group);
    const start = load.reduce((a, b) => Math.max(a, b), 0);
    const queue = new UnitQueue(costs.units);
    let heaviest = 0;
    let largest = 0;
    let loaded = 0;
    for (let p = shape.packBase; p < shape.packBase + shape.packCount; p++) {
      const pack = packLoad(tables, p, laneTokens(tile.n, batch.page));
      const size = workOf(pack.steps, pack.reads, reread);
      loaded += pack.load;
      largest = Math.max(largest, size);
      for (let head = 0; head < batch.kvHeads; head++) {
        const tokens = size + overhead;
        const { unit, from } = queue.take(tokens);
        heaviest = Math.max(heaviest, from + tokens);
        load[unit] = start + (from + tokens) * tile.token;
        jobs.push({ pack: p, head, unit, begin: start + from * tile.token, end: load[unit]! });
      }
    }
    const share = total > 0 ? Math.floor((unique * loaded) / total) : 0;
    const jobCount = shape.packCount * batch.kvHeads;
    time += launchTime(costs, tile, batch.kvHeads, share, loaded, heaviest, largest, jobCount);
  }
  if (tables.slots > 0) time += costs.launch + tables.slots * batch.qHeads * costs.partialRow;
  return { time, load, jobs };
}

/** [packs] what each pack loads and how often that is read. */
export const packLoads = (tables: PlanTables) =>
  Array.from({ length: tables.packs.length / packInts - 1 }, (_, p) => packLoad(tables, p));

/** Units by the time they are free: a binary heap, ties to the lower unit. */
class UnitQueue {
  private readonly heap: { unit: number; free: number }[];

  constructor(units: number) {
    this.heap = Array.from({ length: units }, (_, unit) => ({ unit, free: 0 }));
  }

  take(tokens: number): { unit: number; from: number } {
    const { heap } = this;
    const top = heap[0]!;
    const taken = { unit: top.unit, from: top.free };
    const moved = { unit: top.unit, free: top.free + tokens };
    const before = (a: typeof top, b: typeof top) =>
      a.free < b.free || (a.free === b.free && a.unit < b.unit);
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, moved)) break;
      heap[i] = heap[child]!;
      i = child;
    }
    heap[i] = moved;
    return taken;
  }
}
