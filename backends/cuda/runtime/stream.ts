/** A sequence of launches: run once, or timed by events, by graph replay, chained, and with a cold cache. */
import type { Timing } from '../../../compiler/backend.ts';
import type { Pointer } from './driver.ts';
import type { Gpu } from './gpu.ts';
import type { Launch } from './launch.ts';

const warmUps = 5;
const mostWarmUps = 3000;
const warmUpMs = 60;
const chain = 10;

/** The middle value; of an even number, the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

export function enqueue(launches: readonly Launch[]): void {
  for (const l of launches) l.enqueue();
}

/** Runs the launches one at a time, so that a fault names its kernel. */
export function runChecked(gpu: Gpu, launches: readonly Launch[]): void {
  for (const l of launches) {
    l.enqueue();
    gpu.driver.call(`running kernel ${l.loaded.kernel.name}`, 'cuStreamSynchronize', gpu.stream);
  }
}

class Stopwatch {
  readonly #gpu: Gpu;
  readonly #start: Pointer;
  readonly #end: Pointer;

  constructor(gpu: Gpu) {
    this.#gpu = gpu;
    this.#start = gpu.driver.out<Pointer>('making an event', 'cuEventCreate', 0);
    this.#end = gpu.driver.out<Pointer>('making an event', 'cuEventCreate', 0);
  }

  /** Device time of `work`, in microseconds; the device is idle when it starts. */
  once(work: () => void): number {
    const { driver, stream } = this.#gpu;
    const { cuEventRecord: record } = driver.functions;
    gpuIdle(this.#gpu);
    const first = record(this.#start, stream);
    work();
    const status = record(this.#end, stream) || first;
    if (status !== 0) driver.failed(status, 'cuEventRecord', 'timing');
    driver.call('running timed kernels', 'cuEventSynchronize', this.#end);
    return driver.out<number>('timing', 'cuEventElapsedTime', this.#start, this.#end) * 1000;
  }

  /** Median of `repeats` after warm-ups; `before` runs untimed ahead of each. */
  median(repeats: number, work: () => void, before?: () => void): number {
    // Until the device's clock is up again after the host has checked results, and its own side of a launch is compiled and fast.
    const begin = performance.now();
    for (let i = 0; i < warmUps || (i < mostWarmUps && performance.now() - begin < warmUpMs); i++)
      this.once(work);
    const times: number[] = [];
    for (let i = 0; i < repeats; i++) {
      before?.();
      times.push(this.once(work));
    }
    return median(times);
  }

  free(): void {
    this.#gpu.driver.attempt('cuEventDestroy', this.#start);
    this.#gpu.driver.attempt('cuEventDestroy', this.#end);
  }
}

const gpuIdle = (gpu: Gpu): void =>
  gpu.driver.call('waiting for the device', 'cuStreamSynchronize', gpu.stream);

/** Records `work` into an executable graph, lends it, and releases it. */
function withGraph<T>(gpu: Gpu, work: () => void, use: (replay: () => void) => T): T {
  const { driver, stream } = gpu;
  const relaxed = 2;
  driver.call('recording a graph', 'cuStreamBeginCapture', stream, relaxed);
  let failure: unknown;
  try {
    work();
  } catch (error) {
    failure = error;
  }
  // The capture has to end whatever happened, or the stream stays unusable.
  const slot: [Pointer | null] = [null];
  const status = driver.attempt('cuStreamEndCapture', stream, slot);
  if (failure !== undefined) {
    if (slot[0]) driver.attempt('cuGraphDestroy', slot[0]);
    throw failure;
  }
  if (status !== 0) driver.failed(status, 'cuStreamEndCapture', 'recording a graph');
  const graph = slot[0]!;
  try {
    const executable = driver.out<Pointer>('making a graph executable', 'cuGraphInstantiate', graph, 0);
    try {
      return use(() => driver.call('replaying a graph', 'cuGraphLaunch', executable, stream));
    } finally {
      driver.attempt('cuGraphExecDestroy', executable);
    }
  } finally {
    driver.attempt('cuGraphDestroy', graph);
  }
}

/** Times a sequence of launches in every way that `Timing` names. */
export function time(gpu: Gpu, launches: readonly Launch[], repeats: number): Timing {
  const watch = new Stopwatch(gpu);
  const sweep = gpu.allocate(2 * gpu.facts.l2Bytes, 'the cache sweep');
  try {
    const all = (): void => enqueue(launches);
    const chained = (work: () => void): number =>
      withGraph(
        gpu,
        () => {
          for (let i = 0; i < chain; i++) work();
        },
        (replay) => watch.median(Math.max(5, repeats >> 1), replay) / chain,
      );
    const sweepCache = (): void =>
      gpu.driver.call('sweeping the cache', 'cuMemsetD8Async', sweep.address, 0, sweep.bytes, gpu.stream);
    return {
      eventUs: watch.median(repeats, all),
      graphUs: withGraph(gpu, all, (replay) => watch.median(repeats, replay)),
      chainedUs: chained(all),
      coldUs: watch.median(Math.max(5, repeats >> 1), all, sweepCache),
      launches: launches
        .filter((l) => !l.empty)
        .map((l) => ({ kernel: l.loaded.kernel.name, us: chained(() => l.enqueue()) })),
    };
  } finally {
    gpu.free(sweep);
    watch.free();
  }
}

/** Median time of one replay of whatever `work` enqueues, in microseconds. */
export function timeGraph(gpu: Gpu, work: () => void, repeats: number): number {
  const watch = new Stopwatch(gpu);
  try {
    return withGraph(gpu, work, (replay) => watch.median(repeats, replay));
  } finally {
    watch.free();
  }
}
