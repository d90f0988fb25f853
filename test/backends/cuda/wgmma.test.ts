/** What ptxas makes of kernels with wgmma: registers by role, no spills, and no instruction serialised for want of a fence. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { emitCuda } from '../../../backends/cuda/emit/index.ts';
import { findNvcc } from '../../../backends/cuda/nvcc/find.ts';
import { parseResources } from '../../../backends/cuda/nvcc/resources.ts';
import { lowerKernel } from '../../../compiler/lower/index.ts';
import type { Tile } from '../../../compiler/program.ts';
import { findTarget } from '../../../compiler/target.ts';
import { forward } from '../../../examples/pat/forward.ts';

function emit(m: 64 | 128, n: 64 | 128, headDim: number, lowering: Tile): string {
  const kernel = forward.trace({ ...forward.spec, headDim, group: 8, page: 32 }, { m, n, stages: 2 });
  const lowered = lowerKernel(
    { ...kernel, tile: { ...kernel.tile, ...lowering, wgmma: 1 } },
    findTarget('cuda:sm_90a')!,
  );
  return emitCuda('pat', [lowered], 'cuda:sm_90a', { launchers: false }).text;
}

describe('emitted text', () => {
  it('multiplies from descriptors, accumulators in place', () => {
    const text = emit(64, 64, 128, {});
    expect(text).toContain('wgmma.mma_async.sync.aligned.m64n64k16.f32.f16.f16');
    expect(text).toContain('wgmma_m64n64k16_f16_nk<false>(');
    expect(text).toContain('wgmma_m64n128k16_f16_kn<true>(');
    expect(text).toMatch(/wgmma_operand<8192, 1024>\(values_address \+ stage \* 16384, 2048\)/);
    expect(text).not.toContain('setmaxnreg');
    // More fragments than registers to spare.
    expect(emit(64, 64, 256, {})).toContain('wgmma_m64n64k16_f16_nk_shared<true>(');
  });

  it('gives producers’ registers to consumers, within the register file', () => {
    const text = emit(128, 128, 128, { producers: 1 });
    expect(text).toContain('__launch_bounds__(384, 1)');
    const [raised, lowered] = ['raise', 'lower'].map((x) =>
      Number(new RegExp(`${x}_registers<(\\d+)>\\(\\);`).exec(text)![1]),
    );
    expect(256 * raised! + 128 * lowered!).toBeLessThanOrEqual(384 * 168);
    expect(raised).toBeGreaterThan(200);
  });
});

const nvcc = findNvcc();
describe.skipIf(!nvcc)('ptxas', () => {
  it.each([
    { m: 64, n: 64, headDim: 128, producers: 1 },
    { m: 128, n: 128, headDim: 128, producers: 0 },
    { m: 128, n: 128, headDim: 128, producers: 1 },
    { m: 64, n: 64, headDim: 256, producers: 0 },
  ] as const)('m=$m n=$n headDim=$headDim producers=$producers', ({ m, n, headDim, producers }) => {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'patc-test-'));
    writeFileSync(path.join(folder, 'k.cu'), emit(m, n, headDim, { producers }));
    const { status, stdout, stderr } = spawnSync(
      nvcc!,
      ['-arch=sm_90a', '-cubin', '-Xptxas', '-v', '-o', 'k.cubin', 'k.cu'],
      { cwd: folder, encoding: 'utf8' },
    );
    const log = stdout + stderr;
    expect(status, log).toBe(0);
    expect(log).not.toMatch(/serialized|warning/i);
    const [r] = [...parseResources(log).values()];
    expect(r!.spillLoadBytes + r!.spillStoreBytes).toBe(0);
  });
});
