/**
 * The emitted text of every example, as files that people can read, and what nvcc makes of it. After a change of the
 * compiler: `npx vitest run test/backends/cuda/golden.test.ts -u`, and read the difference.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { emitCuda } from '../../../backends/cuda/emit/index.ts';
import { CodeCache } from '../../../backends/cuda/nvcc/cache.ts';
import { compileCubin } from '../../../backends/cuda/nvcc/compile.ts';
import { findNvcc } from '../../../backends/cuda/nvcc/find.ts';
import { lowerKernel } from '../../../compiler/lower/index.ts';
import type { KernelTemplate, Tile } from '../../../compiler/program.ts';
import { findTarget } from '../../../compiler/target.ts';
import { linearGelu } from '../../../examples/gemm/kernel.ts';
import { forward, merge } from '../../../examples/pat/index.ts';
import { prefill } from '../../../examples/prefill/kernel.ts';
import { pieceSums, totalSum } from '../../../examples/reduction/kernel.ts';
import { rmsNorm } from '../../../examples/rmsnorm/kernel.ts';
import { rowSoftmax } from '../../../examples/softmax/kernel.ts';

const golden = path.join(import.meta.dirname, '../../golden/cuda');
const programs: [string, KernelTemplate[], string, Tile?][] = [
  ['softmax', [rowSoftmax], 'sm_80'],
  ['rmsnorm', [rmsNorm], 'sm_80'],
  ['gemm', [linearGelu], 'sm_80'],
  ['prefill', [prefill], 'sm_80'],
  ['reduction', [pieceSums, totalSum], 'sm_80'],
  ['pat', [forward, merge], 'sm_80'],
  ['pat', [forward, merge], 'sm_90a'],
  ['gemm', [linearGelu], 'sm_90a', { rows: 128, width: 256, step: 64, stages: 4, producers: 1, wgmma: 1 }],
  ['prefill', [prefill], 'sm_90a', { m: 128, n: 128, stages: 3, producers: 1, wgmma: 1 }],
];

/** Every kernel at its defaults, but for what is given. */
function emit(name: string, templates: readonly KernelTemplate[], arch: string, given: Tile = {}) {
  const target = findTarget(`cuda:${arch}`)!;
  const kernels = templates.map((t) => {
    const usual = Object.fromEntries(Object.entries(t.tile).map(([k, values]) => [k, values[0]!]));
    const tile = { ...usual, ...given };
    return lowerKernel(t.trace(t.spec, tile), target);
  });
  return emitCuda(name, kernels, target.name);
}

describe('emitted text', () => {
  it.each(programs)('%s %# for %s', async (name, templates, arch, tile) => {
    const source = emit(name, templates, arch, tile);
    await expect(source.text).toMatchFileSnapshot(path.join(golden, `${name}.${arch}.cu`));
    await expect(source.header).toMatchFileSnapshot(path.join(golden, `${name}.${arch}.h`));
  });

  it('has the instructions that the target is chosen for', () => {
    const text = emit('pat', [forward, merge], 'sm_80').text;
    for (const part of ['mma.sync.aligned.m16n8k16', 'cp.async.cg.shared.global', 'ldmatrix.sync'])
      expect(text).toContain(part);
    expect(text.toLowerCase()).not.toContain('attention');
  });
});

const nvcc = findNvcc();
describe.skipIf(!nvcc)('registers and spills', () => {
  it('are as recorded for this nvcc, and nothing spills', async () => {
    const release = /release ([\d.]+)/.exec(execFileSync(nvcc!, ['--version'], { encoding: 'utf8' }))![1]!;
    const cache = new CodeCache(mkdtempSync(path.join(os.tmpdir(), 'patc-test-')));
    const rows = await Promise.all(
      programs.map(async ([name, templates, arch, tile]) => {
        const { text, spans, kernels } = emit(name, templates, arch, tile);
        const cubin = await compileCubin({ program: name, text, spans, arch }, cache);
        return kernels.map(({ kernel, signature }) => {
          const r = cubin.resources.get(signature.symbol)!;
          const spillBytes = r.spillLoadBytes + r.spillStoreBytes;
          expect(spillBytes, `${signature.symbol} ${arch}`).toBe(0);
          return [
            `${arch} ${signature.symbol}`,
            {
              threads: kernel.threads,
              registers: r.registers,
              spillBytes,
              sharedBytes: kernel.sharedBytes,
            },
          ] as const;
        });
      }),
    );
    const file = path.join(golden, 'resources.json');
    const text = `${JSON.stringify({ nvcc: release, kernels: Object.fromEntries(rows.flat()) }, null, 2)}\n`;
    if (recordedRelease(file) === undefined || recordedRelease(file) === release)
      await expect(text).toMatchFileSnapshot(file);
  });
});

function recordedRelease(file: string): string | undefined {
  try {
    return (JSON.parse(readFileSync(file, 'utf8')) as { nvcc: string }).nvcc;
  } catch {
    return undefined;
  }
}
