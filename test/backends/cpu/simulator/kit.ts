/** Thread kernels by hand: statements whose author's line is the first argument. */
import type { HostArray } from '../../../../compiler/backend.ts';
import type { Finding, SimulationReport } from '../../../../backends/cpu/simulator/index.ts';
import { simulate, type SimulateOptions } from '../../../../backends/cpu/simulator/index.ts';
import { constI, lvalue } from '../../../../compiler/thread/build.ts';
import type {
  Expr,
  GlobalBuffer,
  HalfType,
  LValue,
  MemoryElement,
  SharedBuffer,
  Stmt,
  TensorMap,
  ThreadKernel,
  ThreadParam,
  Var,
} from '../../../../compiler/thread/nodes.ts';
import type { Span } from '../../../../compiler/ir/span.ts';

export const at = (line: number): Span => ({ file: 'kernel.ts', line, column: 1 });

export const globalBuffer = (
  name: string,
  element: MemoryElement,
  length: number,
  access: GlobalBuffer['access'] = 'read',
): GlobalBuffer => ({ name, element, access, length: constI(length) });

export const sharedBuffer = (
  name: string,
  bytes: number,
  offset = 0,
  id = 0,
  element: MemoryElement = 'f16',
): SharedBuffer => ({ id, name, element, bytes, offset, span: at(1), note: `${bytes} B` });

const pred = (p: Expr | undefined): { pred?: Expr } => (p ? { pred: p } : {});

export const st = {
  declare: (line: number, v: Var, init?: Expr): Stmt => ({
    s: 'declare',
    span: at(line),
    var: v,
    ...(init ? { init } : {}),
  }),
  set: (line: number, to: LValue | Var, value: Expr): Stmt => ({
    s: 'assign',
    span: at(line),
    to: 'var' in to ? to : lvalue(to),
    value,
  }),
  loop: (line: number, iv: Var, lo: Expr, hi: Expr, body: Stmt[], unroll = false): Stmt => ({
    s: 'for',
    span: at(line),
    iv,
    lo,
    hi,
    step: 1,
    unroll,
    body,
  }),
  while: (line: number, cond: Expr, body: Stmt[]): Stmt => ({ s: 'while', span: at(line), cond, body }),
  if: (
    line: number,
    cond: Expr,
    then: Stmt[],
    other: Stmt[] = [],
    uniform: 'block' | 'warp' | 'none' = 'none',
  ): Stmt => ({ s: 'if', span: at(line), cond, uniform, then, else: other }),
  barrier: (line: number): Stmt => ({ s: 'barrier', span: at(line) }),
  warpBarrier: (line: number): Stmt => ({ s: 'warpBarrier', span: at(line) }),
  load: (line: number, dst: LValue[], buffer: SharedBuffer, offset: Expr): Stmt => ({
    s: 'loadShared',
    span: at(line),
    dst,
    buffer,
    offset,
  }),
  store: (line: number, buffer: SharedBuffer, offset: Expr, values: Expr[], p?: Expr): Stmt => ({
    s: 'storeShared',
    span: at(line),
    buffer,
    offset,
    values,
    ...pred(p),
  }),
  storeHalf: (line: number, buffer: SharedBuffer, offset: Expr, element: HalfType, value: Expr): Stmt => ({
    s: 'storeSharedHalf',
    span: at(line),
    buffer,
    offset,
    element,
    value,
  }),
  out: (line: number, buffer: GlobalBuffer, index: Expr, value: Expr, p?: Expr): Stmt => ({
    s: 'storeGlobal',
    span: at(line),
    buffer,
    index,
    value,
    ...pred(p),
  }),
  outWords: (line: number, buffer: GlobalBuffer, index: Expr, values: Expr[], p?: Expr): Stmt => ({
    s: 'storeGlobalWords',
    span: at(line),
    buffer,
    index,
    values,
    ...pred(p),
  }),
  inWords: (line: number, dst: LValue[], buffer: GlobalBuffer, index: Expr, p?: Expr): Stmt => ({
    s: 'loadGlobalWords',
    span: at(line),
    dst,
    buffer,
    index,
    ...pred(p),
  }),
  atomic: (
    line: number,
    fn: 'add' | 'max' | 'min',
    buffer: GlobalBuffer,
    index: Expr,
    value: Expr,
  ): Stmt => ({
    s: 'atomicGlobal',
    span: at(line),
    fn,
    buffer,
    index,
    value,
  }),
  copy: (
    line: number,
    buffer: SharedBuffer,
    offset: Expr,
    from: GlobalBuffer,
    index: Expr,
    bytes: 4 | 8 | 16,
    p?: Expr,
  ): Stmt => ({ s: 'cpAsync', span: at(line), buffer, offset, from, index, bytes, ...pred(p) }),
  commit: (line: number): Stmt => ({ s: 'cpAsyncCommit', span: at(line) }),
  wait: (line: number, pending: number): Stmt => ({ s: 'cpAsyncWait', span: at(line), pending }),
  ldmatrix: (line: number, dst: LValue[], buffer: SharedBuffer, offset: Expr, trans = false): Stmt => ({
    s: 'ldmatrix',
    span: at(line),
    dst,
    buffer,
    offset,
    trans,
  }),
  mma: (line: number, element: HalfType, acc: LValue[], a: Expr[], b: Expr[]): Stmt => ({
    s: 'mma',
    span: at(line),
    element,
    acc,
    a,
    b,
  }),
  shuffle: (line: number, dst: LValue, value: Expr, mask: number): Stmt => ({
    s: 'shuffleXor',
    span: at(line),
    dst,
    value,
    mask,
  }),
  any: (line: number, dst: LValue, value: Expr): Stmt => ({ s: 'warpAny', span: at(line), dst, value }),
  init: (line: number, buffer: SharedBuffer, offset: Expr, count: number): Stmt => ({
    s: 'mbarrierInit',
    span: at(line),
    buffer,
    offset,
    count,
  }),
  arrive: (line: number, buffer: SharedBuffer, offset: Expr): Stmt => ({
    s: 'mbarrierArrive',
    span: at(line),
    buffer,
    offset,
  }),
  arriveCopy: (line: number, buffer: SharedBuffer, offset: Expr): Stmt => ({
    s: 'mbarrierArriveCpAsync',
    span: at(line),
    buffer,
    offset,
  }),
  arriveExpect: (line: number, buffer: SharedBuffer, offset: Expr, bytes: Expr): Stmt => ({
    s: 'mbarrierArriveExpect',
    span: at(line),
    buffer,
    offset,
    bytes,
  }),
  tensorCopy: (
    line: number,
    [buffer, offset]: readonly [SharedBuffer, Expr],
    map: TensorMap,
    coordinates: readonly Expr[],
    [barrier, barrierOffset]: readonly [SharedBuffer, Expr],
    p?: Expr,
  ): Stmt => ({
    s: 'tensorCopy',
    span: at(line),
    buffer,
    offset,
    map,
    at: coordinates,
    barrier,
    barrierOffset,
    ...pred(p),
  }),
  fence: (line: number): Stmt => ({ s: 'proxyFence', span: at(line) }),
  await: (line: number, buffer: SharedBuffer, offset: Expr, parity: Expr): Stmt => ({
    s: 'mbarrierWait',
    span: at(line),
    buffer,
    offset,
    parity,
  }),
};

