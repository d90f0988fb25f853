/**
 * Distributed layouts: which thread holds which element of a tile, in which register.
 *
 * A layout is a mixed-radix number: thread id and register index are split into digits (least significant first), and
 * each digit advances the coordinate of one tile dimension by its stride. A thread digit without a dimension means that
 * the threads it counts hold copies. Mixed radix rather than bits (Triton's linear layouts), so that head dims such as 80
 * or 96 need no padding; thread digits are powers of two, so a digit is a field of lane and warp bits.
 */
export interface Digit {
  readonly dim: number | null;
  readonly size: number;
  readonly stride: number;
}

export interface Layout {
  readonly shape: readonly number[];
  readonly threads: readonly Digit[];
  readonly regs: readonly Digit[];
}

export const digit = (dim: number | null, size: number, stride: number): Digit => ({ dim, size, stride });

export const product = (xs: readonly { size: number }[]): number => xs.reduce((a, d) => a * d.size, 1);
export const regCount = (l: Layout): number => product(l.regs);

const tidy = (l: Layout): Layout => ({ ...l, regs: l.regs.filter((d) => d.size > 1) });

export const makeLayout = (
  shape: readonly number[],
  threads: readonly Digit[],
  regs: readonly Digit[],
): Layout => tidy({ shape, threads: threads.filter((d) => d.size > 1), regs });

const mapDims = (l: Layout, shape: readonly number[], to: (dim: number) => number | null): Layout =>
  tidy({
    shape,
    threads: l.threads.map((d) => (d.dim === null ? d : { ...d, dim: to(d.dim) })),
    regs: l.regs.flatMap((d) => {
      const dim = to(d.dim!);
      return dim === null ? [] : [{ ...d, dim }];
    }),
  });

/** The layout of what remains when `axis` is reduced away: threads along it hold copies. */
export const sliceLayout = (l: Layout, axis: number): Layout =>
  mapDims(
    l,
    l.shape.filter((_, i) => i !== axis),
    (d) => (d === axis ? null : d > axis ? d - 1 : d),
  );

/** The layout of the operand that broadcasts (extent 1 where stretched) to a tile laid out as `l`. */
export const collapseLayout = (l: Layout, shape: readonly number[]): Layout =>
  mapDims(l, shape, (d) => (shape[d] === 1 ? null : d));

export const permuteLayout = (l: Layout, permutation: readonly number[]): Layout =>
  mapDims(
    l,
    permutation.map((p) => l.shape[p]!),
    (d) => permutation.indexOf(d),
  );

/** Maps non-unit dimensions of `from` to those of `to` in order; undefined if a reshape does more than that. */
export function unitReshape(
  from: readonly number[],
  to: readonly number[],
): ReadonlyMap<number, number> | undefined {
  const dims = (s: readonly number[]) => s.flatMap((x, i) => (x === 1 ? [] : [i]));
  const a = dims(from);
  const b = dims(to);
  if (a.length !== b.length || a.some((d, i) => from[d] !== to[b[i]!])) return undefined;
  return new Map(a.map((d, i) => [d, b[i]!]));
}

export const reshapeLayout = (l: Layout, shape: readonly number[]): Layout | undefined => {
  const dims = unitReshape(l.shape, shape);
  return dims && mapDims(l, shape, (d) => dims.get(d) ?? null);
};

const sameDigits = (a: readonly Digit[], b: readonly Digit[]): boolean =>
  a.length === b.length &&
  a.every(
    (d, i) => d.dim === b[i]!.dim && d.size === b[i]!.size && (d.dim === null || d.stride === b[i]!.stride),
  );

const mergeCopies = (threads: readonly Digit[]): Digit[] => {
  const out: Digit[] = [];
  for (const d of threads) {
    const last = out.at(-1);
    if (d.dim === null && last?.dim === null) out[out.length - 1] = digit(null, last.size * d.size, 0);
    else out.push(d);
  }
  return out;
};

export const sameLayout = (a: Layout, b: Layout): boolean =>
  a.shape.length === b.shape.length &&
  a.shape.every((x, i) => x === b.shape[i]) &&
  sameDigits(mergeCopies(a.threads), mergeCopies(b.threads)) &&
  sameDigits(a.regs, b.regs);

const powerOfTwoPart = (n: number): number => n & -n;

/**
 * Rows over threads with the innermost dimension fastest, `vector` consecutive elements per thread: coalesced for global
 * memory. Threads that find no element hold copies.
 */
export function blockedLayout(shape: readonly number[], threads: number, vector: number): Layout {
  const threadDigits: Digit[] = [];
  const regs: Digit[] = [];
  let left = threads;
  for (let dim = shape.length - 1; dim >= 0; dim--) {
    const extent = shape[dim]!;
    const v = dim === shape.length - 1 ? Math.min(vector, powerOfTwoPart(extent)) : 1;
    const here = Math.min(left, powerOfTwoPart(extent / v));
    if (v > 1) regs.push(digit(dim, v, 1));
    if (here > 1) threadDigits.push(digit(dim, here, v));
    const rest = extent / v / here;
    if (rest > 1) regs.push(digit(dim, rest, v * here));
    left /= here;
  }
  if (left > 1) threadDigits.push(digit(null, left, 0));
  return makeLayout(shape, threadDigits, regs);
}

/**
 * The f32 accumulator of mma.sync.m16n8k16 (PTX ISA, "Matrix fragments for mma.m16n8k16"), warps on a warpsM x warpsN
 * grid, each with one contiguous block of rows and columns. Register order: column pair, row half, n8 tile, m16 tile.
 */
export function mmaLayout(m: number, n: number, warpsM: number, warpsN: number): Layout {
  const tilesM = m / 16 / warpsM;
  const tilesN = n / 8 / warpsN;
  return makeLayout(
    [m, n],
    [digit(1, 4, 2), digit(0, 8, 1), digit(0, warpsM, 16 * tilesM), digit(1, warpsN, 8 * tilesN)],
    [digit(1, 2, 1), digit(0, 2, 8), digit(1, tilesN, 8), digit(0, tilesM, 16)],
  );
}

/** A grid of rowThreads x columnThreads threads, each with a block of strided rows and strided column pairs. */
export function gridLayout(
  m: number,
  n: number,
  rowThreads: number,
  columnThreads: number,
  copies: number,
): Layout {
  const perRow = n / columnThreads;
  const pair = perRow % 2 === 0 ? 2 : 1;
  return makeLayout(
    [m, n],
    [digit(1, columnThreads, pair), digit(0, rowThreads, 1), digit(null, copies, 0)],
    [digit(1, pair, 1), digit(1, perRow / pair, pair * columnThreads), digit(0, m / rowThreads, rowThreads)],
  );
}
