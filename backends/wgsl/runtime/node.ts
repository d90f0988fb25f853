/** The WebGPU device of this machine, driven from Node. */
import { availableParallelism } from 'node:os';
import { createRequire } from 'node:module';
import type { Device, RunRequest, RunResult } from '../../../compiler/backend.ts';
import { findTarget } from '../../../compiler/target.ts';
import { fail } from '../../../compiler/diagnostics/error.ts';
import { findAdapter, type AdapterChoice, type FoundAdapter } from './dawn.ts';
import { runOn } from './run.ts';

// WebGPU does not tell how many compute units there are; these are mid-range parts of each vendor.
const typicalUnits: Readonly<Record<string, number>> = {
  nvidia: 64,
  amd: 48,
  apple: 16,
  intel: 24,
  qualcomm: 8,
};

const unitsOf = (found: FoundAdapter): number =>
  found.software ? availableParallelism() : (typicalUnits[found.adapter.info.vendor.toLowerCase()] ?? 16);

function dawnVersion(): string {
  try {
    const { version } = createRequire(import.meta.url)('webgpu/package.json') as { version: string };
    return `webgpu ${version}`;
  } catch {
    return 'webgpu';
  }
}

async function requestDevice({ adapter, description }: FoundAdapter): Promise<GPUDevice> {
  const wanted = ['shader-f16', 'timestamp-query'] as const;
  try {
    return await adapter.requestDevice({
      requiredFeatures: wanted.filter((f) => adapter.features.has(f)),
      // How much data fits is the machine's business; what kernels may use stays at the defaults.
      requiredLimits: {
        maxBufferSize: adapter.limits.maxBufferSize,
        maxStorageBufferBindingSize: adapter.limits.maxStorageBufferBindingSize,
      },
    });
  } catch (error) {
    return fail('PAT0703', `the adapter ${description} gives no device`, {
      notes: [{ text: (error as Error).message }],
    });
  }
}

/** Throws PAT0703 where there is no adapter, saying what to install. */
export async function openDevice(choice: AdapterChoice = 'auto'): Promise<Device> {
  const found = await findAdapter(choice);
  const device = await requestDevice(found);
  const f16 = device.features.has('shader-f16');
  const description = `${found.description}${found.software ? ', software' : ''}`;
  const driver = dawnVersion();
  return {
    description,
    target: findTarget(f16 ? 'wgsl:f16' : 'wgsl')!,
    units: unitsOf(found),
    async run(request: RunRequest): Promise<RunResult> {
      return { device: description, driver, ...(await runOn(device, request)) };
    },
    async close(): Promise<void> {
      device.destroy();
      await device.lost;
    },
  };
}
