/** WGSL functions that emitted code calls, written out only where they are used. */
import type { HalfType } from '../../../compiler/thread/nodes.ts';
import type { Layout } from './storage.ts';

// Rounding is to nearest even by integer arithmetic: how pack2x16float rounds, and what it does beyond 65504, is up to the
// driver. A half below 2^-14 is a multiple of 2^-24, which is what the last bit of a float in [0.5, 1) is worth.
const f16Bits = `fn f16_bits(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  let size = bits & 0x7fffffffu;
  let normal = (size + 0xfffu + ((size >> 13u) & 1u) - 0x38000000u) >> 13u;
  let tiny = bitcast<u32>(bitcast<f32>(size) + 0.5) - 0x3f000000u;
  let finite = select(normal, tiny, size < 0x38800000u);
  let whole = select(select(finite, 0x7c00u, size >= 0x477ff000u), 0x7e00u, size > 0x7f800000u);
  return ((bits >> 16u) & 0x8000u) | whole;
}`;

const bf16Bits = `fn bf16_bits(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  let rounded = (bits + 0x7fffu + ((bits >> 16u) & 1u)) >> 16u;
  return select(rounded, 0x7fc0u, (bits & 0x7fffffffu) > 0x7f800000u);
}`;

// N. Juffa's float erf, below 1 ulp: a polynomial near 0, 1 - exp(polynomial) further out.
const erf = `fn erf(x: f32) -> f32 {
  let t = min(abs(x), 4.0);
  let s = t * t;
  var far = fma(-1.72853470e-5, t, 3.83197126e-4);
  far = fma(far, s, fma(-3.88396438e-3, t, 2.42546219e-2));
  far = fma(far, t, -1.06777877e-1);
  far = fma(far, t, -6.34846687e-1);
  far = fma(far, t, -1.28717512e-1);
  far = 1.0 - exp(fma(far, t, -t));
  var near = fma(-5.96761703e-4, s, 4.99119423e-3);
  near = fma(near, s, -2.67681349e-2);
  near = fma(near, s, 1.12819925e-1);
  near = fma(near, s, -3.76125336e-1);
  near = fma(near, s, 1.28379166e-1);
  return sign(x) * select(fma(near, t, t), far, t > 0.927734375);
}`;

const library: Readonly<Record<string, { text: string; needs?: readonly string[] }>> = {
  erf: { text: erf },
  f16_bits: { text: f16Bits },
  bf16_bits: { text: bf16Bits },
  pack_f16: {
    needs: ['f16_bits'],
    text: `fn pack_f16(lo: f32, hi: f32) -> u32 {\n  return f16_bits(lo) | (f16_bits(hi) << 16u);\n}`,
  },
  pack_bf16: {
    needs: ['bf16_bits'],
    text: `fn pack_bf16(lo: f32, hi: f32) -> u32 {\n  return bf16_bits(lo) | (bf16_bits(hi) << 16u);\n}`,
  },
  round_f16: {
    needs: ['f16_bits'],
    text: `fn round_f16(x: f32) -> f32 {\n  return unpack2x16float(f16_bits(x)).x;\n}`,
  },
  round_bf16: {
    needs: ['bf16_bits'],
    text: `fn round_bf16(x: f32) -> f32 {\n  return bitcast<f32>(bf16_bits(x) << 16u);\n}`,
  },
};

export class Helpers {
  private readonly texts = new Map<string, string>();
  private readonly constants = new Set<'inf' | 'nan'>();
  private readonly names = new Map<string, string>();
  private readonly unique: (wish: string) => string;
  /** A workgroup word is needed to make conditions uniform. */
  uniformWord = false;

  constructor(unique: (wish: string) => string) {
    this.unique = unique;
  }

  /** Marks a helper as used and returns its name. */
  use(name: string): string {
    if (name === 'inf' || name === 'nan') this.constants.add(name);
    else if (!this.texts.has(name)) {
      const { text, needs = [] } = library[name]!;
      for (const n of needs) this.use(n);
      this.texts.set(name, text);
    }
    return name;
  }

  /** A function for one buffer or constant, made once. */
  private named(wish: string, text: (name: string) => string): string {
    let name = this.names.get(wish);
    if (name === undefined) {
      this.names.set(wish, (name = this.unique(wish)));
      const body = text(name);
      this.texts.set(name, body);
    }
    return name;
  }

  /** Reads one half out of a buffer of words. */
  readHalf(l: Layout, element: HalfType): string {
    const index =
      l.width === 1
        ? '[index >> 1u]'
        : `[index >> ${1 + Math.log2(l.width)}u][(index >> 1u) & ${l.width - 1}]`;
    const word = l.atomic ? `atomicLoad(&${l.name}${index})` : `${l.name}${index}`;
    const half = `${word} >> ((u32(index) & 1u) << 4u)`;
    const value = element === 'f16' ? `unpack2x16float(${half}).x` : `bitcast<f32>((${half}) << 16u)`;
    return this.named(`read_${l.name}`, (name) => `fn ${name}(index: i32) -> f32 {\n  return ${value};\n}`);
  }

  /** Writes one half into a buffer of atomic words: its own 16 bits are cleared, then set; the neighbour's never change. */
  writeHalf(l: Layout, element: HalfType): string {
    return this.named(
      `write_${l.name}`,
      (name) => `fn ${name}(index: i32, value: f32) {
  let shift = (u32(index) & 1u) << 4u;
  atomicAnd(&${l.name}[index >> 1u], ~(0xffffu << shift));
  atomicOr(&${l.name}[index >> 1u], ${this.use(`${element}_bits`)}(value) << shift);
}`,
    );
  }

  /** f32 addition on atomic words. */
  atomicAddF32(l: Layout): string {
    return this.named(
      `add_${l.name}`,
      (name) => `fn ${name}(index: i32, value: f32) {
  var old = atomicLoad(&${l.name}[index]);
  loop {
    let swap = atomicCompareExchangeWeak(&${l.name}[index], old, bitcast<u32>(bitcast<f32>(old) + value));
    if (swap.exchanged) {
      break;
    }
    old = swap.old_value;
  }
}`,
    );
  }

  functions(): readonly string[] {
    return [...this.texts.values()];
  }

  /** Constants that WGSL cannot spell, by way of a variable so that they are not constant expressions. */
  prologue(): readonly string[] {
    const bits = { inf: '0x7f800000u', nan: '0x7fc00000u' };
    return [...this.constants].flatMap((c) => [
      `var ${c}_bits = ${bits[c]};`,
      `let ${c} = bitcast<f32>(${c}_bits);`,
    ]);
  }
}
