/** One Thread IR kernel as a `extern "C" __global__` function. */
import { findTarget } from '../../../compiler/target.ts';
import type { GlobalBuffer, SharedBuffer, TensorMap, ThreadKernel } from '../../../compiler/thread/nodes.ts';
import { tensorMapsOf, walkStmts } from '../../../compiler/thread/walk.ts';
import { Expressions, typeNames } from './expression.ts';
import { helperNames, type Helper } from './helpers.ts';
import { Names } from './names.ts';
import { Statements } from './statement.ts';
import { eachExpression } from './walk.ts';
import { unrolledVariables } from './steps.ts';
import { Widths } from './wide.ts';
import type { Writer } from './writer.ts';

/** A kernel's symbol in the emitted file, and the C names of its arguments: buffers in order, scalars, tensor maps. */
export interface Signature {
  readonly symbol: string;
  readonly buffers: readonly string[];
  readonly params: readonly string[];
  readonly maps: readonly string[];
}

export const memoryTypes: Record<GlobalBuffer['element'], string> = {
  f32: 'float',
  f16: 'f16',
  bf16: 'bf16',
  i32: 'int',
  u32: 'unsigned',
};

/** Whether a kernel may be launched while the one before it still runs (programmatic dependent launch, sm_90). */
export const launchesEarly = (kernel: ThreadKernel): boolean =>
  findTarget(kernel.target)?.features.hopper === true;

/** What the kernel reads of its coordinates, and whether shared memory is addressed as a number or through C pointers. */
function needs(kernel: ThreadKernel): {
  thread: boolean;
  /** Warps have roles. */
  roles: boolean;
  blocks: Set<0 | 1 | 2>;
  numbers: Set<number>;
  pointers: Set<number>;
} {
  const found = {
    thread: false,
    roles: false,
    blocks: new Set<0 | 1 | 2>(),
    numbers: new Set<number>(),
    pointers: new Set<number>(),
  };
  walkStmts(kernel.body, (s) => {
    if (s.s === 'mbarrierWait') found.roles = true;
    if (s.s === 'wgmma' && s.left) found.numbers.add(s.left.buffer.id);
    if (s.s === 'loadShared' || s.s === 'storeShared' || s.s === 'storeSharedHalf')
      found.pointers.add(s.buffer.id);
    else if (s.s === 'tensorCopy') [s.buffer, s.barrier].forEach((b) => found.numbers.add(b.id));
    else if (s.s === 'cpAsync' || s.s === 'ldmatrix' || s.s === 'wgmma' || s.s.startsWith('mbarrier'))
      found.numbers.add((s as { buffer: SharedBuffer }).buffer.id);
  });
  eachExpression(kernel.body, (e) => {
    if (e.e === 'threadId') found.thread = true;
    if (e.e === 'blockId') found.blocks.add(e.axis);
  });
  return found;
}

const numbers = (record: Readonly<Record<string, number | string>>): string =>
  Object.entries(record)
    .map(([k, v]) => `${k}=${v}`)
    .join(' ');

function describe(kernel: ThreadKernel, writer: Writer): void {
  writer.line();
  writer.line(`// ${kernel.name}: ${kernel.threads} threads, ${kernel.sharedBytes} bytes of shared memory`);
  if (Object.keys(kernel.spec).length > 0) writer.line(`//   spec: ${numbers(kernel.spec)}`);
  if (Object.keys(kernel.tile).length > 0) writer.line(`//   tile: ${numbers(kernel.tile)}`);
  for (const b of kernel.shared)
    writer.line(`//   shared ${b.name}: ${b.bytes} bytes at ${b.offset}${b.note ? `, ${b.note}` : ''}`);
}

