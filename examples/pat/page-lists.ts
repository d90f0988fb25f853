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
  private readonly pairs: DataView;

  constructor(pages: Int32Array) {
    this.pages = pages;
    this.pairs = new DataView(
      pages.buffer,
      pages.byteOffset,
      pages.length < mostPages ? pages.byteLength : 0,
    );
  }

  /** The first i from `i` on where the lists at a and b differ, or `end`. Sixteen at a time: most runs are equal throughout. */
  mismatch(a: number, b: number, i: number, end: number): number {
    const { pages, pairs } = this;
    if (pairs.byteLength > 0) {
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
