/**
 * Thread IR: what one thread of a block runs. Every node type, in one file.
 *
 * The unit is a kernel of `threads` threads per block; all threads run `body`. Values live in 32-bit registers:
 * f32, i32, u32 and bool only. 16-bit floats exist in memory and, in registers, as pairs packed in a u32 (low half =
 * lower address); `pack`/`unpack` convert. Memory is global buffers, indexed in elements, and shared buffers, indexed in
 * bytes from the buffer's start. Nothing here knows what a kernel is for.
 */
import type { Element } from '../ir/nodes.ts';
import type { Span } from '../ir/span.ts';

export type RegType = 'f32' | 'i32' | 'u32' | 'bool';
export type HalfType = 'f16' | 'bf16';
export type MemoryElement = Exclude<Element, 'bool'>;

/** A register variable: a scalar (size absent), or an array that is indexed by compile-time-resolvable expressions. */
export interface Var {
  readonly id: number;
  readonly name: string;
  readonly type: RegType;
  /** Number of elements of a register array. */
  readonly size?: number;
}

export interface GlobalBuffer {
  readonly name: string;
  readonly element: MemoryElement;
  readonly access: 'read' | 'write' | 'readwrite';
  /** The number of elements, as an expression over scalar params (for bounds checks in the simulator). */
  readonly length: Expr;
}

export interface SharedBuffer {
  readonly id: number;
  readonly name: string;
  /** For messages and typed printing; addresses are bytes. */
  readonly element: MemoryElement;
  readonly bytes: number;
  /** What `offset` must be a multiple of, where that is more than 128. */
  readonly align?: number;
  /** Byte offset in the block's arena, 16-byte aligned (set by allocation; buffers with disjoint lifetimes may overlap). */
  offset: number;
  readonly span: Span;
  /** How a tile lies in it, for budgets and reports, e.g. "3 stages x 64 x 128 x 2 B, xor swizzle". */
  readonly note: string;
}

/**
 * How a global buffer is copied by boxes (CUDA's tensor maps, "tiled" mode): a tensor over it, and the box that one copy
 * moves. In shared memory a box is rows of 128 bytes, whose 16-byte chunk c lies at chunk c ^ (address / 128 % 8).
 * Elements of the box outside the tensor become zero.
 */
export interface TensorMap {
  readonly buffer: GlobalBuffer;
  /** In elements, innermost dimension first, over scalar params; `strides` are those of all but the innermost. */
  readonly extents: readonly Expr[];
  readonly strides: readonly Expr[];
  /** In elements, innermost first: 128 bytes, then how many of each dimension. */
  readonly box: readonly number[];
}

// ---------------------------------------------------------------- expressions (no side effects, per thread)

export type UnaryName =
  | 'neg'
  | 'abs'
  | 'exp'
  | 'exp2'
  | 'log'
  | 'log2'
  | 'sqrt'
  | 'rsqrt'
  | 'tanh'
  | 'erf'
  | 'sin'
  | 'cos'
  | 'floor'
  | 'ceil'
  | 'not';
export type BinaryName =
  'add' | 'sub' | 'mul' | 'div' | 'rem' | 'min' | 'max' | 'and' | 'or' | 'xor' | 'shl' | 'shr';
export type CompareName = 'lt' | 'le' | 'gt' | 'ge' | 'eq' | 'ne';

