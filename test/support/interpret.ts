/** Runs a kernel written in a test through the interpreter. */
import { interpret, type Grid } from '../../backends/cpu/interpreter/index.ts';
import type { Kernel } from '../../compiler/ir/nodes.ts';
import {
  decodeArray,
  encodeArray,
  poisoned,
  type HostArray,
  type HostElement,
} from '../../compiler/ir/numeric.ts';
import { kernel, type KernelContext } from '../../dsl/index.ts';

/** A kernel with neither spec nor tile numbers, traced. */
export const traced = (body: (k: KernelContext) => void): Kernel => kernel('tested', {}, body).trace({}, {});

export interface Ran {
  /** Every tensor the kernel writes, as numbers. */
  readonly out: Readonly<Record<string, number[]>>;
  readonly buffers: ReadonlyMap<string, HostArray>;
}

/** `inputs`: numbers by tensor name; tensors that are only written start poisoned. */
export function run(
  k: Kernel,
  inputs: Readonly<Record<string, ArrayLike<number>>> = {},
  grid: Grid = [1, 1, 1],
  scalars: Readonly<Record<string, number>> = {},
): Ran {
  const buffers = new Map<string, HostArray>();
  const elements = new Map<string, HostElement>();
  for (const param of k.params) {
    if (param.kind !== 'tensor') continue;
    const values = inputs[param.name];
    const extents = param.dims.map((d) => (typeof d === 'number' ? d : scalars[d]!));
    const size = extents.reduce((a, b) => a * b, 1);
    buffers.set(param.name, values ? encodeArray(param.element, values) : poisoned(param.element, size));
    if (param.access !== 'read') elements.set(param.name, param.element);
  }
  interpret(k, grid, buffers, scalars);
  const out = Object.fromEntries(
    [...elements].map(([name, e]) => [name, [...decodeArray(e, buffers.get(name)!)]]),
  );
  return { out, buffers };
}
