/** One register element of a layout during emission: its coordinates, and which digit is at which value. */
import { add, constI, mul } from '../thread/build.ts';
import type { Expr } from '../thread/nodes.ts';
import type { Digit, Layout } from './layout.ts';

export interface PointDigit extends Digit {
  readonly at: Expr;
}

export interface Point {
  readonly shape: readonly number[];
  readonly coords: readonly Expr[];
  readonly digits: readonly PointDigit[];
  readonly threads: readonly Digit[];
}

const mapPoint = (p: Point, shape: readonly number[], to: (dim: number) => number | null): Point => {
  const coords: Expr[] = shape.map(() => constI(0));
  p.coords.forEach((c, d) => {
    const t = to(d);
    if (t !== null) coords[t] = c;
  });
  return {
    shape,
    coords,
    digits: p.digits.flatMap((d) => {
      const dim = to(d.dim!);
      return dim === null ? [] : [{ ...d, dim }];
    }),
    threads: p.threads.map((d) => (d.dim === null ? d : { ...d, dim: to(d.dim) })),
  };
};

/** The point of a broadcast's operand. */
export const collapsePoint = (p: Point, shape: readonly number[]): Point =>
  mapPoint(p, shape, (d) => (shape[d] === 1 ? null : d));

export const permutePoint = (
  p: Point,
  operandShape: readonly number[],
  permutation: readonly number[],
): Point => mapPoint(p, operandShape, (d) => permutation[d]!);

export const renumberPoint = (p: Point, shape: readonly number[], dims: ReadonlyMap<number, number>): Point =>
  mapPoint(p, shape, (d) => dims.get(d) ?? null);

/** The point of the tile that remains when `axis` is reduced away. */
export const dropAxis = (p: Point, axis: number): Point => {
  const dims = new Map(p.shape.flatMap((_, d) => (d === axis ? [] : [[d, d > axis ? d - 1 : d] as const])));
  return renumberPoint(
    p,
    p.shape.filter((_, d) => d !== axis),
    dims,
  );
};

/** The layout that a point runs through. */
export const layoutOfPoint = (p: Point): Layout => ({
  shape: p.shape,
  threads: p.threads,
  regs: p.digits.map(({ dim, size, stride }) => ({ dim, size, stride })),
});

const sameDimension = (a: readonly Digit[], b: readonly Digit[], dim: number): boolean => {
  const [x, y] = [a, b].map((digits) => {
    const out: string[] = [];
    let weight = 1;
    for (const d of digits) {
      if (d.dim === dim) out.push(`${weight}:${d.size}:${d.stride}`);
      weight *= d.size;
    }
    return out.join();
  });
  return x === y;
};

/** The register of `layout` that holds the element at `p`, or undefined when another thread may hold it. */
export function registerAt(layout: Layout, p: Point): Expr | undefined {
  for (let dim = 0; dim < layout.shape.length; dim++)
    if (!sameDimension(layout.threads, p.threads, dim)) return undefined;
  let index: Expr = constI(0);
  let weight = 1;
  for (const d of layout.regs) {
    const at = p.digits.find((x) => x.dim === d.dim && x.size === d.size && x.stride === d.stride);
    if (!at) return undefined;
    index = add(index, mul(at.at, weight));
    weight *= d.size;
  }
  return index;
}
