/** Small kernels with inputs: how the corpus makes its cases. */
import {
  allocate,
  encodeArray,
  poisoned,
  Random,
  type HostArray,
  type HostElement,
} from '../../compiler/ir/numeric.ts';
import type { HostBuffer } from '../../compiler/backend.ts';
import type { Index, KernelContext, Tile } from '../../dsl/index.ts';
import { kernel } from '../../dsl/index.ts';
import type { Case } from './executors.ts';

export interface NamedCase extends Case {
  readonly name: string;
}

type Data = readonly number[] | HostArray;

/** Traces `body`; tensors without data get seeded normals when read and poison when only written. */
export function makeCase(
  name: string,
  body: (k: KernelContext) => void,
  options: {
    grid?: readonly [number, number, number];
    scalars?: Record<string, number>;
    data?: Record<string, Data>;
    seed?: number;
  } = {},
): NamedCase {
  const { grid = [1, 1, 1], scalars = {}, data = {}, seed = 1 } = options;
  const k = kernel(name.replaceAll(/\W+/g, '_'), {}, body).trace({}, {});
  const random = new Random(seed);
  const buffers: HostBuffer[] = [];
  for (const p of k.params) {
    if (p.kind !== 'tensor') continue;
    const size = p.dims.reduce<number>((n, d) => n * (typeof d === 'number' ? d : scalars[d]!), 1);
    const given = data[p.name];
    const make = (): HostArray => {
      if (given) return given instanceof Array ? encodeArray(p.element, given) : given;
      if (p.access === 'write') return poisoned(p.element, size);
      return isFloat(p.element) ? random.normals(p.element, size) : allocate(p.element, size);
    };
    buffers.push({ name: p.name, element: p.element, data: make(), output: p.access !== 'read' });
  }
  return { name, kernel: k, grid, buffers, scalars };
}

const isFloat = (e: HostElement): boolean => e !== 'i32' && e !== 'u32';

/** Indices that address every element of a shape. */
export function everywhere(k: KernelContext, shape: readonly number[]): Index[] {
  return shape.map((extent, axis) => {
    let index: Tile = k.iota(extent);
    for (let i = 0; i < axis; i++) index = index.expand(0);
    for (let i = axis + 1; i < shape.length; i++) index = index.expand(index.shape.length);
    return index as Tile<'i32'>;
  });
}

export const whole = <E extends HostElement>(
  k: KernelContext,
  name: string,
  element: E,
  shape: readonly number[],
) => k.input(name, element, shape).load(everywhere(k, shape)) as Tile<E>;
export const keep = (k: KernelContext, name: string, tile: Tile): void =>
  k
    .output(name, tile.element as HostElement, tile.shape as number[])
    .store(everywhere(k, tile.shape as number[]), tile);
