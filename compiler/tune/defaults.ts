/**
 * Tables of winners without tuning anything: those that the user's own tuning left in the cache, then those that patc ships
 * (defaults/tables.json, made by `node scripts/tuned-defaults.ts`).
 */
import { randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { cacheFolder } from '../../backends/cuda/nvcc/cache.ts';
import type { Device } from '../backend.ts';
import type { Lowering } from '../cli/lowering.ts';
import type { KernelTemplate, Spec, Tile } from '../program.ts';
import { configure, isRefused } from './configuration.ts';
import { describedBy } from './devices.ts';
import shippedTables from './defaults/tables.json' with { type: 'json' };
import { tableSchema, type TunedTable } from './schemas.ts';

export const shipped = (): TunedTable[] => z.array(tableSchema).parse(shippedTables);

const folder = (): string => path.join(cacheFolder(), 'tables');

const nameOf = (t: TunedTable): string =>
  [t.kernel, t.target, t.device, ...Object.values(t.spec)].join('-').replace(/[^\w.-]+/g, '_');

/** Keeps a measured table for later runs on this device; false where the cache cannot be written. */
export function keepTable(table: TunedTable): boolean {
  const file = path.join(folder(), `${nameOf(table)}.json`);
  const draft = `${file}.${randomUUID()}.draft`;
  try {
    mkdirSync(folder(), { recursive: true });
    writeFileSync(draft, `${JSON.stringify(table)}\n`);
    renameSync(draft, file);
    return true;
  } catch {
    return false;
  }
}

/** The user's own; what is no table is passed over. */
export function own(): TunedTable[] {
  let names: string[];
  try {
    names = readdirSync(folder()).filter((name) => name.endsWith('.json'));
  } catch {
    return [];
  }
  return names.sort().flatMap((name) => {
    try {
      return [tableSchema.parse(JSON.parse(readFileSync(path.join(folder(), name), 'utf8')))];
    } catch {
      return [];
    }
  });
}

/** The table for a kernel on a device whose facts are nearest; the user's own before shipped ones. */
export function tableFor(
  template: KernelTemplate,
  target: string,
  device: string,
  spec: Spec,
  lists: readonly (readonly TunedTable[])[] = [own(), shipped()],
): TunedTable | undefined {
  const likeness = (t: TunedTable): number =>
    Object.entries(t.spec).filter(([name, value]) => (spec[name] ?? template.spec[name]) === value).length;
  for (const list of lists) {
    const fitting = list.filter(
      (t) => t.kernel === template.name && t.target === target && t.device === device,
    );
    const best = fitting.reduce<TunedTable | undefined>(
      (a, b) => (a === undefined || likeness(b) > likeness(a) ? b : a),
      undefined,
    );
    if (best) return best;
  }
  return undefined;
}

/**
 * The shapes that a planner needs: the winners that fit, most cells first. Undefined where none does: the table is of another
 * version of the kernel then.
 */
export function winnersThatFit(
  table: TunedTable,
  template: KernelTemplate,
  fits: (tile: Tile) => boolean,
): Tile[] | undefined {
  const names = Object.keys(template.tile);
  const known = table.tiles.filter(
    (tile) =>
      Object.keys(tile).every((name) => names.includes(name)) &&
      names.every((name) => template.tile[name]!.includes(tile[name] ?? NaN)),
  );
  const kept = known.filter(fits);
  return kept.length > 0 ? kept : undefined;
}

/** For a device that is there: the winners of a kernel that fit, undefined where no table is of that kernel and device. */
export function winnersOn(
  device: Device,
  lowering: Lowering,
): (template: KernelTemplate, spec: Spec) => readonly Tile[] | undefined {
  const known = describedBy(device.target.family, device.description, device.units);
  return (template, spec) => {
    const table = known && tableFor(template, device.target.name, known.id, spec);
    return (
      table &&
      winnersThatFit(table, template, (tile) => !isRefused(configure(lowering, template, spec, tile)))
    );
  };
}
