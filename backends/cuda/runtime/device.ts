/** A CUDA GPU as compiler/backend.ts knows devices. */
import type {
  Device,
  HostArray,
  HostBuffer,
  KernelResources,
  Launch as LaunchRequest,
  RunRequest,
  RunResult,
} from '../../../compiler/backend.ts';
import { fail } from '../../../compiler/diagnostics/error.ts';
import { findTarget, type Target } from '../../../compiler/target.ts';
import { Code, type Compiler, type LoadedKernel } from './code.ts';
import type { Allocation, Gpu, GpuFacts } from './gpu.ts';
import { Launch } from './launch.ts';
import { runChecked, time } from './stream.ts';
import { Uploads } from './uploads.ts';

const maxGrid = [2 ** 31 - 1, 65535, 65535] as const;
/** Every half and float that is all ones is a NaN: what no kernel wrote shows. Integers keep what the program put there. */
const poison = 0xff;
const isFloat = (b: HostBuffer): boolean =>
  b.element === 'f32' || b.element === 'f16' || b.element === 'bf16';

/** The target to compile for: Hopper's own, else the sm_80 one within this device's limits. */
export function targetOf(facts: GpuFacts): Target {
  if (facts.capability < 80)
    fail('PAT0702', `${facts.name} has compute capability ${facts.capability / 10}; patc needs 8.0 or newer`);
  const found = findTarget(facts.capability === 90 ? 'cuda:sm_90a' : 'cuda:sm_80')!;
  return { ...found, sharedBytes: Math.min(found.sharedBytes, facts.sharedBytes) };
}

/** Buffers that the first launch to touch them only writes: poisoned before the run, so that gaps show. */
export function writtenFirst(request: RunRequest): Set<string> {
  const seen = new Set<string>();
  const found = new Set<string>();
  for (const launch of request.launches) {
    const accesses = request.kernels[launch.kernel]!.buffers.map((b) => ({
      name: launch.buffers[b.name] ?? '',
      access: b.access,
    }));
    for (const { name } of accesses) {
      const only = accesses.every((a) => a.name !== name || a.access === 'write');
      if (!seen.has(name) && only) found.add(name);
    }
    for (const { name } of accesses) seen.add(name);
  }
  return found;
}

/** A request on the device: run it, time its launches, read its outputs. */
export interface Prepared {
  readonly loaded: readonly LoadedKernel[];
  readonly launches: readonly Launch[];
  runOnce(): void;
  outputs(): Map<string, HostArray>;
}

export class CudaDevice implements Device {
  readonly description: string;
  readonly target: Target;
  readonly units: number;
  readonly gpu: Gpu;
  readonly code: Code;
  /** Large inputs stay on the device for requests that bring the same array again; its content must not change. */
  keepUploads = false;
  readonly #uploads: Uploads;

  constructor(gpu: Gpu, compile: Compiler) {
    this.gpu = gpu;
    try {
      this.target = targetOf(gpu.facts);
    } catch (error) {
      gpu.close();
      throw error;
    }
    this.description = gpu.facts.name;
    this.units = gpu.facts.multiprocessors;
    this.code = new Code(gpu, compile);
    this.#uploads = new Uploads(gpu);
  }

  async run(request: RunRequest): Promise<RunResult> {
    return this.prepared(request, async (prepared) => {
      prepared.runOnce();
      const outputs = prepared.outputs();
      const timing = request.repeats > 0 ? time(this.gpu, prepared.launches, request.repeats) : undefined;
      return {
        device: this.description,
        driver: this.gpu.facts.driver,
        outputs,
        ...(timing ? { timeUs: timing.eventUs, timing } : {}),
        kernels: prepared.loaded.map(resourcesOf),
      };
    });
  }

