/** Dawn (npm `webgpu`) in Node: loading it, and finding the adapter to run on. */
import { fail } from '../../../compiler/diagnostics/error.ts';
import { hasSystemVulkan, softwareGpuHelp, useSoftwareGpu } from './software.ts';

interface Dawn {
  create(options: string[]): GPU;
  globals: Record<string, unknown>;
}

// The object that create() returns must outlive everything made from it: collecting it ends the process.
const instances: GPU[] = [];
let dawn: Promise<Dawn> | undefined;

const loadDawn = (): Promise<Dawn> =>
  (dawn ??= (async () => {
    let module: Dawn;
    try {
      module = (await import('webgpu')) as unknown as Dawn;
    } catch (error) {
      return fail('PAT0703', 'the npm package `webgpu` (Dawn) cannot be loaded', {
        notes: [{ text: (error as Error).message }],
        help: 'npm install webgpu',
      });
    }
    for (const [name, value] of Object.entries(module.globals))
      if (!(name in globalThis)) Object.assign(globalThis, { [name]: value });
    return module;
  })());

/** A Dawn instance with the given options, kept for the life of the process. */
export async function createGpu(options: string[]): Promise<GPU> {
  const gpu = (await loadDawn()).create(options);
  instances.push(gpu);
  return gpu;
}

// f16 is off by default on NVIDIA's Vulkan driver; timestamps are quantised to 100 us for the web's sake.
const runtimeOptions = [
  'enable-dawn-features=allow_unsafe_apis,vulkan_enable_f16_on_nvidia',
  'disable-dawn-features=timestamp_quantization',
];
// SwiftShader expands the extension's zeroing into one store per word: seconds of compilation for 16 KiB. Dawn's own
// zeroing is a loop.
const softwareOptions = [
  runtimeOptions[0]!,
  `${runtimeOptions[1]!},use_vulkan_zero_initialize_workgroup_memory_extension`,
];

export interface FoundAdapter {
  readonly adapter: GPUAdapter;
  readonly software: boolean;
  readonly description: string;
}

export type AdapterChoice = 'auto' | 'hardware' | 'software';

const describe = (info: GPUAdapterInfo): string =>
  [info.description || info.device || info.vendor, info.architecture && `(${info.architecture})`]
    .filter(Boolean)
    .join(' ');

const isSoftware = (info: GPUAdapterInfo): boolean =>
  /swiftshader|llvmpipe|lavapipe|basic render|warp/i.test(
    `${info.device} ${info.description} ${info.architecture}`,
  );

/**
 * A real adapter where there is one, else the software GPU.
 * PATC_WEBGPU_ADAPTER=hardware|software overrides `choice`.
 */
export async function findAdapter(choice: AdapterChoice = 'auto'): Promise<FoundAdapter> {
  const wish = process.env['PATC_WEBGPU_ADAPTER'];
  if (wish === 'hardware' || wish === 'software') choice = wish;
  else if (wish)
    fail('PAT0703', `PATC_WEBGPU_ADAPTER is "${wish}"`, {
      help: 'use "hardware" or "software", or leave it unset',
    });
  const reasons: string[] = [];
  const request = async (options: string[]): Promise<FoundAdapter | undefined> => {
    const gpu = await createGpu(options);
    const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
    return adapter
      ? { adapter, software: isSoftware(adapter.info), description: describe(adapter.info) }
      : undefined;
  };
  if (choice !== 'software') {
    // Without a loader Dawn would only print a warning.
    if (process.platform !== 'linux' || (await hasSystemVulkan())) {
      const found = await request(runtimeOptions);
      if (found && (!found.software || choice === 'auto')) return found;
      reasons.push(
        found ? `the only adapter is ${found.description}` : 'the system has no WebGPU-capable GPU driver',
      );
    } else reasons.push('the system has no Vulkan loader (libvulkan.so.1)');
  }
  if (choice !== 'hardware') {
    const software = await useSoftwareGpu();
    if (software.ok) {
      const found = await request(softwareOptions);
      if (found) return found;
      reasons.push('Dawn finds no adapter in the software GPU');
    } else reasons.push(software.reason);
  }
  return fail('PAT0703', 'no WebGPU adapter', {
    notes: reasons.map((text) => ({ text })),
    help:
      choice === 'hardware'
        ? 'install a Vulkan driver for the GPU, or unset PATC_WEBGPU_ADAPTER'
        : `install a Vulkan driver for the GPU, or a software GPU: ${softwareGpuHelp}`,
  });
}
