/** One launch of a kernel, with everything the driver reads for it laid out beforehand: repeating it costs the call alone. */
import { launchesEarly } from '../emit/kernel.ts';
import { Arguments } from './arguments.ts';
import type { LoadedKernel } from './code.ts';
import type { Gpu } from './gpu.ts';
import { koffi } from './library.ts';

/** CUlaunchConfig (cuda.h): seven 32-bit numbers, then after padding the stream, the attributes and their number. */
const config = { stream: 32, attributes: 40, count: 48, bytes: 56 } as const;
/** CUlaunchAttribute: which, and from byte 8 on its value of up to 64. */
const attribute = { bytes: 72, value: 8, earlyLaunch: 6 } as const;

export class Launch {
  readonly loaded: LoadedKernel;
  /** Blocks along x, y and z. One without blocks has nothing to do, and the driver rejects it. */
  readonly empty: boolean;
  readonly #gpu: Gpu;
  readonly #args: Arguments;
  readonly #config: bigint;

  /**
   * `addresses` by kernel buffer name, `scalars` by parameter name. `follows`: another launch comes right before it, which it need
   * not see the end of to be launched, where the kernel itself waits for that. @throws PAT0708 where an argument is missing or
   * does not fit.
   */
  constructor(
    gpu: Gpu,
    loaded: LoadedKernel,
    grid: readonly [number, number, number],
    addresses: Readonly<Record<string, bigint>>,
    scalars: Readonly<Record<string, number>>,
    follows = false,
  ) {
    const { kernel } = loaded;
    this.loaded = loaded;
    this.empty = grid.some((n) => n === 0);
    this.#gpu = gpu;
    this.#args = new Arguments(gpu.driver, kernel, addresses, scalars);
    this.#config = koffi().alloc('uint64_t', (config.bytes + attribute.bytes) / 8);
    const view = new DataView(koffi().view(this.#config, config.bytes + attribute.bytes));
    [...grid, kernel.threads, 1, 1, kernel.sharedBytes].forEach((n, i) => view.setUint32(4 * i, n, true));
    view.setBigUint64(config.stream, BigInt(gpu.stream), true);
    const early = follows && launchesEarly(kernel);
    view.setBigUint64(config.attributes, early ? this.#config + BigInt(config.bytes) : 0n, true);
    view.setBigUint64(config.count, early ? 1n : 0n, true);
    view.setBigUint64(config.bytes, BigInt(attribute.earlyLaunch), true);
    view.setBigUint64(config.bytes + attribute.value, 1n, true);
  }

  /** Between two events the host's share of a launch counts, so nothing is looked up or formatted on the way. */
  enqueue(): void {
    if (this.empty) return;
    const { driver } = this.#gpu;
    const status = driver.functions.cuLaunchKernelEx(
      this.#config,
      this.loaded.handle,
      this.#args.pointer,
      null,
    );
    if (status !== 0)
      driver.failed(status, 'cuLaunchKernelEx', `launching kernel ${this.loaded.kernel.name}`);
  }

  free(): void {
    this.#args.free();
    koffi().free(this.#config);
  }
}
