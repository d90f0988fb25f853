import type { KernelTemplate, Tile } from '../program.ts';

/**
 * Every combination of the candidate values that the template offers, in its order; `fixed` numbers replace their candidates.
 * Where the fixed numbers leave nothing that is offered, they are taken at their word.
 */
export function tilesOf(template: KernelTemplate, fixed: Tile = {}): Tile[] {
  let tiles: Record<string, number>[] = [{}];
  for (const [name, candidates] of Object.entries(template.tile)) {
    const values = name in fixed ? [fixed[name]!] : candidates;
    tiles = tiles.flatMap((tile) => values.map((value) => ({ ...tile, [name]: value })));
  }
  const offered = template.where ? tiles.filter((tile) => template.where!(tile)) : tiles;
  return offered.length > 0 ? offered : tiles;
}