export type Expr =
  | { readonly e: 'const'; readonly type: RegType; readonly value: number | boolean }
  | { readonly e: 'var'; readonly type: RegType; readonly var: Var }
  | { readonly e: 'element'; readonly type: RegType; readonly var: Var; readonly index: Expr }
  /** A scalar kernel argument. */
  | { readonly e: 'param'; readonly type: RegType; readonly name: string }
  /** Linear thread id in the block (i32), and the block's coordinates. */
  | { readonly e: 'threadId'; readonly type: 'i32' }
  | { readonly e: 'blockId'; readonly type: 'i32'; readonly axis: 0 | 1 | 2 }
  | { readonly e: 'unary'; readonly type: RegType; readonly fn: UnaryName; readonly a: Expr }
  | {
      readonly e: 'binary';
      readonly type: RegType;
      readonly fn: BinaryName;
      readonly a: Expr;
      readonly b: Expr;
    }
  | {
      readonly e: 'compare';
      readonly type: 'bool';
      readonly fn: CompareName;
      readonly a: Expr;
      readonly b: Expr;
    }
  | { readonly e: 'select'; readonly type: RegType; readonly cond: Expr; readonly a: Expr; readonly b: Expr }
  /** Fused a*b+c in f32. */
  | { readonly e: 'fma'; readonly type: 'f32'; readonly a: Expr; readonly b: Expr; readonly c: Expr }
  /** Number conversion between RegTypes; float to int truncates. */
  | { readonly e: 'convert'; readonly type: RegType; readonly a: Expr }
  | { readonly e: 'bitcast'; readonly type: RegType; readonly a: Expr }
  /** f32 rounded to nearest even at the half type, still f32. */
  | { readonly e: 'round'; readonly type: 'f32'; readonly to: HalfType; readonly a: Expr }
  | { readonly e: 'pack'; readonly type: 'u32'; readonly to: HalfType; readonly lo: Expr; readonly hi: Expr }
  | {
      readonly e: 'unpack';
      readonly type: 'f32';
      readonly from: HalfType;
      readonly a: Expr;
      readonly half: 0 | 1;
    }
  /** One element, halves widened to f32. Evaluated where it stands: guard it with a select only if the index is always valid. */
  | { readonly e: 'loadGlobal'; readonly type: RegType; readonly buffer: GlobalBuffer; readonly index: Expr }
  /** cond ? value : other, evaluating `value` (which may load) only where cond holds. */
  | {
      readonly e: 'guard';
      readonly type: RegType;
      readonly cond: Expr;
      readonly value: Expr;
      readonly other: Expr;
    };

// ---------------------------------------------------------------- statements

interface Base {
  readonly span: Span;
}

export type LValue = { readonly var: Var; readonly index?: Expr };

/** Rows in panels of shared memory, `stride` bytes between groups of eight. */
export interface SharedOperand {
  readonly buffer: SharedBuffer;
  readonly offset: Expr;
  readonly stride: number;
}

