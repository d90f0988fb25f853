/** Where elements of a tile lie in shared memory: each at a place of its own, and in banks that do not meet. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { elementBytes } from '../../../compiler/ir/nodes.ts';
import { elementOffset, offsetOf, rowPitch } from '../../../compiler/lower/shared-layout.ts';
import type { SharedTile } from '../../../compiler/lower/values.ts';
import { constI, intOf } from '../../../compiler/thread/build.ts';
import type { Span } from '../../../compiler/ir/span.ts';

const span: Span = { file: 'kernel.ts', line: 1, column: 1 };

function tileOf(element: 'f16' | 'f32', rows: number, columns: number, matrix: boolean): SharedTile {
  const { pitch, swizzle } = rowPitch(element, columns, matrix);
  return {
    form: 'shared',
    buffer: { id: 0, name: 't', element, bytes: rows * pitch, offset: 0, span, note: '' },
    rows,
    columns,
    element,
    pitch,
    ...(swizzle ? { swizzle } : {}),
    base: constI(0),
    transposed: false,
  };
}

const shapes = fc.record({
  element: fc.constantFrom('f16' as const, 'f32' as const),
  rows: fc.integer({ min: 1, max: 20 }),
  columns: fc.integer({ min: 1, max: 160 }),
});

it('every element has bytes of its own, inside the tile', () =>
  fc.assert(
    fc.property(shapes, fc.boolean(), ({ element, rows, columns }, matrix) => {
      const t = tileOf(element, rows, columns, matrix);
      const places = new Set<number>();
      for (let r = 0; r < rows; r++)
        for (let c = 0; c < columns; c++) places.add(intOf(elementOffset(t, constI(r), constI(c)))!);
      expect(places.size).toBe(rows * columns);
      expect(Math.min(...places)).toBeGreaterThanOrEqual(0);
      expect(Math.max(...places) + elementBytes(element)).toBeLessThanOrEqual(rows * t.pitch);
    }),
    { numRuns: 60 },
  ));

describe('matrix instructions', () => {
  it.each([8, 16, 24, 32, 40, 48, 56, 64, 72, 80, 96, 112, 128, 192, 256])(
    'read eight rows of %i halves without a bank conflict, 16 bytes each',
    (columns) => {
      const t = tileOf('f16', 32, columns, true);
      expect(t.pitch % 16).toBe(0);
      for (let row = 0; row < 32; row += 8)
        for (let c = 0; c < columns; c += 8) {
          const at = Array.from({ length: 8 }, (_, i) => intOf(offsetOf(t, constI(row + i), constI(c)))!);
          expect(new Set(at.map((x) => (x / 16) % 8)).size, `rows from ${row}, column ${c}`).toBe(8);
          for (const x of at) expect(x % 16).toBe(0);
        }
    },
  );
  it('rows that fill whole wavefronts are swizzled and cost no padding', () => {
    for (const columns of [16, 32, 64, 128, 192])
      expect(rowPitch('f16', columns, true).pitch).toBe(2 * columns);
  });
});

it('other tiles are padded by one word, so that a column is spread over the banks', () => {
  expect(rowPitch('f32', 64, false)).toEqual({ pitch: 260 });
  expect(rowPitch('f16', 128, false)).toEqual({ pitch: 260 });
  expect(rowPitch('f16', 5, false)).toEqual({ pitch: 16 });
});
