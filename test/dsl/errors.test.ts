/** Every mistake that tracing catches: the code, and the words that say what is wrong. */
import { describe, expect, it } from 'vitest';
import { PatcError } from '../../compiler/diagnostics/error.ts';
import { kernel, tune, type KernelContext } from '../../dsl/index.ts';

/* eslint-disable @typescript-eslint/no-explicit-any -- the mistakes are ones that tsc also catches */
type Body = (k: any) => unknown;

function errorOf(run: () => unknown): PatcError {
  try {
    run();
  } catch (error) {
    if (error instanceof PatcError) return error;
    throw error;
  }
  throw new Error('no error was raised');
}

const trace = (body: Body): PatcError =>
  errorOf(() => kernel('mistake', {}, body as (k: KernelContext) => void).trace({}, {}));

const rows: readonly [string, string, Body][] = [
  // Shapes.
  ['PAT0101', 'add: shapes do not fit, tile<4xi32> and tile<5xi32>', (k) => k.iota(4).add(k.iota(5))],
  ['PAT0101', 'shapes do not fit', (k) => k.zeros([4, 4]).add(k.zeros([4]))],
  [
    'PAT0101',
    'where: shapes do not fit',
    (k) =>
      k
        .iota(4)
        .lt(1)
        .where(k.zeros([5]), 0),
  ],
  ['PAT0101', 'tile<4xf32> does not broadcast to tile<4x4xf32>', (k) => k.zeros([4]).broadcast([4, 4])],
  ['PAT0101', 'tile<4xf32> has 4, tile<5xf32> has 5', (k) => k.zeros([4]).reshape([5])],
  ['PAT0101', '.T is of matrices', (k) => k.zeros([4]).T],
  ['PAT0101', 'multiplies two matrices', (k) => k.dot(k.zeros([4]), k.zeros([4, 4]))],
  [
    'PAT0101',
    'the accumulator is tile<4x5xf32>',
    (k) => k.dot(k.zeros([4, 4]), k.zeros([4, 4]), k.zeros([4, 5])),
  ],
  ['PAT0101', 'has 2 dimensions [4, 4], but 1 indices', (k) => k.input('x', 'f32', [4, 4]).load([0])],
  ['PAT0101', 'do not fit together', (k) => k.input('x', 'f32', [4, 4]).load([k.iota(4), k.iota(5)])],
  [
    'PAT0101',
    'the mask is tile<5xbool>',
    (k) => k.input('x', 'f32', [4]).load([k.iota(4)], { mask: k.iota(5).lt(1) }),
  ],
  ['PAT0101', 'does not stretch to [4]', (k) => k.output('x', 'f32', [4]).store([k.iota(5)], k.zeros([4]))],
  ['PAT0101', '1 dimensions but 2 strides', (k) => k.input('x', 'f32', [4], { strides: [4, 1] })],
  ['PAT0101', '`to` is tile<4xi32>', (k) => k.loop({ to: k.iota(4) }, {}, () => {})],
  [
    'PAT0101',
    'share the extent of axis 0',
    (k) => k.rows({ to: 1 }, { a: k.zeros([4]), b: k.zeros([5]) }, (c: any) => c),
  ],
  ['PAT0101', 'share the extent of axis 0', (k) => k.rows({ to: 1 }, { a: k.const(1) }, (c: any) => c)],
  ['PAT0101', 'the condition is tile<4xbool>', (k) => k.when(k.iota(4).lt(1), () => {})],
  // Elements.
  ['PAT0102', 'elements differ, i32 and f32', (k) => k.iota(4).add(k.zeros([4]))],
  ['PAT0102', '1.5 cannot be of type i32', (k) => k.iota(4).add(1.5)],
  ['PAT0102', 'outside -2147483648', (k) => k.iota(4).add(2 ** 31)],
  ['PAT0102', 'NaN is not allowed', (k) => k.zeros([4]).add(NaN)],
  ['PAT0102', 'true cannot be of type f32', (k) => k.zeros([4]).add(true)],
  ['PAT0102', 'exp takes a float', (k) => k.iota(4).exp()],
  ['PAT0102', 'neg takes a signed number', (k) => k.iota(4).cast('u32').neg()],
  ['PAT0102', 'not takes bool', (k) => k.iota(4).not()],
  ['PAT0102', 'and takes an integer or bool', (k) => k.zeros([4]).and(k.zeros([4]))],
  ['PAT0102', 'lt takes numbers', (k) => k.iota(4).lt(1).lt(k.iota(4).lt(2))],
  ['PAT0102', 'reduce takes numbers', (k) => k.iota(4).lt(1).reduceSum(0)],
  ['PAT0102', 'cast to bool does not exist', (k) => k.iota(4).cast('bool')],
  ['PAT0102', 'dot takes floats', (k) => k.dot(k.zeros([4, 4], 'i32'), k.zeros([4, 4], 'i32'))],
  ['PAT0102', 'accumulates in f32', (k) => k.dot(k.zeros([4, 4]), k.zeros([4, 4]), k.zeros([4, 4], 'f16'))],
  ['PAT0102', 'an index is i32', (k) => k.input('x', 'f32', [4]).load([k.zeros([4])])],
  [
    'PAT0102',
    'the mask is tile<4xi32>',
    (k) => k.input('x', 'f32', [4]).load([k.iota(4)], { mask: k.iota(4) }),
  ],
  [
    'PAT0102',
    '`other` is f16',
    (k) => k.input('x', 'f32', [4]).load([k.iota(4)], { mask: k.iota(4).lt(1), other: k.const(0, 'f16') }),
  ],
  [
    'PAT0102',
    'it holds f32, the value is tile<4xi32>',
    (k) => k.output('x', 'f32', [4]).store([k.iota(4)], k.iota(4)),
  ],
  ['PAT0102', 'atomics take i32 or u32', (k) => k.inout('x', 'f16', [4]).atomicAdd([0], 1)],
  ['PAT0102', 'atomics take i32 or u32', (k) => k.inout('x', 'f32', [4]).atomicMax([0], 1)],
  ['PAT0102', "scalar `s` is 'f16'", (k) => k.scalar('s', 'f16')],
  ['PAT0102', 'the condition is i32', (k) => k.when(k.programId(0), () => {})],
  [
    'PAT0102',
    'the count that `trips` returns is f32',
    (k) => k.ragged({ to: 1, trips: () => k.const(1) }, {}, () => {}),
  ],
  // JavaScript arithmetic.
  ['PAT0104', 'in JavaScript arithmetic or comparison', (k) => k.iota(4) + 1],
  ['PAT0104', 'in JavaScript arithmetic or comparison', (k) => k.iota(4) < 1],
  ['PAT0104', 'as a string', (k) => `${k.iota(4)}`],
  ['PAT0104', 'tile<4xi32>', (k) => Math.max(k.iota(4), 1)],
  // Scopes.
  [
    'PAT0108',
    'used outside the region',
    (k) => {
      let inner: any;
      k.loop({ to: 3 }, {}, (i: any) => {
        inner = i;
      });
      return inner.add(1);
    },
  ],
  [
    'PAT0108',
    '`made` is used outside the region',
    (k) => {
      let kept: any;
      k.when(k.programId(0).eq(0), () => {
        const made = k.iota(4).add(2);
        kept = made;
      });
      return kept.add(1);
    },
  ],
  [
    'PAT0108',
    'belongs to another trace (kernel `other`)',
    (k) => {
      let foreign: any;
      kernel('other', {}, (inner) => void (foreign = inner.iota(4))).trace({}, {});
      return k.iota(4).add(foreign);
    },
  ],
  // Carried values.
  [
    'PAT0109',
    'must return the record { a }, not { b }',
    (k) => k.loop({ to: 1 }, { a: k.const(1) }, ({}, { a }: any) => ({ b: a })),
  ],
  ['PAT0109', 'returns undefined', (k) => k.loop({ to: 1 }, { a: k.const(1) }, () => {})],
  ['PAT0109', 'returns an array', (k) => k.loop({ to: 1 }, { a: k.const(1) }, () => [])],
  ['PAT0109', 'changes type', (k) => k.loop({ to: 1 }, { a: k.const(1) }, () => ({ a: k.zeros([4]) }))],
  ['PAT0109', 'there must be another', (k) => k.when(k.programId(0).eq(0), () => ({ a: k.const(1) }))],
  [
    'PAT0109',
    'the other branch must return',
    (k) =>
      k.when(
        k.programId(0).eq(0),
        () => ({ a: k.const(1) }),
        () => ({}),
      ),
  ],
  // Operands.
  ['PAT0110', 'the right operand of add is undefined', (k) => k.iota(4).add()],
  ['PAT0110', "the right operand of add is '1'", (k) => k.iota(4).add('1')],
  ['PAT0110', 'extent 0 in [0]', (k) => k.iota(0)],
  ['PAT0110', 'extent i32 in [i32]', (k) => k.iota(k.programId(0))],
  ['PAT0110', 'extent undefined in [4, undefined]', (k) => k.zeros([4, undefined])],
  ['PAT0110', 'a tile has at most 2^24', (k) => k.zeros([8192, 8192])],
  ['PAT0110', 'a tile has at most 2^24', (k) => k.zeros([8192, 1]).add(k.zeros([1, 8192]))],
  ['PAT0110', 'the shape is 4', (k) => k.zeros(4)],
  ['PAT0110', "'f8' is not an element type", (k) => k.zeros([4], 'f8')],
  ['PAT0110', "cast: 'float' is not an element type", (k) => k.iota(4).cast('float')],
  ['PAT0110', 'has no axis 2', (k) => k.zeros([4, 4]).reduceSum(2)],
  ['PAT0110', 'axis 3 of tile<4x4xf32> must be 0 … 2', (k) => k.zeros([4, 4]).expand(3)],
  ['PAT0110', 'not a permutation', (k) => k.zeros([4, 4]).transpose([0, 0])],
  ['PAT0110', 'transpose takes a permutation', (k) => k.zeros([4, 4]).transpose()],
  ['PAT0110', 'one of the two sides must be a tile', (k) => k.iota(4).lt(1).where(1, 0)],
  ['PAT0110', 'axis is 0, 1 or 2', (k) => k.programId(3)],
  ['PAT0110', 'no tensor has a dimension named `n`', (k) => k.dim('n')],
  ['PAT0110', 'already a parameter named `x`', (k) => (k.input('x', 'f32', [4]), k.output('x', 'f32', [4]))],
  ['PAT0110', "a parameter is named 'a b'", (k) => k.input('a b', 'f32', [4])],
  ['PAT0110', 'is not a storage type', (k) => k.input('x', 'bool', [4])],
  ['PAT0110', 'its dimensions are 4', (k) => k.input('x', 'f32', 4)],
  ['PAT0110', '-1 is neither a positive integer nor a name', (k) => k.input('x', 'f32', [-1])],
  ['PAT0110', 'indices of `x` are i32', (k) => k.input('x', 'f32', [4]).load(k.programId(0))],
  ['PAT0110', 'is declared an input', (k) => k.input('x', 'f32', [4]).store([0], 1)],
  ['PAT0110', 'is declared an output', (k) => k.output('x', 'f32', [4]).atomicAdd([0], 1)],
  ['PAT0110', 'the step is 0', (k) => k.loop({ to: 4, step: 0 }, {}, () => {})],
  [
    'PAT0110',
    'ragged: the step is 1.5',
    (k) => k.ragged({ to: 4, step: 1.5, trips: () => k.const(1, 'i32') }, {}, () => {}),
  ],
  ['PAT0110', 'the range has no `to`', (k) => k.loop({}, {}, () => {})],
  ['PAT0110', 'the range is 4', (k) => k.loop(4, {}, () => {})],
  ['PAT0110', 'carried values are i32', (k) => k.loop({ to: 1 }, k.programId(0), () => {})],
  ['PAT0110', 'carried `a` is 0', (k) => k.loop({ to: 1 }, { a: 0 }, () => {})],
  ['PAT0110', 'the body of a loop is undefined', (k) => k.loop({ to: 1 }, {})],
  ['PAT0110', '`trips` is 3', (k) => k.ragged({ to: 1, trips: 3 }, {}, () => {})],
  [
    'PAT0101',
    '8 rows, the carried tiles 4',
    (k) => k.rows({ where: k.full([8], true, 'bool') }, { a: k.zeros([4]) }, (c: any) => c),
  ],
  [
    'PAT0102',
    '`where` is tile<4xf32>',
    (k) => k.rows({ where: k.zeros([4]) }, { a: k.zeros([4]) }, (c: any) => c),
  ],
  ['PAT0110', 'without carried tiles', (k) => k.rows({ to: 1 }, {}, () => ({}))],
  ['PAT0110', 'async function', async () => {}],
  // Stores.
  [
    'PAT0111',
    'a store to `x` inside a row region',
    (k) => k.rows({ to: 1 }, { a: k.zeros([4]) }, (c: any) => (k.output('x', 'f32', [4]).store([0], 1), c)),
  ],
  [
    'PAT0111',
    'inside the `trips` function',
    (k) => k.ragged({ to: 1, trips: () => (k.inout('x', 'i32', [4]).atomicAdd([0], 1), 1) }, {}, () => {}),
  ],
];

