/**
 * Compares page lists, which is half of what planning takes. Pages are compared two at a time, as doubles: ids are below 2^30, so no
 * pair of them is the bits of a NaN or of a negative zero, and doubles are equal where both ids are.
 */

/** Byte order of this machine: the upper word of a double is then a whole id. */
const little = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;

/** Byte offsets beyond are not 32-bit integers. */
const mostPages = 1 << 28;

export class PageLists {
  private readonly pages: Int32Array;
  /** None where there are too many pages. */
  private readonly pairs: DataView | undefined;

  constructor(pages: Int32Array) {
    this.pages = pages;
    if (pages.length < mostPages) this.pairs = new DataView(pages.buffer, pages.byteOffset, pages.byteLength);
  }

  /**
   * An i up to `end` before which the lists at a, b, c and d do not differ from the one at `path`. Four lists at once: what is read
   * of the path serves all of them.
   */
  common(path: number, a: number, b: number, c: number, d: number, i: number, end: number): number {
    const { pairs } = this;
    if (!pairs) return i;
    // Distances from the path, in bytes.
    const toA = (4 * (a - path)) | 0;
    const toB = (4 * (b - path)) | 0;
    const toC = (4 * (c - path)) | 0;
    const toD = (4 * (d - path)) | 0;
    let x = (4 * (path + i)) | 0;
    const stop = (4 * (path + end) - 16) | 0;
    while (x <= stop) {
      const pair = pairs.getFloat64(x, little);
      const next = pairs.getFloat64((x + 8) | 0, little);
      if (
        pairs.getFloat64((x + toA) | 0, little) !== pair ||
        pairs.getFloat64((x + toB) | 0, little) !== pair ||
        pairs.getFloat64((x + toC) | 0, little) !== pair ||
        pairs.getFloat64((x + toD) | 0, little) !== pair ||
        pairs.getFloat64((x + toA + 8) | 0, little) !== next ||
        pairs.getFloat64((x + toB + 8) | 0, little) !== next ||
        pairs.getFloat64((x + toC + 8) | 0, little) !== next ||
        pairs.getFloat64((x + toD + 8) | 0, little) !== next
      )
        break;
      x = (x + 16) | 0;
    }
    return (x >> 2) - path;
  }

  /** The first i from `i` on where the lists at a and b differ, or `end`. */
  mismatch(a: number, b: number, i: number, end: number): number {
    const { pages } = this;
    // Behind `common` it is near, as a rule.
    const near = i + 4 < end ? i + 4 : end;
    while (i < near && pages[a + i] === pages[b + i]) i++;
    return i < near ? i : this.farMismatch(a, b, i, end);
  }

  /** Sixteen at a time: most runs are equal throughout. */
  private farMismatch(a: number, b: number, i: number, end: number): number {
    const { pages, pairs } = this;
    if (pairs) {
      // `| 0`: additions that need not be checked for overflow.
      let x = (4 * (a + i)) | 0;
      let y = (4 * (b + i)) | 0;
      const stop = (4 * (a + end) - 64) | 0;
      while (x <= stop) {
        if (
          pairs.getFloat64(x, little) !== pairs.getFloat64(y, little) ||
          pairs.getFloat64((x + 8) | 0, little) !== pairs.getFloat64((y + 8) | 0, little) ||
          pairs.getFloat64((x + 16) | 0, little) !== pairs.getFloat64((y + 16) | 0, little) ||
          pairs.getFloat64((x + 24) | 0, little) !== pairs.getFloat64((y + 24) | 0, little) ||
          pairs.getFloat64((x + 32) | 0, little) !== pairs.getFloat64((y + 32) | 0, little) ||
          pairs.getFloat64((x + 40) | 0, little) !== pairs.getFloat64((y + 40) | 0, little) ||
          pairs.getFloat64((x + 48) | 0, little) !== pairs.getFloat64((y + 48) | 0, little) ||
          pairs.getFloat64((x + 56) | 0, little) !== pairs.getFloat64((y + 56) | 0, little)
        )
          break;
        x = (x + 64) | 0;
        y = (y + 64) | 0;
      }
      i = (x >> 2) - a;
    }
    while (i < end && pages[a + i] === pages[b + i]) i++;
    return i;
  }
}
