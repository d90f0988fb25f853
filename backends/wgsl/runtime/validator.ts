/** Checks emitted WGSL as a WebGPU device with default limits would, with no GPU and no driver. Node only. */
import type { WgslModule } from '../emit/index.ts';
import { fail } from '../../../compiler/diagnostics/error.ts';
import { compileKernels } from './compile.ts';
import { createGpu } from './dawn.ts';

const devices = new Map<boolean, Promise<GPUDevice>>();

function nullDevice(f16: boolean): Promise<GPUDevice> {
  let device = devices.get(f16);
  if (!device) {
    device = (async () => {
      const gpu = await createGpu(['backend=null', 'enable-dawn-features=allow_unsafe_apis']);
      const adapter = await gpu.requestAdapter();
      if (!adapter) return fail('PAT0703', "Dawn's null backend is not there");
      return adapter.requestDevice({ requiredFeatures: f16 ? ['shader-f16'] : [] });
    })();
    devices.set(f16, device);
  }
  return device;
}

/** Compiles the module and its pipeline. Throws PAT0705 at the author's line. */
export async function validateModule(module: WgslModule): Promise<void> {
  await compileKernels(await nullDevice(module.f16), [module]);
}
