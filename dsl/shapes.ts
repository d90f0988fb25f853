/**
 * Shapes at type level. Only extents that are literals (or unions of literals, from `tune`) are checked by tsc; an extent
 * typed `number` becomes `any`, which unifies with everything. The trace-time checker is the one that decides.
 */
import type { Element } from '../compiler/ir/nodes.ts';

// `any` is meant: it is the one type that unifies both ways with a literal.
/* eslint-disable @typescript-eslint/no-explicit-any */
export type Shape = readonly any[];
type IsAny<T> = 0 extends 1 & T ? true : false;

/** An extent as tiles carry it. */
export type Extent<N> = IsAny<N> extends true ? any : number extends N ? any : N;

/** Extents as tiles carry them, from a tuple of numbers. */
export type Extents<D extends readonly number[]> = number extends D['length']
  ? any
  : { readonly [I in keyof D]: Extent<D[I]> };

/** What an operand needs to be accepted: comparing two props keeps tsc's messages to the point. */
export interface Shaped<E extends Element = any, S extends Shape = any> {
  readonly element: E;
  readonly shape: S;
}

/** What may meet a tile of shape S in an elementwise op: the same extents or 1. */
export type Stretched<S extends Shape> =
  IsAny<S> extends true
    ? any
    : { readonly [I in keyof S]: IsAny<S[I]> extends true ? any : S[I] extends 1 ? any : S[I] | 1 };

/** The other side of an elementwise op: a number, a scalar tile, or a tile that stretches. */
export type Operand<E extends Element, S extends Shape> =
  number | (S extends readonly [] ? Shaped<E> : Shaped<E, readonly []> | Shaped<E, Stretched<S>>);

/** The shape of an elementwise result. */
export type Joined<S extends Shape, B> =
  IsAny<S> extends true
    ? any
    : B extends { readonly shape: infer T extends Shape }
      ? IsAny<T> extends true
        ? any
        : S extends readonly []
          ? T
          : T extends readonly []
            ? S
            : { readonly [I in keyof S]: I extends keyof T ? Wider<S[I], T[I]> : S[I] }
      : S;
type Wider<A, B> = IsAny<A> extends true ? any : [A] extends [1] ? B : A;

/** S with an extent of 1 inserted at a literal axis. */
export type Expanded<S extends Shape, A extends number> =
  IsAny<S> extends true
    ? any
    : A extends 0
      ? readonly [1, ...S]
      : A extends 1
        ? S extends readonly [infer X, ...infer R]
          ? readonly [X, 1, ...R]
          : any
        : A extends 2
          ? S extends readonly [infer X, infer Y, ...infer R]
            ? readonly [X, Y, 1, ...R]
            : any
          : any;

/** S without a literal axis. */
export type Reduced<S extends Shape, A extends number> =
  IsAny<S> extends true
    ? any
    : number extends A
      ? any
      : A extends 0
        ? S extends readonly [any, ...infer R]
          ? readonly [...R]
          : any
        : A extends 1
          ? S extends readonly [infer X, any, ...infer R]
            ? readonly [X, ...R]
            : any
          : A extends 2
            ? S extends readonly [infer X, infer Y, any, ...infer R]
              ? readonly [X, Y, ...R]
              : any
            : any;

/** The transpose of a matrix. */
export type Turned<S extends Shape> = S extends readonly [infer M, infer N] ? readonly [N, M] : any;

/** The shape that index tiles span together; any where the indices are not a tuple. */
export type Gathered<I extends readonly unknown[], Acc extends Shape = readonly []> = I extends readonly [
  infer X,
  ...infer R,
]
  ? X extends number
    ? Gathered<R, Acc>
    : X extends Shaped
      ? Gathered<R, Joined<Acc, X>>
      : any
  : I extends readonly []
    ? Acc
    : any;
