/** Tile shapes near a wanted one: which fits when the wanted one does not, and what else is worth a look. */
import { PatcError } from '../diagnostics/error.ts';
import type { KernelTemplate, Spec, Tile } from '../program.ts';
import type { Lowering } from './lowering.ts';
import { showTile } from './output.ts';
import { tilesOf } from './tiles.ts';

/** Tile shapes tried before every shape is: nearest ones come first, so a fit is usually among the first few. */
const nearTries = 160;

function fits(lowering: Lowering, template: KernelTemplate, spec: Spec, tile: Tile): boolean {
  try {
    lowering.lower(template, spec, tile);
    return true;
  } catch (error) {
    if (error instanceof PatcError && (/^PAT03/.test(error.code) || error.code === 'PAT0107')) return false;
    throw error;
  }
}

/** How far apart two shapes are: factors of two, and one for every number that differs. */
function distance(a: Tile, b: Tile): number {
  let far = 0;
  for (const [name, value] of Object.entries(a)) {
    const other = b[name]!;
    if (value !== other) far += 1 + Math.abs(Math.log2((value + 1) / (other + 1)));
  }
  return far;
}

/** All shapes of a template that keep to `fixed`, nearest to its default (the first candidate of each number) first. */
export function tilesByDistance(template: KernelTemplate, fixed: Tile = {}): Tile[] {
  const tiles = tilesOf(template, fixed);
  const wanted = tiles[0]!;
  return tiles
    .map((tile) => ({ tile, far: distance(wanted, tile) }))
    .sort((a, b) => a.far - b.far)
    .map((t) => t.tile);
}

/** Lowering a shape fails or succeeds for reasons that its smaller numbers decide, so large steps come after small ones. */
export function nearestFit(
  template: KernelTemplate,
  spec: Spec,
  fixed: Tile,
  lowering: Lowering,
): Tile | undefined {
  const [, ...others] = tilesByDistance(template, fixed);
  const near = others.slice(0, nearTries);
  return (
    near.find((tile) => fits(lowering, template, spec, tile)) ??
    others.slice(nearTries).find((tile) => fits(lowering, template, spec, tile))
  );
}

/** The shape itself and those that differ from it in one number, as far as they fit. */
export function aroundTile(template: KernelTemplate, spec: Spec, tile: Tile, lowering: Lowering): Tile[] {
  const around = Object.entries(template.tile).flatMap(([name, candidates]) =>
    candidates.filter((v) => v !== tile[name]).map((v) => ({ ...tile, [name]: v })),
  );
  return [tile, ...around].filter((t) => fits(lowering, template, spec, t));
}

/** `m=16,n=32`: the numbers in which `tile` differs from `wanted`. */
export const changes = (wanted: Tile, tile: Tile): string =>
  showTile(Object.fromEntries(Object.entries(tile).filter(([name, value]) => wanted[name] !== value)));

/** A shape that does not fit the target, why not, and the nearest that does. */
export interface Refused {
  readonly kernel: string;
  readonly tile: Tile;
  readonly error: PatcError;
  readonly fits: Tile;
}
