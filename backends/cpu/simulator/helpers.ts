/** Functions and tables that compiled kernels call. */
import {
  decodeBf16,
  decodeF16,
  encodeBf16,
  encodeF16,
  erf,
  roundBf16,
  roundF16,
} from '../../../compiler/ir/numeric.ts';
import { bitsFloat, floatBits } from './global.ts';
import { mma } from './matrix.ts';
import { leftRows } from './wgmma.ts';

const table = (decode: (bits: number) => number): Float32Array =>
  Float32Array.from({ length: 65536 }, (_, bits) => decode(bits));
/** Halves as numbers, by their bits. */
export const f16 = table(decodeF16);
export const bf16 = table(decodeBf16);

const clamp = (x: number, lo: number, hi: number): number =>
  x !== x ? 0 : x <= lo ? lo : x >= hi ? hi : Math.trunc(x);

export const helpers = {
  fr: Math.fround,
  imul: Math.imul,
  toI32: (x: number): number => clamp(x, -2147483648, 2147483647),
  toU32: (x: number): number => clamp(x, 0, 4294967295),
  floatBits,
  bitsFloat,
  packF16: (lo: number, hi: number): number => (encodeF16(lo) | (encodeF16(hi) << 16)) >>> 0,
  packBf16: (lo: number, hi: number): number => (encodeBf16(lo) | (encodeBf16(hi) << 16)) >>> 0,
  encodeF16,
  encodeBf16,
  roundF16,
  roundBf16,
  f16,
  bf16,
  erf,
  leftRows,
  mmaF16: (bits: Uint32Array, floats: Float32Array): void => mma(f16, bits, floats),
  mmaBf16: (bits: Uint32Array, floats: Float32Array): void => mma(bf16, bits, floats),
};
