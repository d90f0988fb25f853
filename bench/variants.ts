/**
 * Softcap and a sliding window, each an edit of at most ten lines of the forward kernel, on a CUDA device:
 *   node bench/variants.ts [--on cuda|simulator]
 * For each target that the device runs, at shapes of every kind of kernel, against float64. Exits 1 where one is wrong.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import type { Device } from '../compiler/backend.ts';
import { backendOf } from '../compiler/cli/backends.ts';
import { findTarget, type Target } from '../compiler/target.ts';
import { edited, instanceFor, relativeError, requestFor, variants } from '../test/examples/pat/variants.ts';
import { runScript } from './script.ts';

const shapes = [
  { m: 16, n: 16, stages: 2 },
  { m: 64, n: 32, stages: 3 },
  { m: 64, n: 32, stages: 5, producers: 1, wgmma: 0 },
  { m: 64, n: 64, stages: 3, producers: 1, wgmma: 1 },
];

async function open(on: string, target: Target): Promise<Device> {
  if (on === 'cuda') return (await backendOf('cuda')).open();
  return (await import('../backends/cpu/simulator/index.ts')).openSimulator(target);
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { on: { type: 'string', default: 'cuda' } } });
  const folder = mkdtempSync(path.join(tmpdir(), 'patc-variant-'));
  let wrong = 0;
  try {
    for (const target of ['cuda:sm_80', 'cuda:sm_90a']) {
      const device = await open(values.on, findTarget(target)!);
      for (const v of variants) {
        const forward = await edited(v, folder);
        for (const tile of shapes) {
          if (target === 'cuda:sm_80' && 'producers' in tile) continue;
          const instance = instanceFor(v, forward, 'cuda', 'auto', tile);
          const { outputs } = await device.run(requestFor(instance, findTarget(target)!));
          const error = relativeError(v, instance, outputs);
          const ok = error < 1e-3;
          if (!ok) wrong++;
          console.log(
            `${ok ? 'ok   ' : 'WRONG'} ${v.name}, ${target}, ${Object.values(tile).join('x')}: relative error ${error.toExponential(2)}`,
          );
        }
      }
      await device.close();
    }
    console.log(`variants: ${wrong} wrong`);
    return wrong > 0 ? 1 : 0;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

await runScript(main);
