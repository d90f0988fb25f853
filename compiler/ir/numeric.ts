/**
 * Numbers as the element types hold them: half conversions, and host arrays that hold tensors.
 *
 * Halves are computed with integer operations on the f32 bits, so they are the same on every engine.
 */
export { erf } from './erf.ts';
export { Random } from './random.ts';

/** What a host array can hold; a bool tile never reaches memory. */
export type HostElement = 'f32' | 'f16' | 'bf16' | 'i32' | 'u32';
export type HostArray = Float32Array | Int32Array | Uint32Array | Uint16Array;

const scratchFloat = new Float32Array(1);
const scratchBits = new Uint32Array(scratchFloat.buffer);

/**
 * The f32 bits of x rounded to odd: the last bit is sticky for everything below it, so that rounding to a half from
 * here equals rounding once from x (Boldo and Melquiond, "When double rounding is odd"). x is not NaN.
 */
function oddBits(x: number): number {
  scratchFloat[0] = x;
  const nearest = scratchFloat[0];
  let bits = scratchBits[0]!;
  if (nearest !== x) {
    if (Math.abs(nearest) > Math.abs(x)) bits -= 1;
    bits |= 1;
  }
  return bits >>> 0;
}

/** IEEE 754 binary16 bits of x, to nearest even; NaN becomes 0x7e00, overflow infinity. */
export function encodeF16(x: number): number {
  if (x !== x) return 0x7e00;
  const bits = oddBits(x);
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  // 65520 is half way between the largest f16 and the next power of two: it and all above round to infinity.
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude >= 0x38800000) {
    const even = (magnitude >>> 13) & 1;
    return sign | ((magnitude - 0x38000000 + 0xfff + even) >>> 13);
  }
  // Subnormal: units of 2^-24. Below 2^-26 everything is 0.
  if (magnitude < 0x32800000) return sign;
  const significand = (magnitude & 0x7fffff) | 0x800000;
  const shift = 126 - (magnitude >>> 23);
  const kept = significand >>> shift;
  const rest = significand & ((1 << shift) - 1);
  const half = 1 << (shift - 1);
  return sign | (kept + (rest > half || (rest === half && (kept & 1) === 1) ? 1 : 0));
}

/** The number that binary16 bits stand for. */
export function decodeF16(bits: number): number {
  const exponent = (bits >>> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  const sign = (bits & 0x8000) << 16;
  if (exponent === 0) return sign ? -fraction * 2 ** -24 : fraction * 2 ** -24;
  scratchBits[0] = sign | (exponent === 0x1f ? 0x7f800000 : (exponent + 112) << 23) | (fraction << 13);
  return scratchFloat[0]!;
}

/** bfloat16 bits of x, to nearest even; NaN becomes 0x7fc0, overflow infinity. */
export function encodeBf16(x: number): number {
  if (x !== x) return 0x7fc0;
  const bits = oddBits(x);
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

/** The number that bfloat16 bits stand for. */
export function decodeBf16(bits: number): number {
  scratchBits[0] = bits << 16;
  return scratchFloat[0]!;
}

/** x rounded to the nearest f16, ties to even, still a number. */
export function roundF16(x: number): number {
  const magnitude = Math.abs(x);
  // Normal range: keep the f32 sign and exponent and round 13 fraction bits away.
  if (magnitude >= 2 ** -14 && magnitude < 65520) {
    const bits = oddBits(x);
    scratchBits[0] = (bits + 0xfff + ((bits >>> 13) & 1)) & 0xffffe000;
    return scratchFloat[0]!;
  }
  return decodeF16(encodeF16(x));
}

/** x rounded to the nearest bf16, ties to even, still a number. */
export function roundBf16(x: number): number {
  if (x !== x) return x;
  const bits = oddBits(x);
  scratchBits[0] = (bits + 0x7fff + ((bits >>> 16) & 1)) & 0xffff0000;
  return scratchFloat[0]!;
}

/** x as an element of that type holds it: floats round to nearest even, integers truncate and wrap at 32 bits. */
export function roundTo(element: HostElement, x: number): number {
  switch (element) {
    case 'f32':
      return Math.fround(x);
    case 'f16':
      return roundF16(x);
    case 'bf16':
      return roundBf16(x);
    case 'i32':
      return x | 0;
    case 'u32':
      return x >>> 0;
  }
}

/** Largest relative error of one rounding to the type (half a unit in the last place). */
export const unitRoundoff = (element: HostElement): number =>
  ({ f32: 2 ** -24, f16: 2 ** -11, bf16: 2 ** -8, i32: 0, u32: 0 })[element];

// ---------------------------------------------------------------- host arrays

/** Zeroed storage for `length` elements; halves are stored as their bits. */
export function allocate(element: HostElement, length: number): HostArray {
  switch (element) {
    case 'f32':
      return new Float32Array(length);
    case 'i32':
      return new Int32Array(length);
    case 'u32':
      return new Uint32Array(length);
    default:
      return new Uint16Array(length);
  }
}

/** Numbers to storage, rounding to the element. */
export function encodeArray(element: HostElement, values: ArrayLike<number>): HostArray {
  const out = allocate(element, values.length);
  if (element === 'f16') for (let i = 0; i < out.length; i++) out[i] = encodeF16(values[i]!);
  else if (element === 'bf16') for (let i = 0; i < out.length; i++) out[i] = encodeBf16(values[i]!);
  else out.set(values);
  return out;
}

/** Storage to the numbers it stands for; exact for every element. */
export function decodeArray(element: HostElement, data: HostArray): Float64Array {
  if (element !== 'f16' && element !== 'bf16') return Float64Array.from(data);
  const decode = element === 'f16' ? decodeF16 : decodeBf16;
  const out = new Float64Array(data.length);
  for (let i = 0; i < out.length; i++) out[i] = decode(data[i]!);
  return out;
}

// A quiet NaN that no arithmetic produces, or an unlikely integer.
const poisonPattern = { f32: 0x7fdeadbe, f16: 0x7fad, bf16: 0x7fde, i32: 0x7fdeadbe, u32: 0x7fdeadbe };

/** Storage for an output, filled so that an element nobody wrote shows (see countUnwritten). */
export function poisoned(element: HostElement, length: number): HostArray {
  const out = allocate(element, length);
  const bits = out instanceof Float32Array ? new Uint32Array(out.buffer) : out;
  bits.fill(poisonPattern[element]);
  return out;
}

/** How many elements of an output still hold the poison or are NaN. */
export function countUnwritten(element: HostElement, data: HostArray): number {
  let count = 0;
  if (element === 'f16' || element === 'bf16') {
    // Beyond infinity, whatever the sign; decoding millions of elements would take most of a check's time.
    const infinity = element === 'f16' ? 0x7c00 : 0x7f80;
    for (let i = 0; i < data.length; i++) if ((data[i]! & 0x7fff) > infinity) count++;
    return count;
  }
  const integer = element === 'i32' || element === 'u32';
  for (let i = 0; i < data.length; i++) {
    const x = data[i]!;
    if (integer ? x === poisonPattern[element] : x !== x) count++;
  }
  return count;
}
