/**
 * Tokens in whole pages. Most page sizes are powers of two, and then there is nothing to divide; what divides is kept apart, so that
 * the rest is short enough for engines to inline everywhere.
 */

export const roundUp = (x: number, page: number): number =>
  page & (page - 1) ? ceiling(x, page) * page : (x + page - 1) & -page;

export const roundDown = (x: number, page: number): number =>
  page & (page - 1) ? floor(x, page) * page : x & -page;

/** Whole pages in so many tokens. */
export const pagesIn = (x: number, page: number): number =>
  page & (page - 1) ? floor(x, page) : x >> (31 - Math.clz32(page));

const ceiling = (x: number, page: number): number => Math.ceil(x / page);

const floor = (x: number, page: number): number => Math.floor(x / page);
