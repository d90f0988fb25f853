/** Variants of the forward kernel (variants.ts) are right on the interpreter, in the simulator of the CUDA lowering, and in WGSL. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { interpretRequest } from '../../../backends/cpu/interpreter/index.ts';
import { simulateRequest } from '../../../backends/cpu/simulator/index.ts';
import { wgslBackend } from '../../../backends/wgsl/index.ts';
import type { Device } from '../../../compiler/backend.ts';
import type { KernelTemplate } from '../../../compiler/program.ts';
import { findTarget } from '../../../compiler/target.ts';
import { edited, instanceFor, relativeError, requestFor, variants } from './variants.ts';

const folder = mkdtempSync(join(tmpdir(), 'patc-variant-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe.each(variants)('$name', (v) => {
  let forward: KernelTemplate;
  let webgpu: Device;
  beforeAll(async () => {
    forward = await edited(v, folder);
    webgpu = await wgslBackend.open();
  });
  afterAll(() => webgpu.close());

  it.each(['auto', 'pat'])('is right on the interpreter, packing %s', (packing) => {
    const instance = instanceFor(v, forward, 'cpu', packing);
    const kernels = instance.launches.map(({ template, tile }) => {
      const spec = Object.fromEntries(Object.keys(template.spec).map((key) => [key, instance.spec[key]!]));
      return template.trace(spec, tile);
    });
    const launches = instance.launches.map(({ grid, buffers, scalars }, kernel) => ({
      kernel,
      grid,
      buffers,
      scalars,
    }));
    const { outputs } = interpretRequest({ kernels, launches, buffers: instance.buffers });
    expect(relativeError(v, instance, outputs)).toBeLessThan(1e-3);
  });

  it.each(['cuda:sm_80', 'cuda:sm_90a'])('is right, and silent, in the simulator of %s', (target) => {
    const instance = instanceFor(v, forward, 'cuda', 'auto');
    const { outputs, reports } = simulateRequest(requestFor(instance, findTarget(target)!));
    expect(reports.flatMap((r) => r.errors)).toEqual([]);
    expect(relativeError(v, instance, outputs)).toBeLessThan(1e-3);
  });

  it('is right in WGSL', async () => {
    const instance = instanceFor(v, forward, 'wgsl', 'auto');
    const { outputs } = await webgpu.run(requestFor(instance, webgpu.target));
    expect(relativeError(v, instance, outputs)).toBeLessThan(1e-3);
  });
});