  /** Lends a request whose kernels are loaded and whose buffers are on the device, and releases it. */
  async prepared<T>(request: RunRequest, use: (prepared: Prepared) => Promise<T>): Promise<T> {
    const loaded = await this.code.load(request.kernels);
    const memory = new Map<string, Allocation>();
    const launches: Launch[] = [];
    const owned: Allocation[] = [];
    try {
      const poisoned = writtenFirst(request);
      const readOnly = neverWritten(request);
      for (const buffer of request.buffers) {
        const kept =
          this.keepUploads && readOnly.has(buffer.name)
            ? this.#uploads.get(buffer, new Set(memory.values()))
            : undefined;
        const allocation = kept ?? this.#place(buffer, poisoned);
        if (!kept) owned.push(allocation);
        memory.set(buffer.name, allocation);
      }
      for (const launch of request.launches)
        launches.push(prepare(this.gpu, launch, loaded, memory, launches.length > 0));
      return await use({
        loaded,
        launches,
        runOnce: () => runChecked(this.gpu, launches),
        outputs: () =>
          new Map(
            request.buffers
              .filter((b) => b.output)
              .map((b): [string, HostArray] => [b.name, this.#fetch(b, memory.get(b.name)!)]),
          ),
      });
    } finally {
      for (const launch of launches) launch.free();
      for (const a of owned) this.gpu.free(a);
    }
  }

  #place(buffer: HostBuffer, poisoned: ReadonlySet<string>): Allocation {
    const allocation = this.gpu.allocate(buffer.data.byteLength, `buffer ${buffer.name}`);
    try {
      if (poisoned.has(buffer.name) && isFloat(buffer)) this.gpu.fill(allocation, poison);
      else this.gpu.upload(allocation, buffer.data, `buffer ${buffer.name}`);
    } catch (error) {
      this.gpu.free(allocation);
      throw error;
    }
    return allocation;
  }

  #fetch(buffer: HostBuffer, from: Allocation): HostArray {
    const Type = buffer.data.constructor as new (length: number) => HostArray;
    const data = new Type(buffer.data.length);
    this.gpu.download(from, data, `buffer ${buffer.name}`);
    return data;
  }

  async close(): Promise<void> {
    this.code.close();
    this.gpu.close();
  }
}

/** Buffers that no launch writes. */
function neverWritten(request: RunRequest): Set<string> {
  const written = new Set(
    request.launches.flatMap((l) =>
      (request.kernels[l.kernel]?.buffers ?? [])
        .filter((b) => b.access !== 'read')
        .map((b) => l.buffers[b.name]),
    ),
  );
  return new Set(request.buffers.map((b) => b.name).filter((name) => !written.has(name)));
}

/** @throws PAT0708 where a launch does not fit its kernel or the device. */
export function prepare(
  gpu: Gpu,
  launch: LaunchRequest,
  loaded: readonly LoadedKernel[],
  memory: ReadonlyMap<string, Allocation>,
  follows: boolean,
): Launch {
  const kernel = loaded[launch.kernel];
  if (!kernel) return fail('PAT0708', `launch of kernel ${launch.kernel}, of ${loaded.length}`);
  launch.grid.forEach((n, axis) => {
    if (!Number.isInteger(n) || n < 0 || n > maxGrid[axis]!)
      fail(
        'PAT0708',
        `kernel ${kernel.kernel.name} is launched on a grid of ${launch.grid.join(' x ')} blocks`,
      );
  });
  const addresses: Record<string, bigint> = {};
  for (const b of kernel.kernel.buffers) {
    const name = launch.buffers[b.name];
    const allocation = name === undefined ? undefined : memory.get(name);
    if (!allocation)
      return fail('PAT0708', `kernel ${kernel.kernel.name} is launched without buffer ${b.name}`);
    addresses[b.name] = allocation.address;
  }
  return new Launch(gpu, kernel, launch.grid, addresses, launch.scalars, follows);
}

const resourcesOf = (k: LoadedKernel): KernelResources => ({
  kernel: k.kernel.name,
  registers: k.resources?.registers ?? 0,
  spillBytes: (k.resources?.spillStoreBytes ?? 0) + (k.resources?.spillLoadBytes ?? 0),
  sharedBytes: k.kernel.sharedBytes,
  blocksPerUnit: k.blocksPerUnit,
});
