/** The winning shape of every (rows, tokens) region: computed, looked up, and given to a planner as the few shapes it needs. */
import type { Spec, Tile } from '../program.ts';
import type { Configuration } from './configuration.ts';
import { figureOf, type DeviceDescription } from './devices.ts';
import { fitOf } from './fits.ts';
import { launchUs } from './model.ts';
import type { TunedTable, TuneJson } from './schemas.ts';

/** Upper ends of the regions. */
export const rowEnds = [4, 8, 16, 32, 64, 128, 256] as const;
export const tokenEnds = [32, 64, 128, 256, 512, 1024, 2048, 4096, 8192] as const;

/** A shape that wins by less than this wins nothing: fewer shapes mean fewer launches. */
const margin = 0.03;

export interface CellTimes {
  readonly rows: number;
  readonly tokens: number;
  /** Seconds of the cell's launch, by configuration. */
  readonly times: readonly number[];
}

/** Packs that a cell has for each unit: about what a batch gives a device that its plan fills. Measured cells have as many. */
export const packsPerUnit = 2;

/** Seconds of as many packs of `rows` rows and `tokens` tokens; rows beyond the tile are further blocks over the same data. */
export function cellTime(c: Configuration, device: DeviceDescription, rows: number, tokens: number): number {
  const { work } = c;
  const packs = packsPerUnit * figureOf(device, 'units');
  const parts = Math.max(1, Math.ceil(rows / work.rows));
  const block = { rows: Math.min(rows, work.rows), tokens, count: packs * parts };
  const bytes = (packs * tokens * work.streamBytes) / work.step;
  const launch = { template: c.template, tile: c.tile, blocks: [block], bytes };
  return launchUs(launch, c, device, fitOf(device.family).coefficients) * 1e-6;
}

/** `factor` is measured over predicted of each configuration, 1 where nothing was measured. */
export const cellTimes = (
  configurations: readonly Configuration[],
  device: DeviceDescription,
  factor: (i: number) => number,
): CellTimes[] =>
  rowEnds.flatMap((rows) =>
    tokenEnds.map((tokens) => ({
      rows,
      tokens,
      times: configurations.map((c, i) => cellTime(c, device, rows, tokens) * factor(i)),
    })),
  );

/** Greedy: the shape that is within the margin of the best in most cells, then of those left, and so on. */
export function winners(cells: readonly CellTimes[]): number[] {
  const left = new Set(cells.map((_, i) => i));
  const chosen: number[] = [];
  const good = cells.map(({ times }) => {
    const least = Math.min(...times);
    return new Set(times.flatMap((t, i) => (t <= least * (1 + margin) ? [i] : [])));
  });
  const winner = new Array<number>(cells.length).fill(0);
  while (left.size > 0) {
    const votes = new Map<number, number>();
    for (const cell of left) for (const i of good[cell]!) votes.set(i, (votes.get(i) ?? 0) + 1);
    const [best] = [...votes].reduce((a, b) => (b[1] > a[1] || (b[1] === a[1] && b[0] < a[0]) ? b : a));
    chosen.push(best);
    for (const cell of [...left]) {
      if (!good[cell]!.has(best)) continue;
      winner[cell] = best;
      left.delete(cell);
    }
  }
  return winner;
}

export interface TableFacts {
  readonly program: string;
  readonly kernel: string;
  readonly target: string;
  readonly device: string;
  readonly from: 'modelled' | 'measured';
  readonly spec: Spec;
}

export function makeTable(
  facts: TableFacts,
  cells: readonly CellTimes[],
  configurations: readonly Configuration[],
  fitting: readonly Configuration[] = configurations,
): TunedTable {
  const winner = winners(cells);
  const counts = new Map<number, number>();
  for (const w of winner) counts.set(w, (counts.get(w) ?? 0) + 1);
  const order = [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0]).map(([i]) => i);
  // A planner may have to hold more rows in one block than any winner does.
  const widest = fitting.reduce((a, b) => (b.work.rows > a.work.rows ? b : a));
  const spare = order.some((i) => configurations[i]!.work.rows >= widest.work.rows)
    ? []
    : [{ ...widest.tile }];
  return {
    version: 1,
    ...facts,
    spec: { ...facts.spec },
    rows: [...rowEnds],
    tokens: [...tokenEnds],
    tiles: [...order.map((i) => ({ ...configurations[i]!.tile })), ...spare],
    winner: rowEnds.map((_, r) => tokenEnds.map((_, t) => order.indexOf(winner[r * tokenEnds.length + t]!))),
  };
}

/** The winner for that many rows and tokens; beyond the last region the last. */
export function lookUp(table: TunedTable, rows: number, tokens: number): Tile {
  const at = (ends: readonly number[], x: number): number => {
    const i = ends.findIndex((end) => x <= end);
    return i < 0 ? ends.length - 1 : i;
  };
  return table.tiles[table.winner[at(table.rows, rows)]![at(table.tokens, tokens)]!]!;
}

export const cellsJson = (cells: readonly CellTimes[], index: readonly number[]): TuneJson['cells'] =>
  cells.map(({ rows, tokens, times }) => ({
    rows,
    tokens,
    us: times
      .map((t, i) => ({ configuration: index[i]!, us: Number((t * 1e6).toPrecision(4)) }))
      .sort((a, b) => a.us - b.us)
      .slice(0, 5),
  }));
