/**
 * A tile shape for every pack: the smallest row tile that holds it, unless running the packs of a shape together with those of
 * the next larger one in use is predicted to take less time than a launch of their own.
 */
import type { PlanCosts } from '../cost.ts';
import type { PackList } from '../packlist.ts';
import type { Kind } from './candidate.ts';
import { launchTime, LoadTally, overheadTokens } from './score.ts';
import { ownTokens, rereadCost, workOf, type Work } from './work.ts';

/** Tile for that many rows: the smallest m that holds them, and of its shapes the one whose steps of the forest cost least. */
export function tileFor(costs: PlanCosts, rows: number, w: Work): number {
  const { tiles } = costs;
  let m = tiles.at(-1)!.m;
  for (const t of tiles)
    if (t.m >= rows) {
      m = t.m;
      break;
    }
  let least = Infinity;
  let at = -1;
  for (let i = 0; i < tiles.length; i++) {
    const t = tiles[i]!;
    if (t.m !== m) continue;
    const cost = t.token * ownTokens(w, t);
    if (cost > least) continue;
    least = cost;
    at = i;
  }
  return at;
}

/** Its memory, for the next plan. */
const tally = new LoadTally();

/**
 * [packs] an index into `costs.tiles` each: that of `choice` for all packs if it says so, or where its packs are no slower in it than
 * each in its own. Tiles that the packer asked for are kept.
 */
export function assignTiles(list: PackList, costs: PlanCosts, w: Work, choice?: Kind): Int32Array {
  const { tiles } = costs;
  if (choice?.fixed) return new Int32Array(list.count).fill(choice.tile);
  const unique = w.before[w.length.length]!;
  const tileOf = new Int32Array(list.count);
  const used = new Uint8Array(tiles.length);
  let total = 0;
  // Most packs have as many rows as the one before.
  let rows = -1;
  let smallest = -1;
  for (let p = 0; p < list.count; p++) {
    const asked = list.tile.data[p]!;
    const own = (list.sequenceBegin.data[p + 1]! - list.sequenceBegin.data[p]!) * w.group;
    if (asked < 0 && own !== rows) {
      rows = own;
      smallest = tileFor(costs, rows, w);
    }
    tileOf[p] = asked >= 0 ? asked : smallest;
    used[tileOf[p]!] = asked >= 0 ? 2 : 1;
    total += list.load.data[p]!;
  }
  const time = (tile: number, first: number, second: number): number => {
    const shape = tiles[tile]!;
    const reread = rereadCost(shape, w.group);
    tally.reset();
    for (let p = 0; p < list.count; p++)
      if (tileOf[p] === first || tileOf[p] === second) {
        const load = list.load.data[p]!;
        tally.add(load, workOf(load, list.reads[p]!, reread) + list.pad[p]!);
      }
    const share = total > 0 ? Math.floor((unique * tally.tokens) / total) : 0;
    const heaviest = tally.heaviest(costs.units, w.batch.kvHeads, overheadTokens(shape));
    const jobs = tally.packs * w.batch.kvHeads;
    return launchTime(costs, shape, w.batch.kvHeads, share, tally.tokens, heaviest, tally.largest, jobs);
  };
  for (let t = 0; t < tiles.length; t++) {
    if (used[t] !== 1) continue;
    let larger = t + 1;
    while (larger < tiles.length && (used[larger] === 0 || tiles[larger]!.m < tiles[t]!.m)) larger++;
    if (larger === tiles.length) break;
    const apart = time(t, t, t) + time(larger, larger, larger) + costs.launch;
    if (apart < time(larger, t, larger)) continue;
    for (let p = 0; p < list.count; p++) if (tileOf[p] === t) tileOf[p] = larger;
  }
  // The choice was scored in one tile, but its pieces may have fewer rows than its packs, and smaller tiles for them.
  if (!choice || tileOf.every((t) => t === choice.tile)) return tileOf;
  const taken = [...new Set(tileOf)];
  const apart = taken.reduce((sum, t) => sum + time(t, t, t), (taken.length - 1) * costs.launch);
  const own = tileOf.slice();
  tileOf.fill(choice.tile);
  return time(choice.tile, choice.tile, choice.tile) <= apart ? tileOf : own;
}
