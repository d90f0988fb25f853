/**
 * Device functions that emitted kernels call: one PTX instruction each, with a readable name. Only the ones that a file
 * uses are written into it. No header is needed: halves are their bits, and conversions are PTX `cvt`.
 * Source of every instruction: PTX ISA 8.x; all of them exist on sm_80, but for tensor copies, expect_tx, the proxy fence and the wait
 * for a predecessor (sm_90), and those of warpgroup.ts (sm_90a).
 */
import { isWgmma, warpgroupHelpers, wgmma, type WgmmaHelper } from './warpgroup.ts';

const list = (n: number, f: (i: number) => string): string =>
  Array.from({ length: n }, (_, i) => f(i)).join(', ');

function ldmatrix(count: number, trans: boolean): string {
  const name = `ldmatrix_x${count}${trans ? '_trans' : ''}`;
  const op = `ldmatrix.sync.aligned.m8n8.x${count}${trans ? '.trans' : ''}.shared.b16`;
  return `__device__ __forceinline__ void ${name}(${list(count, (i) => `unsigned &r${i}`)}, unsigned address) {
  asm volatile("${op} {${list(count, (i) => `%${i}`)}}, [%${count}];"
               : ${list(count, (i) => `"=r"(r${i})`)} : "r"(address));
}`;
}

function mma(element: 'f16' | 'bf16'): string {
  return `__device__ __forceinline__ void mma_m16n8k16_${element}(float &d0, float &d1, float &d2, float &d3,
    unsigned a0, unsigned a1, unsigned a2, unsigned a3, unsigned b0, unsigned b1) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.${element}.${element}.f32 "
               "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
               : "+f"(d0), "+f"(d1), "+f"(d2), "+f"(d3) : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
}`;
}

function cpAsync(bytes: 4 | 8 | 16): string {
  // .cg skips L1 and exists for 16 bytes only; the 128-byte hint lets L2 fetch whole lines.
  const op = bytes === 16 ? 'cp.async.cg.shared.global.L2::128B' : 'cp.async.ca.shared.global';
  return `__device__ __forceinline__ void cp_async_${bytes}(unsigned to, const void *from) {
  asm volatile("${op} [%0], [%1], ${bytes};" :: "r"(to), "l"(from) : "memory");
}
__device__ __forceinline__ void cp_async_${bytes}_zfill(unsigned to, const void *from, bool live) {
  asm volatile("${op} [%0], [%1], ${bytes}, %2;" :: "r"(to), "l"(from), "r"(live ? ${bytes} : 0) : "memory");
}`;
}

const conversions = {
  half: `__device__ __forceinline__ f16 to_f16(float x) {
  f16 bits;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(x));
  return bits;
}
__device__ __forceinline__ float from_f16(f16 bits) {
  float x;
  asm("cvt.f32.f16 %0, %1;" : "=f"(x) : "h"(bits));
  return x;
}
__device__ __forceinline__ unsigned pack_f16(float lo, float hi) {
  unsigned word;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(hi), "f"(lo));
  return word;
}
__device__ __forceinline__ float low_f16(unsigned word) { return from_f16((f16)word); }
__device__ __forceinline__ float high_f16(unsigned word) { return from_f16((f16)(word >> 16)); }
__device__ __forceinline__ float round_f16(float x) { return from_f16(to_f16(x)); }`,
  brain: `__device__ __forceinline__ bf16 to_bf16(float x) {
  bf16 bits;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(x));
  return bits;
}
__device__ __forceinline__ float from_bf16(bf16 bits) { return __uint_as_float((unsigned)bits << 16); }
__device__ __forceinline__ unsigned pack_bf16(float lo, float hi) {
  unsigned word;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(hi), "f"(lo));
  return word;
}
__device__ __forceinline__ float low_bf16(unsigned word) { return __uint_as_float(word << 16); }
__device__ __forceinline__ float high_bf16(unsigned word) { return __uint_as_float(word & 0xffff0000u); }
__device__ __forceinline__ float round_bf16(float x) { return from_bf16(to_bf16(x)); }`,
};

/**
 * Copies of a box to shared memory, by the rank of the tensor. The policy of `_evict_first` is the constant that CUTLASS has
 * (CacheHintSm90::EVICT_FIRST); with policies that createpolicy made, an H100 met illegal instructions.
 */
const tensorCopy = (rank: number, evictFirst = false): string => {
  const at = Array.from({ length: rank }, (_, i) => `c${i}`);
  const places = at.map((_, i) => `%${i + 2}`).join(', ');
  const [name, hint, policy] = evictFirst
    ? ['_evict_first', '.L2::cache_hint', [`, %${rank + 3}`, ', "l"(0x12F0000000000000ull)']]
    : ['', '', ['', '']];
  return `__device__ __forceinline__ void tensor_copy_${rank}d${name}(unsigned to, const tensor_map *map, ${at.map((c) => `int ${c}`).join(', ')}, unsigned barrier) {
  asm volatile("cp.async.bulk.tensor.${rank}d.shared::cluster.global.mbarrier::complete_tx::bytes${hint} [%0], [%1, {${places}}], [%${rank + 2}]${policy[0]};"
               :: "r"(to), "l"(map), ${at.map((c) => `"r"(${c})`).join(', ')}, "r"(barrier)${policy[1]} : "memory");
}`;
};
const tensorCopies = {
  tensor_copy_1d: tensorCopy(1),
  tensor_copy_2d: tensorCopy(2),
  tensor_copy_3d: tensorCopy(3),
  tensor_copy_4d: tensorCopy(4),
  tensor_copy_5d: tensorCopy(5),
  tensor_copy_1d_evict_first: tensorCopy(1, true),
  tensor_copy_2d_evict_first: tensorCopy(2, true),
  tensor_copy_3d_evict_first: tensorCopy(3, true),
  tensor_copy_4d_evict_first: tensorCopy(4, true),
  tensor_copy_5d_evict_first: tensorCopy(5, true),
};

