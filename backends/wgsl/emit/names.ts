/** Identifiers that are legal in WGSL and unique in a module. */

// WGSL specification, 16.1 keywords and 16.2 reserved words, then the predeclared types and functions that emitted code uses.
const taken = `
alias break case const const_assert continue continuing default diagnostic discard else enable false fn for if let loop
override requires return struct switch true var while
NULL Self abstract active alignas alignof as asm asm_fragment async attribute auto await become cast catch class co_await
co_return co_yield coherent column_major common compile compile_fragment concept const_cast consteval constexpr constinit
crate debugger decltype delete demote demote_to_helper do dynamic_cast enum explicit export extends extern external fallthrough
filter final finally friend from fxgroup get goto groupshared highp impl implements import inline instanceof interface
layout lowp macro macro_rules match mediump meta mod module move mut mutable namespace new nil noexcept noinline
nointerpolation non_coherent noncoherent noperspective null nullptr of operator package packoffset partial pass patch
pixelfragment precise precision premerge priv protected pub public readonly ref regardless register reinterpret_cast
require resource restrict self set shared sizeof smooth snorm static static_assert static_cast std subroutine super target
template this thread_local throw trait try type typedef typeid typename typeof union unless unorm unsafe unsized use using
varying virtual volatile wgsl where with writeonly yield
bool f16 f32 i32 u32 vec2 vec3 vec4 array atomic ptr mat2x2 mat3x3 mat4x4 sampler texture_2d
abs ceil clamp cos exp exp2 floor fma inverseSqrt log log2 max min select sin sqrt tanh bitcast arrayLength any all
pack2x16float unpack2x16float quantizeToF16 workgroupBarrier storageBarrier workgroupUniformLoad subgroupShuffleXor
atomicLoad atomicStore atomicAdd atomicMax atomicMin atomicAnd atomicOr atomicCompareExchangeWeak
sign main params Params thread_index workgroup_id thread block inf inf_bits nan_bits nan uniform_word erf round_f16 round_bf16 pack_f16 pack_bf16 f16_bits bf16_bits
`
  .trim()
  .split(/\s+/);

export class Names {
  private readonly used = new Set(taken);

  /** A new name close to `wish`. */
  unique(wish: string): string {
    let base = wish.replace(/[^A-Za-z0-9_]/g, '_').replace(/__+/g, '_');
    if (base === '' || base === '_' || /^[0-9]/.test(base)) base = `v${base}`;
    let name = base;
    for (let n = 1; this.used.has(name); n++) name = `${base}_${n}`.replace(/__+/g, '_');
    this.used.add(name);
    return name;
  }
}
