/**
 * Tables of fixed capacity, for CUDA graphs: every step's plan is written into the same arrays at the same places, so that
 * launches, grids and addresses never change. Each tile shape has a region of packs of its own; packs that a step does not
 * use are zero rows (no sequences, no entries) and merges that it does not use have slotCount 0.
 */
import { fail } from '../../compiler/diagnostics/error.ts';
import { sameShape, shapeOf, type TileShape } from './cost.ts';
import { entryInts } from './packlist.ts';
import type { Plan } from './plan.ts';
import { mergeInts, packInts, type ShapeRun } from './tables.ts';

/** How much room there is. A batch of s sequences needs at most s rows, and s + (packs cut) more where it is split. */
export interface Capacity {
  /** Packs of each tile shape. */
  readonly packs: number;
  /** (sequence, pack) pairs. */
  readonly rows: number;
  readonly entries: number;
  readonly merges: number;
  readonly slots: number;
}

export interface FixedTables {
  readonly capacity: Capacity;
  /** One region per tile, in the order of the tiles; launched whole. */
  readonly shapes: readonly ShapeRun[];
  /** [tiles * packs + 1, 4] */
  readonly packs: Int32Array;
  readonly packSequences: Int32Array;
  readonly packSlots: Int32Array;
  readonly entries: Int32Array;
  readonly merges: Int32Array;
}

export function makeFixed(capacity: Capacity, tiles: readonly TileShape[]): FixedTables {
  return {
    capacity,
    shapes: tiles.map((tile, i) => ({
      tile: shapeOf(tile),
      packBase: i * capacity.packs,
      packCount: capacity.packs,
    })),
    packs: new Int32Array((tiles.length * capacity.packs + 1) * packInts),
    packSequences: new Int32Array(capacity.rows),
    packSlots: new Int32Array(capacity.rows).fill(-1),
    entries: new Int32Array(capacity.entries * entryInts),
    merges: new Int32Array(capacity.merges * mergeInts),
  };
}

/** Writes a plan in place. Throws PAT0509 with every number that does not fit; the tables are then unchanged. */
export function writeFixed({ tables }: Plan, fixed: FixedTables): void {
  const { capacity } = fixed;
  const needed: [keyof Capacity, number][] = [
    ['packs', tables.shapes.reduce((most, s) => Math.max(most, s.packCount), 0)],
    ['rows', tables.packSequences.length],
    ['entries', tables.entries.length / entryInts],
    ['merges', tables.merges.length / mergeInts],
    ['slots', tables.slots],
  ];
  const over = needed.filter(([name, count]) => count > capacity[name]);
  if (over.length > 0)
    fail(
      'PAT0509',
      `the plan needs ${over.map(([name, count]) => `${count} ${name} (room for ${capacity[name]})`).join(', ')}`,
    );
  fixed.packs.fill(0);
  for (const run of tables.shapes) {
    const region = fixed.shapes.find((s) => sameShape(s.tile, run.tile));
    if (!region)
      return fail('PAT0509', `the tables have no region for tiles of ${run.tile.m} x ${run.tile.n}`);
    const rows = tables.packs.subarray(run.packBase * packInts, (run.packBase + run.packCount) * packInts);
    fixed.packs.set(rows, region.packBase * packInts);
  }
  copy(tables.packSequences, fixed.packSequences, 0);
  copy(tables.packSlots, fixed.packSlots, -1);
  copy(tables.entries, fixed.entries, 0);
  copy(tables.merges, fixed.merges, 0);
}

function copy(from: Int32Array, to: Int32Array, rest: number): void {
  to.set(from);
  to.fill(rest, from.length);
}