export interface KernelParts {
  readonly threads: number;
  readonly target?: string;
  readonly buffers?: readonly GlobalBuffer[];
  readonly shared?: readonly SharedBuffer[];
  readonly params?: readonly ThreadParam[];
  readonly body: readonly Stmt[];
}

export const threadKernel = (parts: KernelParts): ThreadKernel => ({
  name: 'by_hand',
  target: parts.target ?? 'cuda:sm_80',
  threads: parts.threads,
  minBlocks: 0,
  buffers: parts.buffers ?? [],
  params: parts.params ?? [],
  shared: parts.shared ?? [],
  sharedBytes: Math.max(0, ...(parts.shared ?? []).map((b) => b.offset + b.bytes)),
  body: parts.body,
  spec: {},
  tile: {},
  span: at(1),
});

export function run(
  parts: KernelParts,
  arrays: Record<string, HostArray> = {},
  grid: readonly [number, number, number] = [1, 1, 1],
  options: SimulateOptions & { scalars?: Record<string, number> } = {},
): SimulationReport {
  return simulate(threadKernel(parts), grid, new Map(Object.entries(arrays)), options.scalars ?? {}, options);
}

/** "PAT0401 7 5": the code, the line of the access, and the lines of its notes but that of the buffer. */
export const show = (f: Finding): string =>
  [
    f.code,
    f.span?.line,
    ...(f.notes ?? []).map((n) => n.span?.line).filter((l) => l !== undefined && l !== 1),
  ].join(' ');
export const errorsOf = (r: SimulationReport): string[] => r.errors.map(show);
