/** Factors of products on their way to shared memory: as wide as can be, and right where they cannot. */
import { describe, expect, it } from 'vitest';
import { lowerKernel } from '../../../compiler/lower/index.ts';
import { findTarget } from '../../../compiler/target.ts';
import { walkStmts } from '../../../compiler/thread/build.ts';
import type { Stmt } from '../../../compiler/thread/nodes.ts';
import type { KernelContext, Tile } from '../../../dsl/index.ts';
import { everywhere, makeCase } from '../../support/corpus.ts';
import { disagreements, simulator, type Case } from '../../support/executors.ts';

type Matrix = Tile<'f16', readonly [number, number]>;
const block = (
  k: KernelContext,
  name: string,
  element: 'f16' | 'f32',
  dims: readonly number[],
  shape: [number, number],
  options: object = {},
): Matrix => k.input(name, element, dims).load(everywhere(k, shape), options) as Matrix;

const product = (
  name: string,
  factors: (k: KernelContext) => [Matrix, Matrix],
  tile: Record<string, number> = {},
): Case => {
  const c = makeCase(name, (k) => {
    const [a, b] = factors(k);
    const sum = k.dot(a, b as never) as Tile<'f32'>;
    k.output('y', 'f32', sum.shape as number[]).store(everywhere(k, sum.shape as number[]), sum);
  });
  return { ...c, kernel: { ...c.kernel, tile } };
};

/** Bytes of asynchronous copies, and words of others, by tensor. */
const copies = (c: Case, name: string, target = 'cuda:sm_80'): Set<string> => {
  const found = new Set<string>();
  const visit = (s: Stmt): void => {
    if (s.s === 'cpAsync' && s.from.name === name) found.add(`async ${s.bytes}`);
    if (s.s === 'loadGlobalWords' && s.buffer.name === name) found.add(`words ${s.dst.length}`);
    if (s.s === 'storeShared' && s.buffer.name === name && s.values.length === 1) found.add('single stores');
  };
  walkStmts(lowerKernel(c.kernel, findTarget(target)!).body, visit);
  return found;
};

const right = async (c: Case, targets = ['cuda:sm_80', 'wgsl', 'wgsl:f16']): Promise<void> => {
  for (const target of targets) expect(await disagreements(c, [simulator(target)]), target).toEqual([]);
};

describe('the width of a copy', () => {
  const w = (k: KernelContext): Matrix => block(k, 'w', 'f16', [64, 16], [64, 16]);
  const x = (columns: number, element: 'f16' | 'f32' = 'f16') =>
    product('x', (k) => [
      block(k, 'x', element, [32, columns], [32, 64]),
      element === 'f16' ? w(k) : block(k, 'w', 'f32', [64, 16], [64, 16]),
    ]);
  it.each([
    [64, 'f16', ['async 16'], 'words 4'],
    // Of wider rows: as far as they are aligned. Less than 16 bytes cannot be asynchronous into swizzled rows.
    [72, 'f16', ['async 16'], 'words 4'],
    [68, 'f16', ['words 2'], 'words 2'],
    [66, 'f16', ['words 1', 'single stores'], 'words 1'],
    // Rows of f32 are padded by a word, which wider copies cannot follow asynchronously.
    [64, 'f32', ['words 4', 'single stores'], 'words 4'],
    [66, 'f32', ['words 2', 'single stores'], 'words 2'],
    [65, 'f32', ['async 4'], 'words 1'],
  ] as const)('rows of %i %s: %j, in WGSL %s', async (columns, element, cuda, wgsl) => {
    const c = x(columns, element);
    expect(copies(c, 'x')).toEqual(new Set(cuda));
    expect(copies(c, 'x', 'wgsl')).toEqual(new Set([wgsl, 'single stores']));
    await right(c);
  });
  it.each([
    // Rows that the threads do not go into evenly, and fewer runs than threads.
    [32, 96],
    [16, 48],
    [48, 32],
    [64, 256],
  ])('%i rows of %i', async (rows, columns) => {
    const c = product('shapes', (k) => [
      block(k, 'x', 'f16', [rows, columns], [rows, columns]),
      block(k, 'w', 'f16', [columns, 8], [columns, 8]),
    ]);
    expect(copies(c, 'x')).toEqual(new Set(['async 16']));
    await right(c, columns > 128 ? ['cuda:sm_80'] : undefined);
  });
  it('rows that are no whole number of words are copied by elements', async () => {
    const c = x(67);
    expect([...copies(c, 'x')]).toEqual(['single stores']);
    await right(c);
  });
});

describe('what a mask leaves out', () => {
  const masked = (other: number | undefined, row: boolean) =>
    product('masked', (k) => {
      const [r, c] = everywhere(k, [32, 64]) as [Tile<'i32'>, Tile<'i32'>];
      const mask = row ? r.lt(21) : c.lt(37);
      const options = { mask, ...(other === undefined ? {} : { other }) };
      return [block(k, 'x', 'f16', [32, 64], [32, 64], options), block(k, 'w', 'f16', [64, 16], [64, 16])];
    });
  it.each([undefined, 0])('is 0 by an asynchronous copy: %s', async (other) => {
    expect(copies(masked(other, true), 'x')).toEqual(new Set(['async 16']));
    await right(masked(other, true));
  });
  it('is what the author says, by elements', async () => {
    expect(copies(masked(2, true), 'x').has('async 16')).toBe(false);
    await right(masked(2, true));
    await right(masked(2, false));
  });
  it('may begin inside a run', async () => {
    expect(copies(masked(undefined, false), 'x').has('async 16')).toBe(false);
    await right(masked(undefined, false));
  });
});

it.each([
  [48, 'cuda:sm_80'],
  [64, 'cuda:sm_80'],
  [80, 'cuda:sm_80'],
  [32, 'wgsl'],
  [40, 'wgsl'],
] as const)('more rounds than are unrolled together: %i rows by one warp, %s', async (rows, target) => {
  const c = product(
    'rounds',
    (k) => [block(k, 'x', 'f16', [rows, 128], [rows, 128]), block(k, 'w', 'f16', [128, 8], [128, 8])],
    { warps: 1 },
  );
  await right(c, [target]);
});
