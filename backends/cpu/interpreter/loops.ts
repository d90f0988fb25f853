/**
 * Tight loops over typed arrays, made from expressions.
 *
 * A loop is compiled once for each expression and combination of storage, so that every array access in it sees one
 * kind of array: the engine then keeps it as machine code without type dispatch, which a shared generic loop loses.
 */
import { erf, roundBf16, roundF16 } from '../../../compiler/ir/numeric.ts';
import type { Element } from '../../../compiler/ir/nodes.ts';
import type { TileData } from './storage.ts';

const compiled = new Map<string, unknown>();

/** A function from its parameters and body; `storages` only tells apart what must not share type feedback. */
export function compileLoop<F>(
  parameters: readonly string[],
  body: string,
  storages: readonly TileData[],
): F {
  const kinds = storages.map((s) => s.constructor.name).join(' ');
  const key = `${parameters.join()}|${kinds}|${body}`;
  let loop = compiled.get(key) as F | undefined;
  if (!loop) {
    const source = `'use strict'; /* ${kinds} */ return function (${parameters.join(', ')}) { ${body} };`;
    loop = (new Function('erf', 'roundF16', 'roundBf16', source) as (...library: unknown[]) => F)(
      erf,
      roundF16,
      roundBf16,
    );
    compiled.set(key, loop);
  }
  return loop;
}

/** The expression rounded as the element type asks; storing rounds to f32 and wraps integers by itself. */
export function rounded(expression: string, element: Element): string {
  if (element === 'f16') return `roundF16(Math.fround(${expression}))`;
  if (element === 'bf16') return `roundBf16(Math.fround(${expression}))`;
  return expression;
}

export type Elementwise = (from: number, to: number, r: TileData, ...operands: TileData[]) => void;

/** r[i] = expression for i in [from, to), where the operands are called x, y, z. */
export function elementwise(expression: string, r: TileData, operands: readonly TileData[]): Elementwise {
  const names = operands.map((_, i) => 'abc'[i]!);
  const reads = names.map((name, i) => `const ${'xyz'[i]} = ${name}[i];`).join(' ');
  const body = `for (let i = from; i < to; i++) { ${reads} r[i] = ${expression}; }`;
  return compileLoop(['from', 'to', 'r', ...names], body, [r, ...operands]);
}
