/** mma.sync.m16n8k16 with the fragment layouts of the PTX ISA ("Matrix Fragments for mma.m16n8k16 with floating point type"). */

const a = new Float32Array(16 * 16);
const b = new Float32Array(16 * 8);

/** Where a warp's operands lie in the scratch arrays: register r of lane l at 32 r + l. */
export const fragment = { a: 0, b: 4, acc: 6, registers: 10 } as const;

/**
 * acc += a * b for one warp. `halves` turns the 16 bits of an element into its value; products are exact, and each
 * result is rounded to f32 once. Lane l has group g = l / 4 and t = l % 4:
 * a0, a1 (register 0): row g, columns 2t, 2t+1; register 1: row g+8; registers 2 and 3: the same rows, columns + 8;
 * b registers 0, 1: rows 2t, 2t+1 and + 8 of column g; acc 0, 1: row g, columns 2t, 2t+1; acc 2, 3: row g+8.
 */
export function mma(halves: Float32Array, bits: Uint32Array, floats: Float32Array): void {
  for (let l = 0; l < 32; l++) {
    const g = l >> 2;
    const t = (l & 3) * 2;
    for (let r = 0; r < 4; r++) {
      const word = bits[32 * (fragment.a + r) + l]!;
      const at = (g + (r & 1) * 8) * 16 + t + (r >> 1) * 8;
      a[at] = halves[word & 0xffff]!;
      a[at + 1] = halves[word >>> 16]!;
    }
    for (let r = 0; r < 2; r++) {
      const word = bits[32 * (fragment.b + r) + l]!;
      const k = t + r * 8;
      b[k * 8 + g] = halves[word & 0xffff]!;
      b[(k + 1) * 8 + g] = halves[word >>> 16]!;
    }
  }
  for (let l = 0; l < 32; l++)
    for (let r = 0; r < 4; r++) {
      const row = (l >> 2) + (r >> 1) * 8;
      const column = (l & 3) * 2 + (r & 1);
      const at = 32 * (fragment.acc + r) + l;
      let sum = floats[at]!;
      for (let k = 0; k < 16; k++) sum += a[row * 16 + k]! * b[k * 8 + column]!;
      floats[at] = sum;
    }
}
