/**
 * Blocks flowing through a device, as a fluid: those that are resident advance at the pace that the model gives for how many
 * there are; when some end, the next take their places, longest first. Waves, tails and lone blocks come out of it.
 */

/** Blocks that are alike. Times in seconds. */
export interface Flow {
  /** Which of the launch's kinds of blocks. */
  readonly from: number;
  readonly count: number;
  readonly steps: number;
  /** Before the first step and after the last, which other blocks fill. */
  readonly delay: number;
  /** One step of a block that has its unit for itself. */
  readonly chain: number;
  /** What a step keeps its unit busy. */
  readonly busy: number;
}

/** One stretch of blocks that were started together; for drawing. */
export interface Stretch {
  readonly flow: Flow;
  readonly count: number;
  readonly begin: number;
  readonly end: number;
}

export interface Machine {
  readonly units: number;
  readonly blocksPerUnit: number;
  /** Seconds of one step of each of `running` blocks, by what they draw from memory and cache together. */
  traffic(running: number): number;
  /** How several limits of a step add up to its time. */
  combine(...limits: readonly number[]): number;
}

interface Active {
  readonly flow: Flow;
  readonly count: number;
  readonly begin: number;
  delay: number;
  left: number;
  pace: number;
}

/** Events closer together than this share of their distance are one. */
const grain = 0.02;

/** Seconds until the last block ends. */
export function flowTime(flows: readonly Flow[], m: Machine, drawn?: Stretch[]): number {
  const queue = [...flows].sort(
    (a, b) => b.steps * Math.max(b.chain, b.busy) - a.steps * Math.max(a.chain, a.busy),
  );
  let next = 0;
  let waiting = queue[0]?.count ?? 0;
  let active: Active[] = [];
  let free = m.units * m.blocksPerUnit;
  let now = 0;
  const admit = (): void => {
    while (next < queue.length && free > 0) {
      const flow = queue[next]!;
      const count = Math.min(waiting, free);
      active.push({ flow, count, begin: now, delay: flow.delay, left: flow.steps, pace: 0 });
      free -= count;
      waiting -= count;
      if (waiting === 0) waiting = queue[++next]?.count ?? 0;
    }
  };
  admit();
  while (active.length > 0) {
    const running = active.reduce((sum, a) => (a.delay > 0 ? sum : sum + a.count), 0);
    const sharing = Math.max(1, running / m.units);
    const traffic = m.traffic(running);
    let until = Infinity;
    for (const a of active) {
      a.pace = a.delay > 0 ? 0 : 1 / m.combine(a.flow.chain, sharing * a.flow.busy, traffic);
      until = Math.min(until, a.delay > 0 ? a.delay : a.left / a.pace);
    }
    // Never zero: what a rounding error left over would not end.
    until = until * (1 + grain) + 1e-10;
    now += until;
    active = active.filter((a) => {
      if (a.delay > 0) {
        a.delay -= until;
        return true;
      }
      a.left -= until * a.pace;
      if (a.left > 0) return true;
      free += a.count;
      drawn?.push({ flow: a.flow, count: a.count, begin: a.begin, end: now });
      return false;
    });
    admit();
  }
  return now;
}