export type Stmt = Base &
  (
    | { readonly s: 'comment'; readonly text: string }
    /** Declares a register variable; arrays take no init and start undefined. */
    | { readonly s: 'declare'; readonly var: Var; readonly init?: Expr }
    | { readonly s: 'assign'; readonly to: LValue; readonly value: Expr }
    /** iv is an i32 register. `unroll` promises static bounds and asks for full unrolling (register arrays are indexed by it). */
    | {
        readonly s: 'for';
        readonly iv: Var;
        readonly lo: Expr;
        readonly hi: Expr;
        readonly step: number;
        readonly unroll: boolean;
        readonly body: readonly Stmt[];
      }
    | { readonly s: 'while'; readonly cond: Expr; readonly body: readonly Stmt[] }
    /** `uniform`: over which threads cond is the same. Barriers and warp instructions inside need block / warp. */
    | {
        readonly s: 'if';
        readonly cond: Expr;
        readonly uniform: 'block' | 'warp' | 'none';
        /** Taken in few of a loop's trips: what the tuner does not count. */
        readonly rare?: true;
        readonly then: readonly Stmt[];
        readonly else: readonly Stmt[];
      }
    /** All threads of the block, or its first `threads` (whole warps); orders shared and global memory among them. */
    | { readonly s: 'barrier'; readonly threads?: number }
    /** All lanes of a warp; orders their shared memory accesses. */
    | { readonly s: 'warpBarrier' }
    /** dst.length consecutive 32-bit words from a global buffer; element `index` must be aligned to the access. No pred = always. Where pred is false dst gets 0. */
    | {
        readonly s: 'loadGlobalWords';
        readonly dst: readonly LValue[];
        readonly buffer: GlobalBuffer;
        readonly index: Expr;
        readonly pred?: Expr;
      }
    /** values: u32 words (already packed or bitcast), 1, 2 or 4 of them. */
    | {
        readonly s: 'storeGlobalWords';
        readonly buffer: GlobalBuffer;
        readonly index: Expr;
        readonly values: readonly Expr[];
        readonly pred?: Expr;
      }
    /** One element, converted to the buffer's element (f32 rounds to a half type). */
    | {
        readonly s: 'storeGlobal';
        readonly buffer: GlobalBuffer;
        readonly index: Expr;
        readonly value: Expr;
        readonly pred?: Expr;
      }
    | {
        readonly s: 'atomicGlobal';
        readonly fn: 'add' | 'max' | 'min';
        readonly buffer: GlobalBuffer;
        readonly index: Expr;
        readonly value: Expr;
        readonly pred?: Expr;
      }
    /** 1, 2 or 4 words; offset in bytes, aligned to the access. dst types may be f32, i32 or u32 (bits are copied). */
    | {
        readonly s: 'loadShared';
        readonly dst: readonly LValue[];
        readonly buffer: SharedBuffer;
        readonly offset: Expr;
      }
    | {
        readonly s: 'storeShared';
        readonly buffer: SharedBuffer;
        readonly offset: Expr;
        readonly values: readonly Expr[];
        readonly pred?: Expr;
      }
    /** One 16-bit element (targets without 16-bit shared stores never get it). */
    | {
        readonly s: 'storeSharedHalf';
        readonly buffer: SharedBuffer;
        readonly offset: Expr;
        readonly element: HalfType;
        readonly value: Expr;
        readonly pred?: Expr;
      }
    /** Asynchronous global to shared copy of 4, 8 or 16 bytes; where pred is false the bytes become zero. */
    | {
        readonly s: 'cpAsync';
        readonly buffer: SharedBuffer;
        readonly offset: Expr;
        readonly from: GlobalBuffer;
        readonly index: Expr;
        readonly bytes: 4 | 8 | 16;
        readonly pred?: Expr;
      }
    | { readonly s: 'cpAsyncCommit' }
    /** Until at most `pending` of this thread's groups are outstanding. */
    | { readonly s: 'cpAsyncWait'; readonly pending: number }
    /**
     * ldmatrix: `dst.length` 8x8 matrices of 16-bit elements. Each lane gives one row address (lanes 8i..8i+7 for
     * matrix i, 16-byte aligned); dst[i] gets the lane's pair of matrix i (transposed with `trans`).
     */
    | {
        readonly s: 'ldmatrix';
        readonly dst: readonly LValue[];
        readonly buffer: SharedBuffer;
        readonly offset: Expr;
        readonly trans: boolean;
      }
    /** mma.sync.m16n8k16, f32 accumulate in place. a: 4 u32, b: 2 u32, acc: 4 f32, lane layouts as in the PTX ISA. */
    | {
        readonly s: 'mma';
        readonly element: HalfType;
        readonly acc: readonly LValue[];
        readonly a: readonly Expr[];
        readonly b: readonly Expr[];
      }
    /**
     * wgmma.m64nNk16 (N = `columns`) of a warpgroup, f32 accumulate: begins; `wgmmaWait` ends it. Each of the four warps has 16
     * rows, with a and acc laid out as mma's (acc: columns / 2 consecutive elements of an array). The right operand is read from
     * shared memory at `offset`, in panels of 128-byte rows that are swizzled by address bits: k by columns where `transposed`
     * (panels `leading` bytes apart, groups of 8 rows along k `stride` bytes apart), else columns by k (`stride` bytes between
     * groups of 8 columns; k16 lies within one panel). Where not `accumulate`, acc is overwritten.
     * With `left`, the left operand comes from shared memory too: the warpgroup's 64 rows by k, and a is empty.
     */
    | {
        readonly s: 'wgmma';
        readonly element: HalfType;
        readonly columns: number;
        readonly acc: readonly LValue[];
        readonly a: readonly Expr[];
        readonly buffer: SharedBuffer;
        readonly offset: Expr;
        readonly transposed: boolean;
        readonly leading: number;
        readonly stride: number;
        readonly accumulate: boolean;
        readonly left?: SharedOperand;
      }
    /** Orders this warp's accesses to register arrays (which it names) before the wgmmas after it. */
    | { readonly s: 'wgmmaFence'; readonly registers: readonly Var[] }
    /** Closes the group of this warp's wgmmas since the last commit. */
    | { readonly s: 'wgmmaCommit' }
    /** Until at most `pending` groups are outstanding; `registers`: accumulators that have their results then. */
    | { readonly s: 'wgmmaWait'; readonly pending: number; readonly registers: readonly Var[] }
    /** All warps of a warpgroup: registers per thread from here on. */
    | { readonly s: 'setMaxRegisters'; readonly count: number; readonly raise: boolean }
    /** dst = value of lane (lane ^ mask); all lanes of the warp take part. */
    | { readonly s: 'shuffleXor'; readonly dst: LValue; readonly value: Expr; readonly mask: number }
    /** dst (bool) = whether `value` (bool) holds in any lane; all lanes of the warp take part. */
    | { readonly s: 'warpAny'; readonly dst: LValue; readonly value: Expr }
    /** 64-bit mbarrier at `offset` of a shared buffer: by one thread, before a block barrier. */
    | {
        readonly s: 'mbarrierInit';
        readonly buffer: SharedBuffer;
        readonly offset: Expr;
        readonly count: number;
      }
    | { readonly s: 'mbarrierArrive'; readonly buffer: SharedBuffer; readonly offset: Expr }
    /** Arrives once all of this thread's earlier cpAsync copies have landed (noinc form: counts as one arrival). */
    | { readonly s: 'mbarrierArriveCpAsync'; readonly buffer: SharedBuffer; readonly offset: Expr }
    /**
     * Expects `bytes` more from tensor copies in the current phase, then arrives: the phase completes once all arrivals came
     * and all expected bytes have landed.
     */
    | {
        readonly s: 'mbarrierArriveExpect';
        readonly buffer: SharedBuffer;
        readonly offset: Expr;
        readonly bytes: Expr;
      }
    /**
     * A lane copies the box of `map` that begins at the coordinates `at` (innermost first) to `offset`, a multiple of 128 bytes,
     * or nothing where pred is false. By the asynchronous proxy; the box's bytes count on the mbarrier as they land. evictFirst: L2 may
     * drop what was read before anything else.
     */
    | {
        readonly s: 'tensorCopy';
        readonly buffer: SharedBuffer;
        readonly offset: Expr;
        readonly map: TensorMap;
        readonly at: readonly Expr[];
        readonly barrier: SharedBuffer;
        readonly barrierOffset: Expr;
        readonly pred?: Expr;
        readonly evictFirst?: Expr;
      }
    /**
     * Orders this thread's earlier shared memory accesses, and those it has learnt of, before what the asynchronous proxy (tensor
     * copies, wgmma) does after it.
     */
    | { readonly s: 'proxyFence' }
    /** Waits until the phase with the given parity (0 or 1) has completed. */
    | {
        readonly s: 'mbarrierWait';
        readonly buffer: SharedBuffer;
        readonly offset: Expr;
        readonly parity: Expr;
      }
  );

