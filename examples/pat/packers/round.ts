/** Tokens in whole pages. Most page sizes are powers of two, and then there is nothing to divide. */

export const roundUp = (x: number, page: number): number =>
  (page & (page - 1)) === 0 ? (x + page - 1) & -page : Math.ceil(x / page) * page;

export const roundDown = (x: number, page: number): number =>
  (page & (page - 1)) === 0 ? x & -page : Math.floor(x / page) * page;

/** Whole pages in so many tokens. */
export const pagesIn = (x: number, page: number): number =>
  (page & (page - 1)) === 0 ? x >> (31 - Math.clz32(page)) : Math.floor(x / page);
