/** Hand-built Thread IR for the tests of the WGSL backend. */
import type { Device, HostArray, HostBuffer } from '../../../compiler/backend.ts';
import { param } from '../../../compiler/thread/build.ts';
import type {
  GlobalBuffer,
  MemoryElement,
  SharedBuffer,
  Stmt,
  ThreadKernel,
} from '../../../compiler/thread/nodes.ts';
import type { Span } from '../../../compiler/ir/span.ts';

export const at = (line: number): Span => ({ file: '/src/author.ts', line, column: 3 });

export const buffer = (
  name: string,
  element: MemoryElement,
  access: GlobalBuffer['access'],
): GlobalBuffer => ({ name, element, access, length: param('n', 'i32') });

export const shared = (
  id: number,
  name: string,
  element: MemoryElement,
  bytes: number,
  offset: number,
): SharedBuffer => ({ id, name, element, bytes, offset, span: at(1), note: '' });

export function kernel(
  threads: number,
  buffers: readonly GlobalBuffer[],
  body: readonly Stmt[],
  extra: Partial<ThreadKernel> = {},
): ThreadKernel {
  const sharedBytes = Math.max(0, ...(extra.shared ?? []).map((b) => b.offset + b.bytes));
  return {
    name: 'probe',
    target: 'wgsl',
    threads,
    minBlocks: 0,
    buffers,
    params: [{ name: 'n', type: 'i32' }],
    shared: [],
    sharedBytes,
    body,
    spec: {},
    tile: {},
    span: at(1),
    ...extra,
  };
}

/** Runs one launch of a kernel whose buffers carry their own names; returns the written ones. */
export async function launch(
  device: Device,
  k: ThreadKernel,
  data: Readonly<Record<string, HostArray>>,
  grid: readonly [number, number, number] = [1, 1, 1],
  scalars: Readonly<Record<string, number>> = {},
): Promise<ReadonlyMap<string, HostArray>> {
  const buffers = k.buffers.map((b): HostBuffer => ({
    name: b.name,
    element: b.element,
    data: data[b.name]!,
    output: b.access !== 'read',
  }));
  const names = Object.fromEntries(k.buffers.map((b) => [b.name, b.name]));
  const request = {
    kernels: [k],
    buffers,
    launches: [{ kernel: 0, grid, buffers: names, scalars: { n: 1, ...scalars } }],
    repeats: 0,
  };
  return (await device.run(request)).outputs;
}
