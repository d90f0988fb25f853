/** Thread IR kernels as loaded functions: emitted, compiled by nvcc or NVRTC, loaded once per device. */
import type { ThreadKernel } from '../../../compiler/thread/nodes.ts';
import { emitCuda } from '../emit/index.ts';
import type { Cubin, CompileRequest } from '../nvcc/compile.ts';
import type { Resources } from '../nvcc/resources.ts';
import type { Pointer } from './driver.ts';
import type { Gpu } from './gpu.ts';

export interface LoadedKernel {
  readonly kernel: ThreadKernel;
  readonly symbol: string;
  readonly handle: Pointer;
  readonly resources: Resources | undefined;
  /** Blocks of this kernel that one multiprocessor holds. */
  readonly blocksPerUnit: number;
}

export type Compiler = (request: CompileRequest) => Promise<Cubin>;

const maxDynamicShared = 8; // CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES

/** The architecture to compile for on a device: its own, with Hopper's extensions where it has them. */
export const archOf = (capability: number): string => `sm_${capability}${capability === 90 ? 'a' : ''}`;

export class Code {
  readonly #gpu: Gpu;
  readonly #compile: Compiler;
  readonly #loaded = new Map<ThreadKernel, Promise<LoadedKernel>>();
  readonly #byText = new Map<string, Promise<LoadedKernel>>();
  readonly #modules: Pointer[] = [];

  constructor(gpu: Gpu, compile: Compiler) {
    this.#gpu = gpu;
    this.#compile = compile;
  }

  /** All kernels, compiled at the same time. */
  load(kernels: readonly ThreadKernel[]): Promise<LoadedKernel[]> {
    return Promise.all(kernels.map((k) => this.#one(k)));
  }

  #one(kernel: ThreadKernel): Promise<LoadedKernel> {
    let loaded = this.#loaded.get(kernel);
    if (loaded) return loaded;
    const source = emitCuda(kernel.name, [kernel], archOf(this.#gpu.facts.capability), { launchers: false });
    const key = `${kernel.sharedBytes} ${source.text}`;
    loaded = this.#byText.get(key) ?? this.#build(kernel, source);
    this.#loaded.set(kernel, loaded);
    this.#byText.set(key, loaded);
    return loaded;
  }

  async #build(kernel: ThreadKernel, source: ReturnType<typeof emitCuda>): Promise<LoadedKernel> {
    const { driver, facts } = this.#gpu;
    const { symbol } = source.kernels[0]!.signature;
    const arch = archOf(facts.capability);
    const cubin = await this.#compile({ program: kernel.name, text: source.text, spans: source.spans, arch });
    const doing = `loading kernel ${kernel.name}`;
    const module = driver.out<Pointer>(doing, 'cuModuleLoadData', cubin.bytes);
    this.#modules.push(module);
    const handle = driver.out<Pointer>(doing, 'cuModuleGetFunction', module, symbol);
    if (kernel.sharedBytes > 0)
      driver.call(
        `giving kernel ${kernel.name} ${kernel.sharedBytes} bytes of shared memory (the device allows ${facts.sharedBytes})`,
        'cuFuncSetAttribute',
        handle,
        maxDynamicShared,
        kernel.sharedBytes,
      );
    const blocksPerUnit = driver.out<number>(
      `asking for the occupancy of ${kernel.name}`,
      'cuOccupancyMaxActiveBlocksPerMultiprocessor',
      handle,
      kernel.threads,
      kernel.sharedBytes,
    );
    return { kernel, symbol, handle, resources: cubin.resources.get(symbol), blocksPerUnit };
  }

  close(): void {
    for (const module of this.#modules.splice(0)) this.#gpu.driver.attempt('cuModuleUnload', module);
    this.#loaded.clear();
    this.#byText.clear();
  }
}