export interface ThreadParam {
  readonly name: string;
  readonly type: RegType;
}

/** `parts` are the names of tensors; part i starts at element `offset` of it, a scalar param. */
export interface PackedBuffer {
  readonly name: string;
  readonly parts: readonly { readonly name: string; readonly offset: string; readonly length: string }[];
}

export interface ThreadKernel {
  readonly name: string;
  readonly target: string;
  readonly threads: number;
  /** Blocks per SM the register budget should allow (CUDA __launch_bounds__); 0 = no promise. */
  readonly minBlocks: number;
  readonly buffers: readonly GlobalBuffer[];
  /** Buffers of the author's that lie end to end in one of `buffers` (see packed.ts). */
  readonly packed?: readonly PackedBuffer[];
  readonly params: readonly ThreadParam[];
  readonly shared: readonly SharedBuffer[];
  /** Arena bytes per block after allocation. */
  readonly sharedBytes: number;
  readonly body: readonly Stmt[];
  readonly spec: Readonly<Record<string, number | string>>;
  readonly tile: Readonly<Record<string, number>>;
  readonly span: Span;
}

/** Nested statement lists of a statement. */
export function bodiesOf(s: Stmt): readonly (readonly Stmt[])[] {
  switch (s.s) {
    case 'for':
    case 'while':
      return [s.body];
    case 'if':
      return [s.then, s.else];
    default:
      return [];
  }
}
