/** WGSL modules as pipelines on a device. Browser and Node. */
import { fail } from '../../../compiler/diagnostics/error.ts';
import type { WgslModule } from '../emit/index.ts';

export interface CompiledKernel {
  readonly module: WgslModule;
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
}

/** The author's place of a line of WGSL, or of the nearest line above that has one. */
function spanAt(module: WgslModule, line: number): WgslModule['lines'][number] {
  for (let i = Math.min(line, module.lines.length) - 1; i >= 0; i--)
    if (module.lines[i]) return module.lines[i];
  return undefined;
}

/** A driver or validator that refuses emitted code, told at the author's line. */
export function rejected(module: WgslModule, text: string, line = 0): never {
  const span = line > 0 ? spanAt(module, line) : undefined;
  const source = module.code.split('\n')[line - 1]?.trim();
  return fail('PAT0705', `WebGPU rejects the code of ${module.kernel}: ${text}`, {
    ...(span ? { span } : {}),
    notes: source ? [{ text: `WGSL line ${line}: ${source}` }] : [],
    help: 'this is a fault of patc; please report it with the kernel',
  });
}

/** Throws PAT0705 at the first error message of the WGSL compiler. */
export async function createModule(device: GPUDevice, module: WgslModule): Promise<GPUShaderModule> {
  device.pushErrorScope('validation');
  const shader = device.createShaderModule({ code: module.code, label: module.kernel });
  // The messages of getCompilationInfo say the same with positions.
  const error = await device.popErrorScope();
  const { messages } = await shader.getCompilationInfo();
  const first = messages.find((m) => m.type === 'error');
  if (first) rejected(module, first.message, first.lineNum);
  if (error) rejected(module, error.message);
  return shader;
}

async function compile(device: GPUDevice, module: WgslModule): Promise<CompiledKernel> {
  const shader = await createModule(device, module);
  const layout = device.createBindGroupLayout({
    label: module.kernel,
    entries: [
      ...module.bindings.map((b, binding): GPUBindGroupLayoutEntry => ({
        binding,
        visibility: 4, // GPUShaderStage.COMPUTE
        buffer: { type: b.access === 'read' ? 'read-only-storage' : 'storage' },
      })),
      ...(module.params.length > 0
        ? [{ binding: module.bindings.length, visibility: 4, buffer: { type: 'uniform' as const } }]
        : []),
    ],
  });
  try {
    const pipeline = await device.createComputePipelineAsync({
      label: module.kernel,
      layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
      compute: { module: shader, entryPoint: module.entryPoint },
    });
    return { module, pipeline, layout };
  } catch (error) {
    return rejected(module, (error as Error).message);
  }
}

const caches = new WeakMap<GPUDevice, Map<string, Promise<CompiledKernel>>>();

/** Compiles all at once; the same code on the same device is compiled once. Throws PAT0705. */
export function compileKernels(device: GPUDevice, modules: readonly WgslModule[]): Promise<CompiledKernel[]> {
  let cache = caches.get(device);
  if (!cache) caches.set(device, (cache = new Map()));
  return Promise.all(
    modules.map((module) => {
      let compiled = cache.get(module.code);
      if (!compiled) cache.set(module.code, (compiled = compile(device, module)));
      return compiled;
    }),
  );
}