describe('mistakes', () => {
  it.each(rows)('%s %s', (code, words, body) => {
    const error = trace(body);
    expect(error.message).toContain(words);
    expect(error.code).toBe(code);
    expect(error.diagnostics[0]!.span!.file).toBe('test/dsl/errors.test.ts');
  });

  it('leave the next trace alone', () => {
    const template = kernel('again', { spec: { bad: 1 } }, (k, { bad }) => {
      k.rows({ to: 1 }, { a: k.zeros([4]) }, (c) => {
        if (bad) throw new Error('mine');
        return c;
      });
    });
    expect(() => template.trace({}, {})).toThrow('mine');
    expect(template.trace({ bad: 0 }, {}).body.ops.at(-1)!.op).toBe('rows');
  });
});

describe('mistakes in definitions and specialisations', () => {
  const template = kernel('t', { spec: { width: 8, dtype: 'f16' }, tile: { rows: tune(2, 4) } }, () => {});
  const make = (name: any, options: any, body: any = () => {}) => errorOf(() => kernel(name, options, body));
  it.each<[string, string, () => PatcError]>([
    ['PAT0105', 'no spec number `wdth`', () => errorOf(() => template.trace({ wdth: 8 }, {}))],
    ['PAT0105', 'no spec number `toString`', () => errorOf(() => template.trace({ toString: 8 } as any, {}))],
    ['PAT0106', 'a number like 8 is needed', () => errorOf(() => template.trace({ width: '8' }, {}))],
    ['PAT0106', 'is NaN', () => errorOf(() => template.trace({ width: NaN }, {}))],
    ['PAT0106', 'which is no element type', () => errorOf(() => template.trace({ dtype: 'half' }, {}))],
    ['PAT0107', 'no tile number `row`', () => errorOf(() => template.trace({}, { row: 2 }))],
    ['PAT0107', 'its candidates are 2, 4', () => errorOf(() => template.trace({}, { rows: 3 }))],
    ['PAT0107', 'has candidates [-1]', () => make('k', { tile: { rows: [-1] } })],
    ['PAT0107', 'has candidates []', () => make('k', { tile: { rows: [] } })],
    ['PAT0107', 'both a spec and a tile number', () => make('k', { spec: { a: 1 }, tile: { a: 1 } })],
    ['PAT0110', "a kernel is named 'a-b'", () => make('a-b', {})],
    ['PAT0110', 'its body is undefined', () => make('k', {}, null)],
  ])('%s %s', (code, words, run) => {
    const error = run();
    expect(error.message).toContain(words === 'its body is undefined' ? 'its body is null' : words);
    expect(error.code).toBe(code);
  });
});
