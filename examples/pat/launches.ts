/** Plan tables to buffers and launches: one forward launch per tile shape, then one merge where there are partials. */
import type { TileShape } from './cost.ts';
import type { HostBuffer } from '../../compiler/backend.ts';
import { allocate, poisoned, type HostElement } from '../../compiler/ir/numeric.ts';
import type { KernelTemplate, ProgramLaunch, Spec, Tile } from '../../compiler/program.ts';
import type { AttentionData } from './inputs.ts';
import type { Plan } from './plan.ts';
import { entryInts } from './packlist.ts';
import { mergeInts, packInts, packRows, mergeRows } from './tables.ts';

/** A buffer and the extents that a kernel's named dimensions take from it. */
interface ShapedBuffer {
  readonly buffer: HostBuffer;
  readonly shape: readonly number[];
}

/** Blocks along x before y is used: WebGPU allows 65,535. */
const gridWidth = 32768;

export const gridOf = (total: number): [number, number, number] => [
  Math.min(total, gridWidth),
  Math.ceil(total / gridWidth),
  1,
];

/** Empty tables get one row of zeros, which no block reads: no API binds an empty buffer. */
export function planBuffers(plan: Plan, data: AttentionData): ShapedBuffer[] {
  const { batch, tables } = plan;
  const { dtype, qHeads, kvHeads, headDim, page } = batch;
  const sequences = batch.lengths.length;
  const slots = Math.max(1, tables.slots);
  const cache = [batch.pageCount, page, kvHeads, headDim];
  const given = (
    name: string,
    element: HostElement,
    content: HostBuffer['data'],
    shape: number[],
  ): ShapedBuffer => ({
    buffer: {
      name,
      element,
      data:
        content.length > 0
          ? content
          : allocate(
              element,
              shape.reduce((a, b) => a * b),
            ),
      output: false,
    },
    shape,
  });
  const table = (name: string, content: Int32Array, width = 1) => {
    const rows = Math.max(1, content.length / width);
    return given(name, 'i32', content, width === 1 ? [rows] : [rows, width]);
  };
  const made = (name: string, element: HostElement, shape: number[], output: boolean): ShapedBuffer => ({
    buffer: {
      name,
      element,
      data: poisoned(
        element,
        shape.reduce((a, b) => a * b),
      ),
      output,
    },
    shape,
  });
  return [
    given('q', dtype, data.q, [sequences, qHeads, headDim]),
    given('k', dtype, data.k, cache),
    given('v', dtype, data.v, cache),
    table('packs', tables.packs, packInts),
    table('packSequences', tables.packSequences),
    table('packSlots', tables.packSlots),
    table('entries', tables.entries, entryInts),
    table('pages', batch.pages),
    table('merges', tables.merges, mergeInts),
    // For variants whose masks are in absolute positions.
    table('lengths', batch.lengths),
    made('out', dtype, [sequences, qHeads, headDim], true),
    made('lse', 'f32', [sequences, qHeads], true),
    made('partialOut', 'f32', [slots, qHeads, headDim], false),
    made('partialLse', 'f32', [slots, qHeads], false),
  ];
}

/** Whether a batch's KV is more than L2 holds: what is read once would then push out what several packs read. */
export function streamsKv({ batch, costs, work }: Plan): boolean {
  const unique = work.before[work.length.length] ?? 0;
  return unique * batch.kvHeads > costs.cachedTokens;
}

export interface Kernels {
  readonly forward: KernelTemplate;
  readonly merge: KernelTemplate;
}

/** `tileOf` gives back the device's own tile record of a shape. Scalars that a kernel does not declare are left out. */
export function planLaunches(
  plan: Plan,
  kernels: Kernels,
  spec: Spec,
  buffers: readonly ShapedBuffer[],
  scalars: Readonly<Record<string, number>>,
  tiles: { forward(shape: TileShape): Tile; merge: Tile },
): ProgramLaunch[] {
  const { batch, tables } = plan;
  // Whether KV that is read once would push out what is read again.
  const streams = Number(streamsKv(plan));
  const launches = tables.shapes.map(({ tile, packBase, packCount }) => {
    const total = packCount * batch.kvHeads;
    const known = { streams, ...scalars, packBase, total, sentinel: packRows(tables) };
    return launch(kernels.forward, spec, tiles.forward(tile), total, buffers, known);
  });
  const rows = mergeRows(tables) * batch.qHeads;
  if (rows > 0)
    launches.push(launch(kernels.merge, spec, tiles.merge, rows, buffers, { ...scalars, total: rows }));
  return launches;
}

function launch(
  template: KernelTemplate,
  spec: Spec,
  tile: Tile,
  total: number,
  buffers: readonly ShapedBuffer[],
  known: Readonly<Record<string, number>>,
): ProgramLaunch {
  const own = Object.fromEntries(
    Object.entries({ ...template.spec, ...spec }).filter(([name]) => name in template.spec),
  );
  const kernel = template.trace(own, tile);
  const bound: Record<string, string> = {};
  const scalars: Record<string, number> = {};
  for (const param of kernel.params) {
    if (param.kind === 'scalar') {
      const value = known[param.name];
      if (value !== undefined) scalars[param.name] = value;
      continue;
    }
    const found = buffers.find((b) => b.buffer.name === param.name);
    if (!found) throw new Error(`${template.name} has a tensor ${param.name} that the plan does not provide`);
    bound[param.name] = param.name;
    param.dims.forEach((dim, axis) => {
      if (typeof dim === 'string' && !(dim in known)) scalars[dim] = found.shape[axis]!;
    });
  }
  return { template, tile, grid: gridOf(total), buffers: bound, scalars };
}
