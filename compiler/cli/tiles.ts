import type { KernelTemplate, Tile } from '../program.ts';

/** Every combination of the candidate values, in the order of the template; `fixed` numbers replace their candidates. */
export function tilesOf(template: KernelTemplate, fixed: Tile = {}): Tile[] {
  let tiles: Record<string, number>[] = [{}];
  for (const [name, candidates] of Object.entries(template.tile)) {
    const values = name in fixed ? [fixed[name]!] : candidates;
    tiles = tiles.flatMap((tile) => values.map((value) => ({ ...tile, [name]: value })));
  }
  return tiles;
}
