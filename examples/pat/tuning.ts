/** A plan as the tuner's cost model sees it, and workloads of equal packs to measure tile shapes with. */
import { sameShape, tileShape } from './cost.ts';
import { fail } from '../../compiler/diagnostics/error.ts';
import type { Spec, Tile } from '../../compiler/program.ts';
import type { BlockWork, CellWorkload, LaunchWork } from '../../compiler/work.ts';
import { tokenBytes } from './heads.ts';
import { laneTokens } from './lanes.ts';
import { entryInts } from './packlist.ts';
import { usedTokens } from './inputs.ts';
import type { Kernels } from './launches.ts';
import type { Plan } from './plan.ts';
import { packLoads } from './predict.ts';
import { sum } from './summary.ts';
import { packInts } from './tables.ts';

/** Matrix instructions take 16 rows. */
const warpRows = (rows: number): number => Math.ceil(rows / 16) * 16;

/** Packs of equal size counted together; every pack is a block for each KV head. */
export function planWork(
  plan: Plan,
  kernels: Kernels,
  tiles: readonly Tile[],
  mergeShape: Tile,
): LaunchWork[] {
  const { batch, tables } = plan;
  const group = batch.qHeads / batch.kvHeads;
  const loads = packLoads(tables);
  const loaded = loads.reduce((total, { load }) => total + load, 0);
  const rowBytes = batch.headDim * (batch.dtype === 'f32' ? 4 : 2);
  const unique = sum(usedTokens(batch)) * batch.kvHeads * tokenBytes(batch);
  const ends = 2 * batch.lengths.length * batch.qHeads * rowBytes;
  const launches = tables.shapes.map(({ tile, packBase, packCount }): LaunchWork => {
    const blocks = new Map<
      string,
      { rows: number; tokens: number; active: number; pieces: number; count: number }
    >();
    let share = 0;
    const width = laneTokens(tile.n, batch.page);
    const lanes = tile.n / width;
    for (let p = packBase; p < packBase + packCount; p++) {
      const rows = tables.packs[p * packInts + 1]! * group;
      let [tokens, busy] = [0, 0];
      for (let e = tables.packs[p * packInts + 2]!; e < tables.packs[p * packInts + 3]!; e++) {
        const [, from, to, , sequences] = tables.entries.subarray(e * entryInts, (e + 1) * entryInts);
        // A lane never spans two entries.
        const stepped = Math.ceil((to! - from!) / width) * width;
        tokens += stepped;
        busy += stepped * warpRows(sequences! * group);
      }
      const pieces = (tables.packs[p * packInts + 3]! - tables.packs[p * packInts + 2]!) / lanes;
      const active = tokens > 0 ? Math.round(busy / tokens) : 0;
      const key = `${rows} ${tokens} ${active} ${pieces}`;
      const block = blocks.get(key);
      if (block) block.count += batch.kvHeads;
      else blocks.set(key, { rows, tokens, active, pieces, count: batch.kvHeads });
      share += loads[p]!.load;
    }
    const found = tiles.find((t) => sameShape(tileShape(t), tile))!;
    const bytes = loaded > 0 ? ((unique + ends) * share) / loaded : 0;
    return { template: kernels.forward, tile: found, blocks: [...blocks.values()], bytes };
  });
  if (tables.slots > 0) {
    const partials = tables.slots * batch.qHeads;
    const merged: BlockWork = { rows: 1, tokens: batch.headDim, count: partials };
    // Written by the forward kernel and read back, in f32.
    const bytes = 2 * partials * batch.headDim * 4;
    launches.push({ template: kernels.merge, tile: mergeShape, blocks: [merged], bytes });
  }
  return launches;
}

/** Roots of `tokens` tokens, each read by as many sequences as fill `rows` rows and have nothing of their own. */
export function cellWorkload(spec: Spec, rows: number, tokens: number, blocks: number): CellWorkload {
  const [group, kvHeads] = [spec.group, spec.kvHeads].map(Number) as [number, number];
  if (!(group > 0 && kvHeads > 0)) fail('PAT0106', 'a cell needs group and kvHeads');
  const sequences = Math.max(1, Math.floor(rows / group));
  const roots = Math.max(1, Math.ceil(blocks / kvHeads));
  return {
    workload: sequences === 1 ? `${roots}_${tokens}` : `${roots},${roots * sequences}_${tokens},0`,
    rows: sequences * group,
    tokens,
    count: roots * kvHeads,
  };
}
