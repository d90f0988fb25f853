/** One launch of a compiled kernel. Browser and Node. */
import { fail } from '../../../compiler/diagnostics/error.ts';
import type { ThreadParam } from '../../../compiler/thread/nodes.ts';
import type { CompiledKernel } from './compile.ts';

export interface Dispatch {
  readonly kernel: CompiledKernel;
  /** Workgroups along x, y and z. */
  readonly grid: readonly [number, number, number];
  /** The kernel's buffer names -> buffers with usage STORAGE, whose sizes are multiples of 16 bytes. */
  readonly buffers: Readonly<Record<string, GPUBuffer>>;
  readonly scalars: Readonly<Record<string, number>>;
}

/** Bytes of the uniform buffer: one word a parameter. */
function packScalars(
  kernel: string,
  params: readonly ThreadParam[],
  scalars: Dispatch['scalars'],
): ArrayBuffer {
  const bytes = new ArrayBuffer(Math.ceil(params.length / 4) * 16);
  const view = new DataView(bytes);
  params.forEach((p, i) => {
    const value = scalars[p.name];
    if (value === undefined) return fail('PAT0601', `no value for the argument ${p.name} of ${kernel}`);
    if (p.type === 'f32') view.setFloat32(4 * i, value, true);
    else if (p.type === 'u32') view.setUint32(4 * i, value, true);
    else view.setInt32(4 * i, Number(value), true);
  });
  return bytes;
}

function check(device: GPUDevice, d: Dispatch): void {
  const { module } = d.kernel;
  const most = device.limits.maxComputeWorkgroupsPerDimension;
  d.grid.forEach((n, axis) => {
    if (!Number.isInteger(n) || n < 0)
      fail('PAT0601', `${module.kernel}: ${n} workgroups along ${'xyz'[axis]} is not a whole number`);
    if (n > most)
      fail(
        'PAT0707',
        `${module.kernel}: ${n} workgroups along ${'xyz'[axis]}; the device runs at most ${most}`,
        {
          help: 'spread the grid over another axis',
        },
      );
  });
  const seen = new Map<GPUBuffer, (typeof module.bindings)[number]>();
  for (const b of module.bindings) {
    const buffer = d.buffers[b.name];
    if (!buffer) return fail('PAT0601', `no buffer for the argument ${b.name} of ${module.kernel}`);
    if (buffer.size > device.limits.maxStorageBufferBindingSize)
      fail(
        'PAT0707',
        `${module.kernel}: ${b.name} has ${buffer.size} B; the device binds at most ${device.limits.maxStorageBufferBindingSize} B`,
        { help: 'use a smaller workload, or a device with a larger maxStorageBufferBindingSize' },
      );
    const other = seen.get(buffer);
    if (other && (other.access !== 'read' || b.access !== 'read'))
      fail(
        'PAT0601',
        `${module.kernel}: ${other.name} and ${b.name} are the same buffer, and one is written`,
        {
          help: 'WebGPU does not allow it; use two buffers, or one inout tensor',
        },
      );
    seen.set(buffer, b);
  }
}

/** What a launch holds until its commands have run. */
export interface Prepared {
  encode(pass: GPUComputePassEncoder): void;
  destroy(): void;
}

/** Checks a launch and makes its bind group. Throws PAT0601 (wrong arguments), PAT0707 (beyond the device's limits). */
export function prepare(device: GPUDevice, d: Dispatch): Prepared {
  check(device, d);
  const { module, pipeline, layout } = d.kernel;
  const entries: GPUBindGroupEntry[] = module.bindings.map((b, binding) => ({
    binding,
    resource: { buffer: d.buffers[b.name]! },
  }));
  let uniform: GPUBuffer | undefined;
  if (module.params.length > 0) {
    const bytes = packScalars(module.kernel, module.params, d.scalars);
    uniform = device.createBuffer({ size: bytes.byteLength, usage: 0x40, mappedAtCreation: true }); // GPUBufferUsage.UNIFORM
    new Uint8Array(uniform.getMappedRange()).set(new Uint8Array(bytes));
    uniform.unmap();
    entries.push({ binding: module.bindings.length, resource: { buffer: uniform } });
  }
  const group = device.createBindGroup({ layout, entries });
  return {
    encode(pass) {
      if (d.grid.includes(0)) return;
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(...d.grid);
    },
    destroy: () => uniform?.destroy(),
  };
}
