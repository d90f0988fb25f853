/** A whole request on a device: upload, launch, read back, time. Browser and Node. */
import { packRequest } from '../../../compiler/thread/packed.ts';
import type { HostArray, HostBuffer, RunRequest } from '../../../compiler/backend.ts';
import type { ThreadKernel } from '../../../compiler/thread/nodes.ts';
import { fail } from '../../../compiler/diagnostics/error.ts';
import { emitKernel, type WgslModule } from '../emit/index.ts';
import { compileKernels } from './compile.ts';
import { prepare, type Prepared } from './dispatch.ts';

const usage = { mapRead: 0x1, copySrc: 0x4, copyDst: 0x8, storage: 0x80, queryResolve: 0x200 } as const;

/** Storage bindings may hold 16-byte vectors, so sizes are padded to them. */
const padded = (bytes: number): number => Math.max(16, Math.ceil(bytes / 16) * 16);

function upload(device: GPUDevice, b: HostBuffer): GPUBuffer {
  const size = padded(b.data.byteLength);
  if (size > device.limits.maxBufferSize)
    fail(
      'PAT0707',
      `${b.name} has ${b.data.byteLength} B; the device holds at most ${device.limits.maxBufferSize} B in a buffer`,
    );
  const buffer = device.createBuffer({
    label: b.name,
    size,
    usage: usage.storage | usage.copySrc | usage.copyDst,
    mappedAtCreation: true,
  });
  new Uint8Array(buffer.getMappedRange()).set(
    new Uint8Array(b.data.buffer, b.data.byteOffset, b.data.byteLength),
  );
  buffer.unmap();
  return buffer;
}

function sameKind(like: HostArray, bytes: ArrayBuffer): HostArray {
  if (like instanceof Float32Array) return new Float32Array(bytes);
  if (like instanceof Int32Array) return new Int32Array(bytes);
  return like instanceof Uint16Array ? new Uint16Array(bytes) : new Uint32Array(bytes);
}

async function mapped(buffer: GPUBuffer, bytes: number): Promise<ArrayBuffer> {
  await buffer.mapAsync(1, 0, buffer.size); // GPUMapMode.READ
  const copy = buffer.getMappedRange().slice(0, bytes);
  buffer.unmap();
  return copy;
}

export interface Outcome {
  readonly outputs: ReadonlyMap<string, HostArray>;
  /** Median of all launches together, by the device's own clock; absent where it has none. */
  readonly timeUs?: number;
}

/** Runs work, turning validation errors, lack of memory and a lost device into PatcErrors. */
async function guarded<T>(device: GPUDevice, work: () => Promise<T>): Promise<T> {
  const kinds = ['internal', 'out-of-memory', 'validation'] as const;
  for (const kind of kinds) device.pushErrorScope(kind);
  let failure: unknown;
  const done = work().catch((error: unknown) => {
    failure = error ?? new Error('failed');
    return undefined;
  });
  const lost = device.lost.then((info): never =>
    fail('PAT0704', `the WebGPU device was lost: ${info.message || info.reason}`, {
      help: 'a kernel that runs for seconds makes some drivers reset; use a smaller workload',
    }),
  );
  const result = await Promise.race([done, lost]);
  const errors = await Promise.all(kinds.map(() => device.popErrorScope()));
  const memory = errors.find(
    (e) => e && 'GPUOutOfMemoryError' in globalThis && e instanceof GPUOutOfMemoryError,
  );
  if (memory)
    fail('PAT0707', `the device is out of memory: ${memory.message}`, { help: 'use a smaller workload' });
  const error = errors.find((e) => e);
  if (error) fail('PAT0704', `WebGPU refused the run: ${error.message}`);
  if (failure) throw failure;
  return result as T;
}

const emitted = new WeakMap<ThreadKernel, WgslModule>();

/** Kernels as WGSL for this device: with shader-f16 where both the kernel's target and the device have it. */
export const modulesFor = (device: GPUDevice, kernels: readonly ThreadKernel[]): WgslModule[] =>
  kernels.map((k) => {
    const f16 = k.target.includes('f16') && device.features.has('shader-f16');
    let module = emitted.get(k);
    if (!module || module.f16 !== f16) emitted.set(k, (module = emitKernel(k, { f16 })));
    return module;
  });

