/**
 * What the tuner's cost model says in the planner's terms (examples/pat/cost.ts), for every tile shape that compiles, those
 * that no sweep has measured included:
 *   node scripts/planner-figures.ts [DEVICE] [--heads 32/8] [--nvcc]
 * tokenNs: a unit's time for a token of 512 B that 16 rows read, with all blocks that fit the unit running; warpNs: the same
 * token for every 16 rows more; aloneNs: for a block alone on its unit, all rows reading; packNs: fixed work per pack, shared by
 * the blocks of a unit. The planner takes the larger of these limits where the model blends them: figures to start a fit
 * from, or for shapes that have none.
 */
import { parseArgs } from 'node:util';
import { Lowering } from '../compiler/cli/lowering.ts';
import { configure, isRefused, residency, type Configuration } from '../compiler/tune/configuration.ts';
import { findDevice, targetOn, type DeviceDescription } from '../compiler/tune/devices.ts';
import { fitOf } from '../compiler/tune/fits.ts';
import { stepTime } from '../compiler/tune/model.ts';
import { askNvcc } from '../compiler/tune/nvcc.ts';
import { forward } from '../examples/pat/index.ts';

export interface DerivedFigures {
  readonly tokenNs: number;
  readonly warpNs: number;
  readonly aloneNs: number;
  readonly packNs: number;
}

export function figuresFor(c: Configuration, device: DeviceDescription): DerivedFigures {
  const k = fitOf(device.family).coefficients;
  const running = Math.max(1, residency(c, device).blocks);
  const warps = Math.max(1, c.work.rows / 16);
  const perToken = (share: number, blocks: number): number =>
    (1e9 * stepTime(c, device, k, { share, running: blocks })) / blocks / c.work.step;
  const [one, all] = [perToken(1 / warps, running), perToken(1, running)];
  return {
    tokenNs: one,
    warpNs: warps > 1 ? (all - one) / (warps - 1) : 0,
    aloneNs: perToken(1, 1),
    packNs: k.packNs / running,
  };
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { heads: { type: 'string', default: '32/8' }, nvcc: { type: 'boolean', default: false } },
  });
  const device = findDevice(positionals[0] ?? 'h100');
  const lowering = new Lowering(targetOn(device));
  const [q, kv] = values.heads.split('/').map(Number) as [number, number];
  const spec = { headDim: 128, group: q / kv, kvHeads: kv, page: 32, dtype: 'f16' };
  const found = lowering
    .feasible(forward, spec)
    .map((tile) => configure(lowering, forward, spec, tile))
    .filter((c): c is Configuration => !isRefused(c));
  for (const c of values.nvcc ? await askNvcc(found) : found) {
    const f = figuresFor(c, device);
    const shown = Object.entries(c.tile).map(([name, v]) => `${name}: ${v}`);
    const spilt = c.registers.spillBytes > 0 ? ` // ${c.registers.spillBytes} B spilt` : '';
    console.log(
      `{ ${shown.join(', ')}, tokenNs: ${f.tokenNs.toFixed(1)}, warpNs: ${f.warpNs.toFixed(2)}, aloneNs: ${f.aloneNs.toFixed(1)}, packNs: ${f.packNs.toFixed(0)} }${spilt}`,
    );
  }
}
