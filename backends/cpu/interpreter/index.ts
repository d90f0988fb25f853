/**
 * The Tile IR interpreter: what a kernel means. Every program instance of the grid runs after the one before it, every
 * op in the order of the IR, in the arithmetic of its element type. docs/interpreter.md lists the decisions.
 */
import type { HostBuffer, Launch, RunResult } from '../../../compiler/backend.ts';
import { fail } from '../../../compiler/diagnostics/error.ts';
import type { Dim, Kernel, TensorParam } from '../../../compiler/ir/nodes.ts';
import { allocate, type HostArray } from '../../../compiler/ir/numeric.ts';
import type { BoundTensor } from './memory.ts';
import { planKernel, type Plan } from './plan.ts';
import { rowMajor } from './shape.ts';

export type Grid = readonly [number, number, number];

const plans = new WeakMap<Kernel, Plan>();

function planOf(kernel: Kernel): Plan {
  let plan = plans.get(kernel);
  if (!plan) plans.set(kernel, (plan = planKernel(kernel)));
  return plan;
}

/**
 * Runs `kernel` on every instance of `grid`, x fastest.
 *
 * `buffers` holds an array for every tensor parameter, by name, typed by its element (halves as their bits); stores go
 * into these arrays. `scalars` holds every scalar parameter, named dims and strides among them.
 *
 * Throws PAT0405 for an index outside its dimension, PAT0402 for stores without a defined order, PAT0408 for
 * arguments that do not fit the kernel.
 */
export function interpret(
  kernel: Kernel,
  grid: Grid,
  buffers: ReadonlyMap<string, HostArray>,
  scalars: Readonly<Record<string, number>>,
): void {
  const plan = planOf(kernel);
  if (!grid.every((n) => Number.isInteger(n) && n >= 0 && n < 2 ** 31))
    fail('PAT0408', `the grid of ${kernel.name} is [${grid.join(', ')}]: extents are whole numbers from 0`);
  bindScalars(kernel, plan, scalars);
  for (const tensor of plan.tensors) bindTensor(kernel, tensor, buffers, scalars);
  const { instance } = plan;
  instance.stores = 0;
  for (let z = 0; z < grid[2]; z++)
    for (let y = 0; y < grid[1]; y++)
      for (let x = 0; x < grid[0]; x++) {
        instance.id = [x, y, z];
        instance.before = instance.stores;
        plan.run();
      }
  for (const tensor of plan.tensors) tensor.stamps = undefined;
}

function bindScalars(kernel: Kernel, plan: Plan, scalars: Readonly<Record<string, number>>): void {
  for (const param of kernel.params) {
    if (param.kind !== 'scalar') continue;
    const value = scalars[param.name];
    if (value === undefined)
      fail('PAT0408', `${kernel.name} is launched without its argument ${param.name}`, { span: param.span });
    const { element } = param.value.type;
    const fits = element === 'i32' ? value === (value | 0) : element === 'u32' ? value === value >>> 0 : true;
    if (!fits) fail('PAT0408', `${param.name} = ${value} is not an ${element}`, { span: param.span });
    plan.scalars.get(param.name)![0] = value;
  }
}

function bindTensor(
  kernel: Kernel,
  tensor: BoundTensor,
  buffers: ReadonlyMap<string, HostArray>,
  scalars: Readonly<Record<string, number>>,
): void {
  const { param } = tensor;
  const data = buffers.get(param.name);
  if (!data)
    fail('PAT0408', `${kernel.name} is launched without a buffer for ${param.name}`, { span: param.span });
  const wanted = allocate(param.element, 0).constructor.name;
  if (data.constructor.name !== wanted)
    fail('PAT0408', `${param.name} has elements ${param.element}: its buffer must be a ${wanted}`, {
      span: param.span,
    });
  const number = (d: Dim): number => (typeof d === 'number' ? d : named(d, param, scalars));
  tensor.data = data;
  tensor.extents = param.dims.map(number);
  tensor.strides = param.strides?.map(number) ?? rowMajor(tensor.extents);
  tensor.stamps = undefined;
  const empty = tensor.extents.some((n) => n <= 0);
  const needed = tensor.extents.reduce((end, n, d) => end + (n - 1) * tensor.strides[d]!, 1);
  if (!empty && needed > data.length)
    fail('PAT0408', `${param.name} needs ${needed} elements and its buffer has ${data.length}`, {
      span: param.span,
      notes: [{ text: `extents ${tensor.extents.join(' x ')}, strides ${tensor.strides.join(', ')}` }],
    });
}

function named(name: string, param: TensorParam, scalars: Readonly<Record<string, number>>): number {
  const value = scalars[name];
  if (value === undefined)
    fail('PAT0408', `dimension ${name} of ${param.name} has no value`, { span: param.span });
  return value;
}

export interface InterpretRequest {
  readonly kernels: readonly Kernel[];
  readonly buffers: readonly HostBuffer[];
  readonly launches: readonly Launch[];
}

/**
 * What a device's `run` does, with Tile IR kernels: the launches in order on copies of the buffers, and the output
 * buffers back. Nothing is timed.
 */
export function interpretRequest(request: InterpretRequest): RunResult {
  const arrays = new Map(request.buffers.map((b) => [b.name, b.data.slice()]));
  for (const launch of request.launches) {
    const kernel = request.kernels[launch.kernel];
    if (!kernel) fail('PAT0408', `there is no kernel ${launch.kernel} to launch`);
    const buffers = new Map<string, HostArray>();
    for (const [parameter, name] of Object.entries(launch.buffers)) {
      const array = arrays.get(name);
      if (!array) fail('PAT0408', `${kernel.name}: there is no buffer ${name} for ${parameter}`);
      buffers.set(parameter, array);
    }
    interpret(kernel, launch.grid, buffers, launch.scalars);
  }
  const outputs = request.buffers.filter((b) => b.output).map((b) => [b.name, arrays.get(b.name)!] as const);
  return { device: 'Tile IR interpreter', outputs: new Map(outputs) };
}
