/** Launch arguments: what a caller must give, checked before anything runs. */
import type { HostArray } from '../../../compiler/backend.ts';
import { fail } from '../../../compiler/diagnostics/error.ts';
import { allocate } from '../../../compiler/ir/numeric.ts';
import { constant, mapExpr } from '../../../compiler/thread/build.ts';
import type { ThreadKernel } from '../../../compiler/thread/nodes.ts';

export type Grid = readonly [number, number, number];

export function checkGrid(k: ThreadKernel, grid: Grid): void {
  if (!grid.every((n) => Number.isInteger(n) && n >= 0 && n < 2 ** 31))
    fail('PAT0408', `the grid of ${k.name} is [${grid.join(', ')}]: extents are whole numbers from 0`);
}

/** The arguments in the order of the kernel's parameters. */
export function bindParams(
  k: ThreadKernel,
  scalars: Readonly<Record<string, number>>,
): ReadonlyMap<string, number> {
  const bound = new Map<string, number>();
  for (const { name, type } of k.params) {
    const value = scalars[name];
    if (value === undefined)
      fail('PAT0408', `${k.name} is launched without its argument ${name}`, { span: k.span });
    const fits = type === 'i32' ? value === (value | 0) : type === 'u32' ? value === value >>> 0 : true;
    if (!fits) fail('PAT0408', `${name} = ${value} is not of type ${type}`, { span: k.span });
    bound.set(name, type === 'f32' ? Math.fround(value) : type === 'bool' ? Number(value !== 0) : value);
  }
  return bound;
}

export interface BoundBuffer {
  readonly data: HostArray;
  readonly length: number;
}

/** The arrays in the order of the kernel's buffers, with their lengths in elements. */
export function bindBuffers(
  k: ThreadKernel,
  buffers: ReadonlyMap<string, HostArray>,
  params: ReadonlyMap<string, number>,
): BoundBuffer[] {
  return k.buffers.map((b) => {
    const data = buffers.get(b.name);
    if (!data) fail('PAT0408', `${k.name} is launched without a buffer for ${b.name}`, { span: k.span });
    const wanted = allocate(b.element, 0).constructor.name;
    if (data.constructor.name !== wanted)
      fail('PAT0408', `${b.name} has elements ${b.element}: its buffer must be a ${wanted}`, {
        span: k.span,
      });
    const length = mapExpr(b.length, (e) =>
      e.e === 'param' ? constant(e.type, params.get(e.name) ?? 0) : e,
    );
    if (length.e !== 'const' || typeof length.value !== 'number')
      fail('PAT0408', `the length of ${b.name} does not follow from the arguments`, { span: k.span });
    if (length.value > data.length)
      fail('PAT0408', `${b.name} needs ${length.value} elements and its buffer has ${data.length}`, {
        span: k.span,
      });
    return { data, length: length.value };
  });
}
