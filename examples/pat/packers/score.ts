/**
 * The predicted time of one launch, from the loads of its packs, in integers. What the heaviest unit has to do: exact
 * longest-first scheduling while jobs are few; with many, the larger of the mean and the pigeonhole bound (of k * units + 1
 * jobs some unit has k + 1) on a histogram, which longest-first scheduling then meets closely.
 */
import type { PlanCosts, TileCost } from '../cost.ts';
import { IntList } from '../packlist.ts';

const buckets = 64;

/** Blocks that most kernels have room for on a unit. */
const blocksPerUnit = 2;

/** Work beyond this counts as this where packs are ranked: sums stay exact, columns stay 32 bits. */
const mostWork = 0x3fffffff;

/** Loads and work of packs, in tokens of one KV head; every pack runs once per KV head. */
export class LoadTally {
  /** Tokens loaded by all packs. */
  tokens = 0;
  /** Work of all packs, and of the largest. */
  work = 0;
  largest = 0;
  /** Exact scheduling up to this many packs, and this many jobs for each unit. */
  exactPacks = 24;
  exactJobs = 4;
  private readonly loads = new IntList(256);
  /** When runs of units are free, and how many units each. */
  private readonly time: number[] = [];
  private readonly count: number[] = [];
  private readonly counts = new Int32Array(buckets);
  private readonly sums = new Float64Array(buckets);

  get packs(): number {
    return this.loads.length;
  }

  reset(): void {
    this.loads.length = 0;
    this.tokens = 0;
    this.work = 0;
    this.largest = 0;
  }

  add(tokens: number, work: number): void {
    this.loads.push(work < mostWork ? work : mostWork);
    this.tokens += tokens;
    this.work += work;
    if (work > this.largest) this.largest = work;
  }

  /** Work of each pack. */
  works(): number[] {
    return [...this.loads.view()];
  }

  /** Work of the mean unit; `overhead` is a pack's fixed work in tokens. */
  mean(units: number, kvHeads: number, overhead: number): number {
    return Math.ceil(((this.work + overhead * this.packs) * kvHeads) / units);
  }

  /** Work of the heaviest unit. */
  heaviest(units: number, kvHeads: number, overhead: number): number {
    const jobs = this.packs * kvHeads;
    if (jobs <= units) return this.largest + overhead;
    return jobs <= this.exactJobs * units && this.packs <= this.exactPacks
      ? this.schedule(units, kvHeads, overhead)
      : this.bound(units, kvHeads, overhead);
  }

  /** Longest first, each job to the unit that is free first. Units that are free at the same time are one run. */
  private schedule(units: number, kvHeads: number, overhead: number): number {
    const sorted = this.loads.view().slice().sort();
    const { time, count } = this;
    time[0] = 0;
    count[0] = units;
    let first = 0;
    let end = 1;
    for (let p = sorted.length - 1; p >= 0; p--)
      for (let jobs = kvHeads; jobs > 0;) {
        const free = count[first]!;
        const taken = jobs < free ? jobs : free;
        const done = time[first]! + sorted[p]! + overhead;
        jobs -= taken;
        count[first] = free - taken;
        let at = end;
        while (at > first + 1 && time[at - 1]! > done) at--;
        if (at > first + 1 && time[at - 1] === done) count[at - 1] = count[at - 1]! + taken;
        else {
          for (let i = end; i > at; i--) {
            time[i] = time[i - 1]!;
            count[i] = count[i - 1]!;
          }
          time[at] = done;
          count[at] = taken;
          end++;
        }
        if (taken === free) first++;
      }
    return time[end - 1]!;
  }

  private bound(units: number, kvHeads: number, overhead: number): number {
    const { counts, sums, packs } = this;
    const loads = this.loads.data;
    counts.fill(0);
    sums.fill(0);
    let shift = 0;
    while (this.largest >> shift >= buckets) shift++;
    for (let i = 0; i < packs; i++) {
      const bucket = loads[i]! >> shift;
      counts[bucket] = counts[bucket]! + 1;
      sums[bucket] = sums[bucket]! + loads[i]!;
    }
    let most = Math.max(this.largest + overhead, this.mean(units, kvHeads, overhead));
    let above = 0;
    let bucket = buckets - 1;
    for (let k = 1; ; k++) {
      const rank = Math.floor((k * units) / kvHeads);
      if (rank >= packs) return most;
      while (above + counts[bucket]! <= rank) above += counts[bucket--]!;
      const load = Math.floor(sums[bucket]! / counts[bucket]!) + overhead;
      if ((k + 1) * load > most) most = (k + 1) * load;
    }
  }
}

/**
 * Picoseconds of a launch. `unique`: tokens of the forest's nodes, each once; `largest`: work of the largest pack; `jobs`: packs of
 * all heads, where the last few that find no place at first are to be reckoned with (else a lower bound).
 */
export function launchTime(
  costs: PlanCosts,
  tile: TileCost,
  kvHeads: number,
  unique: number,
  loaded: number,
  heaviest: number,
  largest: number,
  jobs = 0,
): number {
  let h = memoryTime(costs, kvHeads, unique);
  const t = loaded * kvHeads * costs.cacheToken;
  const alone = largest * tile.alone + tile.pack;
  const m = Math.max(heaviest * tile.token, alone);
  // The jobs of the last round read their share of memory at the pace of a block, however idle memory is.
  const rest = jobs % (blocksPerUnit * costs.units);
  if (rest > 0 && rest < jobs) h = Math.max(h, Math.floor(h / jobs) * (jobs - rest) + alone);
  const most = Math.max(h, m, t);
  const least = Math.min(h, m);
  // In 1/1024: fine enough that rounding hides no difference worth a choice, and products stay exact for seconds.
  const ratio = most > 0 ? Math.floor((1024 * least) / most) : 0;
  const visible = Math.floor((least * ratio) / 1024);
  return tile.start + Math.floor((tile.wMax * most + tile.wMin * visible) / 256);
}

/** Unique bytes at memory bandwidth; what fits in L2 comes faster. */
export function memoryTime(costs: PlanCosts, kvHeads: number, unique: number): number {
  const tokens = unique * kvHeads;
  const time = tokens * costs.memoryToken;
  return tokens <= costs.cachedTokens ? Math.floor((time * costs.cached) / 256) : time;
}

/** A pack's fixed time as tokens of its tile. */
export const overheadTokens = (tile: TileCost): number => Math.floor(tile.pack / tile.token);