/** Writes the kernel and returns its signature. `use` collects the helper functions that the file must define. */
export function emitKernel(
  kernel: ThreadKernel,
  symbol: string,
  writer: Writer,
  use: (helper: Helper) => void,
): Signature {
  const names = new Names([...helperNames, symbol]);
  const widths = new Widths(kernel);
  const buffers = new Map(kernel.buffers.map((b) => [b.name, names.fresh(b.name)]));
  const params = new Map(kernel.params.map((p) => [p.name, names.fresh(p.name)]));
  const tensorMaps = new Map<TensorMap, string>(
    tensorMapsOf(kernel.body).map((m) => [m, names.fresh(`${m.buffer.name}_map`)]),
  );
  const lookup = (map: ReadonlyMap<string, string>, name: string, what: string): string => {
    const found = map.get(name);
    if (found === undefined) throw new Error(`${what} ${name} is not declared by kernel ${kernel.name}`);
    return found;
  };
  const pointers = new Map<number, string>();
  const addresses = new Map<number, string>();
  const used = needs(kernel);
  const warp = used.roles && used.thread ? { warp: names.fresh('warp') } : {};
  const expressions = new Expressions({
    names,
    widths,
    unrolled: unrolledVariables(kernel.body),
    use,
    bufferName: (b) => lookup(buffers, b.name, 'buffer'),
    paramName: (name) => lookup(params, name, 'param'),
    threadId: 'thread',
    ...warp,
    blockId: (axis) => `block_${'xyz'[axis]}`,
  });

  describe(kernel, writer);
  const args = [
    ...kernel.buffers.map((b) => {
      const type = `${b.access === 'read' ? 'const ' : ''}${memoryTypes[b.element]}`;
      return `${type} *__restrict__ ${buffers.get(b.name)}`;
    }),
    ...kernel.params.map((p) => `${typeNames[p.type]} ${params.get(p.name)}`),
    ...[...tensorMaps.values()].map((name) => `const __grid_constant__ tensor_map ${name}`),
  ];
  const bounds = kernel.minBlocks > 0 ? `${kernel.threads}, ${kernel.minBlocks}` : `${kernel.threads}`;
  writer.line(`extern "C" __global__ void __launch_bounds__(${bounds})`);
  writer.block(`${symbol}(${args.join(', ')}) {`, () => {
    if (used.thread) writer.line('const int thread = threadIdx.x;');
    // By a shuffle the compiler knows that a warp takes one role, and keeps what follows in uniform registers.
    if (warp.warp) writer.line(`const int ${warp.warp} = __shfl_sync(0xffffffffu, thread / 32, 0);`);
    for (const axis of [...used.blocks].sort())
      writer.line(`const int block_${'xyz'[axis]} = blockIdx.${'xyz'[axis]};`);
    if (kernel.sharedBytes > 0) {
      const align = Math.max(128, ...kernel.shared.map((b) => b.align ?? 0));
      writer.line(`extern __shared__ __align__(${align}) unsigned char arena[];`);
    }
    if (used.numbers.size > 0)
      writer.line('const unsigned arena_address = (unsigned)__cvta_generic_to_shared(arena);');
    for (const b of kernel.shared) {
      if (used.pointers.has(b.id)) {
        pointers.set(b.id, names.fresh(b.name));
        writer.line(`unsigned char *const ${pointers.get(b.id)} = arena + ${b.offset};`);
      }
      if (used.numbers.has(b.id)) {
        addresses.set(b.id, names.fresh(`${b.name}_address`));
        writer.line(`const unsigned ${addresses.get(b.id)} = arena_address + ${b.offset}u;`);
      }
    }
    if (tensorMaps.size > 0) {
      use('tensor_map');
      const fetch = [...tensorMaps.values()].map((name) => `prefetch_tensor_map(&${name});`);
      writer.line(`if (threadIdx.x == 0) { ${fetch.join(' ')} }`);
    }
    // Before the first access of memory that an earlier kernel may write.
    if (launchesEarly(kernel)) {
      use('wait_for_predecessor');
      writer.line('wait_for_predecessor();');
    }
    const shared = (map: ReadonlyMap<number, string>, b: SharedBuffer): string => {
      const found = map.get(b.id);
      if (found === undefined)
        throw new Error(`shared buffer ${b.name} is not declared by kernel ${kernel.name}`);
      return found;
    };
    new Statements({
      writer,
      names,
      widths,
      expressions,
      use,
      sharedPointer: (b) => shared(pointers, b),
      sharedAddress: (b) => shared(addresses, b),
      mapName: (m) => tensorMaps.get(m)!,
    }).body(kernel.body);
    writer.own();
  });
  return {
    symbol,
    buffers: [...buffers.values()],
    params: [...params.values()],
    maps: [...tensorMaps.values()],
  };
}
