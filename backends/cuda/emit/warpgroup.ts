/**
 * wgmma and what belongs to it: instructions of a warpgroup (four warps). Source: PTX ISA 8.x, "Asynchronous warpgroup level
 * matrix instructions"; the descriptor's fields as there, swizzle mode 128 B, for which 16-byte units of shared addresses fit.
 */
import type {
  Expr,
  HalfType,
  LValue,
  SharedBuffer,
  SharedOperand,
  Stmt,
} from '../../../compiler/thread/nodes.ts';
import type { Expressions } from './expression.ts';
import type { Helper } from './helpers.ts';
import type { Names } from './names.ts';
import type { Writer } from './writer.ts';

const list = (n: number, f: (i: number) => string): string =>
  Array.from({ length: n }, (_, i) => f(i)).join(', ');

/** Names a product's function: columns, element, how the right operand is stored, and whether the left one is too. */
export type WgmmaHelper = `wgmma_m64n${number}k16_${HalfType}_${'kn' | 'nk'}${'' | '_shared'}`;

const parts = /^wgmma_m64n(\d+)k16_(f16|bf16)_(kn|nk)(_shared)?$/;
export const isWgmma = (helper: string): helper is WgmmaHelper => parts.test(helper);

/** The device function of a product: accumulators in place, left operand in registers, right operand by descriptor. */
export function wgmma(name: WgmmaHelper): string {
  const [, columns, element, order, shared] = parts.exec(name)!;
  const n = Number(columns) / 2;
  const rows = (f: (i: number) => string): string =>
    Array.from({ length: n / 4 }, (_, j) => list(4, (i) => f(4 * j + i))).join(',\n                 ');
  const operands = Array.from({ length: n / 4 }, (_, j) => list(4, (i) => `%${4 * j + i}`)).join(
    ', "\n               "',
  );
  // Operands after the accumulators: the left one, the right one, whether to accumulate.
  const [left, parameters, inputs, modes] = shared
    ? [`%${n}`, 'unsigned long long a', '"l"(a)', '0, ']
    : [
        `{${list(4, (i) => `%${n + i}`)}}`,
        'unsigned a0, unsigned a1, unsigned a2, unsigned a3',
        list(4, (i) => `"r"(a${i})`),
        '',
      ];
  const next = n + (shared ? 1 : 4);
  return `template <bool accumulate> __device__ __forceinline__ void ${name}(float *d, ${parameters},
    unsigned long long b) {
  asm volatile("{ .reg .pred p; setp.ne.b32 p, %${next + 1}, 0; wgmma.mma_async.sync.aligned.m64n${columns}k16.f32.${element}.${element} {"
               "${operands}"
               "}, ${left}, %${next}, p, 1, 1, ${modes}${order === 'kn' ? 1 : 0}; }"
               : ${rows((i) => `"+f"(d[${i}])`)}
               : ${inputs}, "l"(b), "n"(accumulate) : "memory");
}`;
}

export const warpgroupHelpers = {
  wgmma_operand: `// Describes a wgmma operand in panels of 128-byte rows that are swizzled by address bits, \`offset\` bytes from an address.
template <int leading, int stride> __device__ __forceinline__ unsigned long long wgmma_operand(unsigned address, int offset) {
  const unsigned low = address / 16 + (unsigned)(offset / 16 + (leading / 16 << 16)), high = 1u << 30 | stride / 16;
  return (unsigned long long)high << 32 | low;
}`,
  wgmma_hold: `// Registers that wgmma reads or writes while other instructions go on: they stay what they are up to here.
template <int n> __device__ __forceinline__ void wgmma_hold(float (&r)[n]) {
#pragma unroll
  for (int i = 0; i < n; i++) asm volatile("" : "+f"(r[i]) :: "memory");
}
template <int n> __device__ __forceinline__ void wgmma_hold(unsigned (&r)[n]) {
#pragma unroll
  for (int i = 0; i < n; i++) asm volatile("" : "+r"(r[i]) :: "memory");
}`,
  wgmma_fence: `__device__ __forceinline__ void wgmma_fence() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }`,
  wgmma_commit: `__device__ __forceinline__ void wgmma_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }`,
  wgmma_wait: `template <int pending> __device__ __forceinline__ void wgmma_wait() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" :: "n"(pending) : "memory");
}`,
  max_registers: `template <int count> __device__ __forceinline__ void raise_registers() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" :: "n"(count));
}
template <int count> __device__ __forceinline__ void lower_registers() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" :: "n"(count));
}`,
} as const;

export interface WarpgroupContext {
  readonly writer: Writer;
  readonly names: Names;
  readonly expressions: Expressions;
  readonly use: (helper: Helper) => void;
  readonly sharedAddress: (b: SharedBuffer) => string;
}

type Warpgroup = Extract<
  Stmt,
  { s: 'wgmma' | 'wgmmaFence' | 'wgmmaCommit' | 'wgmmaWait' | 'setMaxRegisters' }
>;

export function emitWarpgroup(c: WarpgroupContext, s: Warpgroup): void {
  const { writer, names, use } = c;
  const hold = (s: { readonly registers: readonly LValue['var'][] }): void => {
    if (s.registers.length > 0) use('wgmma_hold');
    for (const v of s.registers) writer.line(`wgmma_hold(${names.of(v)});`);
  };
  switch (s.s) {
    case 'wgmma':
      return product(c, s);
    case 'wgmmaFence':
      hold(s);
      use('wgmma_fence');
      writer.line('wgmma_fence();');
      return;
    case 'wgmmaCommit':
      use('wgmma_commit');
      writer.line('wgmma_commit();');
      return;
    case 'wgmmaWait':
      use('wgmma_wait');
      writer.line(`wgmma_wait<${s.pending}>();`);
      return hold(s);
    case 'setMaxRegisters':
      use('max_registers');
      writer.line(`${s.raise ? 'raise' : 'lower'}_registers<${s.count}>();`);
  }
}

function product(c: WarpgroupContext, s: Extract<Warpgroup, { s: 'wgmma' }>): void {
  const { expressions: x } = c;
  const name: WgmmaHelper = `wgmma_m64n${s.columns}k16_${s.element}_${s.transposed ? 'kn' : 'nk'}${s.left ? '_shared' : ''}`;
  c.use(name);
  const first = Number((s.acc[0]!.index as Extract<Expr, { e: 'const' }>).value);
  const acc = c.names.of(s.acc[0]!.var) + (first === 0 ? '' : ` + ${first}`);
  const left = s.left ? operand(c, s.left, 0) : s.a.map((e) => x.text(e)).join(', ');
  c.writer.line(`${name}<${s.accumulate}>(${acc}, ${left}, ${operand(c, s, s.leading)});`);
}

function operand(c: WarpgroupContext, o: SharedOperand, leading: number): string {
  c.use('wgmma_operand');
  // The constant part goes into the descriptor as it is: what it is added to is the same for all k.
  const [start, offset] = constantPart(o.offset);
  const address = c.sharedAddress(o.buffer) + (start ? ` + ${c.expressions.addend(start)}` : '');
  return `wgmma_operand<${leading}, ${o.stride}>(${address}, ${offset})`;
}

function constantPart(e: Expr): [Expr | undefined, number] {
  if (e.e === 'const') return [undefined, Number(e.value)];
  if (e.e === 'binary' && e.fn === 'add' && e.b.e === 'const') return [e.a, Number(e.b.value)];
  return [e, 0];
}