/**
 * Runs `request` on any WebGPU device. Outputs are read back after the first run; repeats only time.
 * Throws PAT0705 (code refused), PAT0707 (beyond the device's limits), PAT0704 (device lost), PAT0601 (wrong arguments).
 */
export async function runOn(device: GPUDevice, asked: RunRequest): Promise<Outcome> {
  const request = packRequest(asked);
  const kernels = await compileKernels(device, modulesFor(device, request.kernels));
  return guarded(device, async () => {
    const disposables: { destroy(): void }[] = [];
    const keep = <T extends { destroy(): void }>(x: T): T => {
      disposables.push(x);
      return x;
    };
    try {
      const buffers = new Map(request.buffers.map((b) => [b.name, keep(upload(device, b))]));
      const launches = request.launches.map((l): Prepared => {
        const kernel = kernels[l.kernel];
        if (!kernel) return fail('PAT0601', `a launch names kernel ${l.kernel} of ${kernels.length}`);
        const bound: Record<string, GPUBuffer> = {};
        for (const [argument, name] of Object.entries(l.buffers)) {
          const buffer = buffers.get(name);
          if (!buffer)
            return fail('PAT0601', `a launch of ${kernel.module.kernel} names the unknown buffer ${name}`);
          bound[argument] = buffer;
        }
        return keep(prepare(device, { kernel, grid: l.grid, buffers: bound, scalars: l.scalars }));
      });
      const outputs = await first(device, launches, request.buffers, buffers, keep);
      const timeUs = request.repeats > 0 ? await time(device, launches, request.repeats, keep) : undefined;
      return { outputs, ...(timeUs === undefined ? {} : { timeUs }) };
    } finally {
      for (const d of disposables) d.destroy();
    }
  });
}

type Keep = <T extends { destroy(): void }>(x: T) => T;

async function first(
  device: GPUDevice,
  launches: readonly Prepared[],
  hosts: readonly HostBuffer[],
  buffers: ReadonlyMap<string, GPUBuffer>,
  keep: Keep,
): Promise<Map<string, HostArray>> {
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  for (const l of launches) l.encode(pass);
  pass.end();
  const staged = hosts
    .filter((h) => h.output)
    .map((host) => {
      const from = buffers.get(host.name)!;
      const staging = keep(device.createBuffer({ size: from.size, usage: usage.mapRead | usage.copyDst }));
      encoder.copyBufferToBuffer(from, 0, staging, 0, from.size);
      return { host, staging };
    });
  device.queue.submit([encoder.finish()]);
  await device.queue.onSubmittedWorkDone();
  const outputs = new Map<string, HostArray>();
  for (const { host, staging } of staged)
    outputs.set(host.name, sameKind(host.data, await mapped(staging, host.data.byteLength)));
  return outputs;
}

async function time(
  device: GPUDevice,
  launches: readonly Prepared[],
  repeats: number,
  keep: Keep,
): Promise<number | undefined> {
  // The host's clock would measure queues and wake-ups, not the device.
  if (!device.features.has('timestamp-query')) return undefined;
  const count = Math.min(repeats, 2048);
  const querySet = keep(device.createQuerySet({ type: 'timestamp', count: 2 * count }));
  const resolved = keep(device.createBuffer({ size: 16 * count, usage: usage.queryResolve | usage.copySrc }));
  const staging = keep(device.createBuffer({ size: 16 * count, usage: usage.mapRead | usage.copyDst }));
  const encoder = device.createCommandEncoder();
  for (let i = 0; i < count; i++) {
    const pass = encoder.beginComputePass({
      timestampWrites: { querySet, beginningOfPassWriteIndex: 2 * i, endOfPassWriteIndex: 2 * i + 1 },
    });
    for (const l of launches) l.encode(pass);
    pass.end();
  }
  encoder.resolveQuerySet(querySet, 0, 2 * count, resolved, 0);
  encoder.copyBufferToBuffer(resolved, 0, staging, 0, 16 * count);
  device.queue.submit([encoder.finish()]);
  const stamps = new BigUint64Array(await mapped(staging, 16 * count));
  const times = Array.from({ length: count }, (_, i) => Number(stamps[2 * i + 1]! - stamps[2 * i]!) / 1000);
  times.sort((a, b) => a - b);
  return times[count >> 1];
}
