/** What cli and tune know of a backend: text out, and kernels run on a device. */
import type { ThreadKernel } from './thread/nodes.ts';
import type { Target } from './target.ts';

export interface Artifact {
  readonly path: string;
  readonly text: string;
  /** Kernel names that the file defines. */
  readonly kernels: readonly string[];
}

/** A buffer's data, typed by its element: halves travel as Uint16Array of their bits. */
export type HostArray = Float32Array | Int32Array | Uint32Array | Uint16Array;

export interface HostBuffer {
  readonly name: string;
  readonly element: 'f32' | 'f16' | 'bf16' | 'i32' | 'u32';
  readonly data: HostArray;
  /** Read back after the run. */
  readonly output: boolean;
}

export interface Launch {
  /** Index into the kernels given to `run`. */
  readonly kernel: number;
  readonly grid: readonly [number, number, number];
  /** Kernel buffer name -> HostBuffer name. */
  readonly buffers: Readonly<Record<string, string>>;
  readonly scalars: Readonly<Record<string, number>>;
}

export interface RunRequest {
  readonly kernels: readonly ThreadKernel[];
  readonly buffers: readonly HostBuffer[];
  readonly launches: readonly Launch[];
  /** Timed repetitions after the first, checked run; 0 = none. */
  readonly repeats: number;
}

export interface RunResult {
  readonly device: string;
  /** Output buffers by name, same element encoding as they went in. */
  readonly outputs: ReadonlyMap<string, HostArray>;
  /** Median time of all launches together, in microseconds; absent where the device cannot time. */
  readonly timeUs?: number;
  /** How `timeUs` comes about, where the device can tell. */
  readonly timing?: Timing;
  readonly driver?: string;
  /** What the compiled kernels use, in the order of the request. */
  readonly kernels?: readonly KernelResources[];
}

/** Medians in microseconds over all launches of a request together, unless said otherwise. */
export interface Timing {
  /** Between two events around the launches, one by one from the host; the device is idle before. */
  readonly eventUs: number;
  /** Between two events around one replay of a recorded graph. */
  readonly graphUs: number;
  /** One of ten repetitions inside one graph: no launch gap. */
  readonly chainedUs: number;
  /** As eventUs, after other memory has been swept through the last-level cache. */
  readonly coldUs: number;
  /** Each launch alone, chained. */
  readonly launches: readonly { readonly kernel: string; readonly us: number }[];
}

export interface KernelResources {
  readonly kernel: string;
  readonly registers: number;
  readonly spillBytes: number;
  readonly sharedBytes: number;
  readonly blocksPerUnit: number;
}

export interface Device {
  readonly description: string;
  readonly target: Target;
  /** SMs or compute units, where known: the planner fills this many. */
  readonly units: number;
  run(request: RunRequest): Promise<RunResult>;
  close(): Promise<void>;
}

export interface EmitOptions {
  /** Directives that point tools at the author's lines, where the language has them (`#line`), instead of comments. */
  readonly lines?: boolean;
}

export interface Backend {
  readonly family: 'cuda' | 'wgsl' | 'cpu';
  /** One program's kernels as files. */
  emit(program: string, kernels: readonly ThreadKernel[], target: Target, options?: EmitOptions): Artifact[];
  /** The device that is there, or throws a PatcError with exit code 3 that says what is missing. */
  open(): Promise<Device>;
}