/** In the order they are written. The key is what emitting code names; a text may define several functions. */
const helpers = {
  inf: '#define INF __int_as_float(0x7f800000)',
  nan: '#define NOT_A_NUMBER __int_as_float(0x7fffffff)',
  f16: conversions.half,
  bf16: conversions.brain,
  exp2: `// 2^x with relative error 2^-22; exact 0 and infinity at the ends.
__device__ __forceinline__ float exp2_approx(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}`,
  divide: `// a / b to 2 units in the last place over the whole range, without the branch that exact division takes.
__device__ __forceinline__ float divide(float a, float b) {
  float q;
  asm("div.full.f32 %0, %1, %2;" : "=f"(q) : "f"(a), "f"(b));
  return q;
}`,
  ldmatrix_x1: ldmatrix(1, false),
  ldmatrix_x2: ldmatrix(2, false),
  ldmatrix_x4: ldmatrix(4, false),
  ldmatrix_x1_trans: ldmatrix(1, true),
  ldmatrix_x2_trans: ldmatrix(2, true),
  ldmatrix_x4_trans: ldmatrix(4, true),
  mma_f16: mma('f16'),
  mma_bf16: mma('bf16'),
  cp_async_4: cpAsync(4),
  cp_async_8: cpAsync(8),
  cp_async_16: cpAsync(16),
  cp_async_commit: `__device__ __forceinline__ void cp_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }`,
  cp_async_wait: `template <int pending> __device__ __forceinline__ void cp_async_wait() {
  asm volatile("cp.async.wait_group %0;" :: "n"(pending) : "memory");
}`,
  mbarrier_init: `__device__ __forceinline__ void mbarrier_init(unsigned barrier, unsigned count) {
  asm volatile("mbarrier.init.shared.b64 [%0], %1;" :: "r"(barrier), "r"(count) : "memory");
}`,
  mbarrier_arrive: `__device__ __forceinline__ void mbarrier_arrive(unsigned barrier) {
  asm volatile("{ .reg .b64 state; mbarrier.arrive.shared.b64 state, [%0]; }" :: "r"(barrier) : "memory");
}`,
  mbarrier_arrive_cp_async: `__device__ __forceinline__ void mbarrier_arrive_cp_async(unsigned barrier) {
  asm volatile("cp.async.mbarrier.arrive.noinc.shared.b64 [%0];" :: "r"(barrier) : "memory");
}`,
  mbarrier_arrive_expect: `__device__ __forceinline__ void mbarrier_arrive_expect(unsigned barrier, unsigned bytes) {
  asm volatile("{ .reg .b64 state; mbarrier.arrive.expect_tx.shared.b64 state, [%0], %1; }" :: "r"(barrier), "r"(bytes) : "memory");
}`,
  proxy_fence: `__device__ __forceinline__ void proxy_fence() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }`,
  wait_for_predecessor: `// A kernel that was launched early waits here for the one before it to end; otherwise it costs nothing.
__device__ __forceinline__ void wait_for_predecessor() { asm volatile("griddepcontrol.wait;" ::: "memory"); }`,
  tensor_map: `// A tensor map: 128 bytes that the driver encodes and the copy engine reads.
struct alignas(64) tensor_map { unsigned long long words[16]; };
__device__ __forceinline__ void prefetch_tensor_map(const tensor_map *map) {
  asm volatile("prefetch.tensormap [%0];" :: "l"(map) : "memory");
}`,
  ...tensorCopies,
  mbarrier_wait: `__device__ __forceinline__ void mbarrier_wait(unsigned barrier, unsigned parity) {
  unsigned done;
  do {
#if __CUDA_ARCH__ >= 900
    asm volatile("{ .reg .pred p; mbarrier.try_wait.parity.shared.b64 p, [%1], %2; selp.u32 %0, 1, 0, p; }"
                 : "=r"(done) : "r"(barrier), "r"(parity) : "memory");
#else
    asm volatile("{ .reg .pred p; mbarrier.test_wait.parity.shared.b64 p, [%1], %2; selp.u32 %0, 1, 0, p; }"
                 : "=r"(done) : "r"(barrier), "r"(parity) : "memory");
#endif
  } while (!done);
}`,
  ...warpgroupHelpers,
} as const;

export type Helper = keyof typeof helpers | WgmmaHelper;

/** Types that every file has, then the helpers that it uses. */
export function prelude(used: ReadonlySet<Helper>): string {
  const parts = (Object.keys(helpers) as (keyof typeof helpers)[])
    .filter((h) => used.has(h))
    .map((h): string => helpers[h]);
  parts.push(...[...used].filter(isWgmma).map(wgmma));
  return ['typedef unsigned short f16;', 'typedef unsigned short bf16;', ...parts].join('\n');
}

/** Names that the helpers define, which a kernel's own names must avoid. */
export const helperNames: readonly string[] = [
  ...Object.values(helpers)
    .join('\n')
    .matchAll(/(?:void|float|unsigned|f16|bf16|#define) ([A-Za-z_]\w*)(?=\(| __)/g),
].map((m) => m[1]!);
