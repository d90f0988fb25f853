/** What form values take: loaded in vectors, computed once, left where they are, read where the author reads them. */
import { describe, expect, it } from 'vitest';
import { PatcError } from '../../../compiler/diagnostics/error.ts';
import { lowerKernel } from '../../../compiler/lower/index.ts';
import { findTarget } from '../../../compiler/target.ts';
import { exprsOf, walkExpr, walkStmts } from '../../../compiler/thread/build.ts';
import { bodiesOf, type Expr, type Stmt, type ThreadKernel } from '../../../compiler/thread/nodes.ts';
import type { KernelContext, Tile } from '../../../dsl/index.ts';
import { everywhere, makeCase } from '../../support/corpus.ts';
import { disagreements, simulator } from '../../support/executors.ts';
import { traced } from '../../support/interpret.ts';

const lower = (body: (k: KernelContext) => void, target = 'cuda:sm_80'): ThreadKernel =>
  lowerKernel(traced(body), findTarget(target)!);

const whole = <E extends 'f32' | 'f16' | 'i32'>(
  k: KernelContext,
  name: string,
  element: E,
  shape: number[],
) => k.input(name, element, shape).load(everywhere(k, shape)) as Tile<E>;
const keep = (k: KernelContext, name: string, tile: Tile<'f32'>): void =>
  k.output(name, 'f32', tile.shape as number[]).store(everywhere(k, tile.shape as number[]), tile);
const half = (k: KernelContext, name: string, shape: [number, number]) =>
  whole(k, name, 'f16', shape) as Tile<'f16', readonly [number, number]>;

/** Statements that load from a tensor, by the number of words they bring. */
const widths = (k: ThreadKernel, name: string): number[] => {
  const found: number[] = [];
  walkStmts(k.body, (s) => {
    if (s.s === 'loadGlobalWords' && s.buffer.name === name) found.push(s.dst.length);
    if (s.s === 'cpAsync' && s.from.name === name) found.push(s.bytes / 4);
    for (const e of exprsOf(s))
      walkExpr(e, (x) => void (x.e === 'loadGlobal' && x.buffer.name === name && found.push(1)));
  });
  return found;
};
/** How often an expression occurs in the text. */
const count = (k: ThreadKernel, is: (e: Expr) => boolean): number => {
  let n = 0;
  walkStmts(k.body, (s) => {
    for (const e of exprsOf(s)) walkExpr(e, (x) => void (n += is(x) ? 1 : 0));
  });
  return n;
};
const exp = (e: Expr): boolean => e.e === 'unary' && e.fn === 'exp';

describe('data is loaded in vectors, whatever becomes of it', () => {
  const cases: Record<string, (k: KernelContext) => void> = {
    'through arithmetic': (k) => keep(k, 'y', whole(k, 'x', 'f32', [16, 64]).mul(2).add(1)),
    'on the right of it': (k) =>
      keep(k, 'y', whole(k, 'w', 'f32', [16, 64]).mul(whole(k, 'x', 'f32', [16, 64]))),
    'of as many rows as there are': (k) => {
      const at = everywhere(k, [16, 64]);
      keep(k, 'y', k.input('x', 'f32', ['blocks', 'rows', 64]).load([k.programId(0), ...at]) as Tile<'f32'>);
    },
    'through a reduction': (k) => keep(k, 'y', whole(k, 'x', 'f32', [16, 64]).reduceSum(1)),
    'carried into a loop': (k) => {
      const start = { a: whole(k, 'x', 'f32', [16, 64]) };
      keep(k, 'y', k.loop({ to: 3 }, start, (_, { a }) => ({ a: a.mul(2) as typeof a })).a);
    },
    'yielded by a loop': (k) => {
      const at = everywhere(k, [16, 64]);
      const x = k.input('x', 'f32', [3, 16, 64]);
      const start = { a: k.zeros([16, 64]) };
      keep(k, 'y', k.loop({ to: 3 }, start, (i) => ({ a: x.load([i, ...at]) as typeof start.a })).a);
    },
  };
  it.each(Object.entries(cases))('%s', (_, body) => {
    expect(new Set(widths(lower(body), 'x'))).toEqual(new Set([4]));
  });
  const product = (
    use: (
      k: KernelContext,
      x: Tile<'f16', readonly [number, number]>,
    ) => Tile<'f16', readonly [number, number]>,
  ) => lower((k) => keep(k, 'y', k.dot(use(k, half(k, 'x', [64, 64])), half(k, 'w', [64, 64]))));
  it('through arithmetic into a product', () => {
    expect(
      new Set(
        widths(
          product((_, x) => x.mul(2) as typeof x),
          'x',
        ),
      ),
    ).toEqual(new Set([4]));
    const right = lower((k) =>
      keep(k, 'y', k.dot(half(k, 'w', [64, 64]), half(k, 'x', [64, 64]).mul(2) as ReturnType<typeof half>)),
    );
    expect(new Set(widths(right, 'x'))).toEqual(new Set([4]));
  });
  it('as what a product adds to, in the pairs that a thread holds', () => {
    const sum = lower((k) =>
      keep(
        k,
        'y',
        k.dot(half(k, 'a', [64, 64]), half(k, 'b', [64, 64]), whole(k, 'x', 'f32', [64, 64]) as never),
      ),
    );
    expect(new Set(widths(sum, 'x'))).toEqual(new Set([2]));
  });
});

describe('what is used twice is computed once', () => {
  it('by two stores', () => {
    const twice = lower((k) => {
      const e = whole(k, 'x', 'f32', [16, 64]).exp();
      keep(k, 'y', e.mul(2) as Tile<'f32'>);
      keep(k, 'z', e.add(1) as Tile<'f32'>);
    });
    expect(count(twice, exp)).toBe(1);
  });
  it('by a yield and by arithmetic', () => {
    const loop = (both: boolean) =>
      count(
        lower((k) => {
          const start = { a: whole(k, 'x', 'f32', [16, 64]), b: k.zeros([16, 64]) as Tile<'f32'> };
          const { a, b } = k.loop({ to: 3 }, start, (_, { a, b }) => {
            const e = a.exp() as Tile<'f32'>;
            return { a: both ? e : a, b: b.add(e) as Tile<'f32'> };
          });
          keep(k, 'a', a);
          keep(k, 'b', b);
        }),
        exp,
      );
    expect(loop(true)).toBe(loop(false));
  });
});

/** How many loops stand around each expression. */
const depths = (k: ThreadKernel, is: (e: Expr) => boolean): number[] => {
  const found: number[] = [];
  const visit = (stmts: readonly Stmt[], depth: number): void => {
    for (const s of stmts) {
      for (const e of exprsOf(s)) walkExpr(e, (x) => void (is(x) && found.push(depth)));
      for (const body of bodiesOf(s)) visit(body, depth + (s.s === 'for' || s.s === 'while' ? 1 : 0));
    }
  };
  visit(k.body, 0);
  return found;
};
const by =
  (fn: string, n: number) =>
  (e: Expr): boolean =>
    e.e === 'binary' && e.fn === fn && e.b.e === 'const' && e.b.value === n;

describe('what depends on little is computed outside of the loops over the rest', () => {
  // Every thread has sixteen rows, and two vectors of each.
  const [rows, columns] = [16, 1024];
  const coordinates = (k: KernelContext) => everywhere(k, [rows, columns]) as [Tile<'i32'>, Tile<'i32'>];
  it('a division of the row, once a row', () => {
    for (const fn of ['div', 'rem'] as const) {
      const k = lower((k) => {
        const [row, column] = coordinates(k);
        keep(k, 'y', k.input('x', 'f32', [rows, columns]).load([row[fn](7), column]) as Tile<'f32'>);
      });
      expect(depths(k, by(fn, 7))).toEqual([1]);
    }
  });
  it('arithmetic of the row that is used twice, once a row', () => {
    const k = lower((k) => {
      const [row, column] = coordinates(k);
      const other = row.xor(5);
      const mask = other.lt(13);
      const x = k.input('x', 'f32', [rows, columns]).load([other, column], { mask });
      keep(k, 'y', x as Tile<'f32'>);
    });
    expect(depths(k, by('xor', 5))).toEqual([1]);
  });
  it('a number that is read, once and for all, whether masked or not', () => {
    for (const mask of [false, true]) {
      const k = lower((k) => {
        const s = k.input('s', 'f32', [4]).load([2], mask ? { mask: k.programId(0).lt(2) } : {});
        keep(k, 'y', whole(k, 'x', 'f32', [rows, columns]).mul(s) as Tile<'f32'>);
      });
      expect(depths(k, (e) => e.e === 'loadGlobal' && e.buffer.name === 's')).toEqual([0]);
    }
  });
  it('arithmetic with such a number, once and for all', () => {
    const k = lower((k) => {
      const s = k.input('s', 'f32', [4]).at(2).exp();
      const x = whole(k, 'x', 'f32', [rows, columns]);
      keep(k, 'y', x.mul(s) as Tile<'f32'>);
      keep(k, 'z', x.add(s) as Tile<'f32'>);
    });
    expect(depths(k, exp)).toEqual([0]);
  });
  it('a table of the rows is read once a row', () => {
    const k = lower((k) => {
      const [, column] = coordinates(k);
      const row = k
        .input('table', 'i32', [rows])
        .load([k.iota(rows)])
        .expand(1);
      keep(k, 'y', k.input('x', 'f32', [64, columns]).load([row, column]) as Tile<'f32'>);
    });
    expect(depths(k, (e) => e.e === 'loadGlobal' && e.buffer.name === 'table')).toEqual([1]);
  });
});

it('PAT0303 for an index in registers where a factor is copied', () => {
  const code = (carried: boolean): string => {
    try {
      lower((k) => {
        const order = whole(k, 'order', 'i32', [32]);
        const at = carried
          ? k.loop({ to: 2 }, { order }, (_, { order }) => ({ order: order.add(1) as typeof order })).order
          : order;
        k.output('seen', 'i32', [32]).store([k.iota(32)], order);
        const x = k.input('x', 'f16', [64, 32]).load([at.expand(1), k.iota(32).expand(0)]);
        keep(k, 'y', k.dot(x as never, half(k, 'w', [32, 16]) as never) as Tile<'f32'>);
      });
    } catch (error) {
      if (error instanceof PatcError) return `${error.code}: ${error.message}`;
      throw error;
    }
    return 'lowered';
  };
  for (const carried of [false, true])
    expect(code(carried)).toMatch(/^PAT0303: .*depends on data in registers/);
});

describe('nothing is exchanged through shared memory', () => {
  const cases: Record<string, (k: KernelContext) => void> = {
    'for a transpose': (k) => keep(k, 'y', whole(k, 'x', 'f32', [16, 64]).T),
    'for arithmetic with a transpose': (k) =>
      keep(k, 'y', whole(k, 'x', 'f32', [16, 64]).T.add(whole(k, 'w', 'f32', [64, 16])) as Tile<'f32'>),
    'for a reshape that adds an extent of 1': (k) =>
      keep(k, 'y', whole(k, 'x', 'f32', [16, 64]).mul(2).reshape([16, 1, 64]).add(1) as Tile<'f32'>),
    'for a row vector that is spread': (k) => {
      const x = whole(k, 'x', 'f32', [16, 64]);
      keep(k, 'y', x.sub(whole(k, 'w', 'f32', [16]).mul(2).expand(1)) as Tile<'f32'>);
    },
    'for one that is made before the tile': (k) => {
      const w = whole(k, 'w', 'f32', [16]).mul(2).expand(1);
      keep(k, 'y', w.add(whole(k, 'x', 'f32', [16, 64])) as Tile<'f32'>);
    },
    'for a sum of what a thread holds': (k) => keep(k, 'y', whole(k, 'x', 'f32', [128, 4]).reduceSum(1)),
    'for what a loop carries': (k) => {
      const start = { a: whole(k, 'x', 'f32', [16, 64]).T };
      keep(k, 'y', k.loop({ to: 3 }, start, (_, { a }) => ({ a: a.mul(2) as typeof a })).a);
    },
    'for a choice': (k) => {
      const x = whole(k, 'x', 'f32', [16, 64]).T;
      const { y } = k.when(
        k.programId(0).eq(0),
        () => ({ y: x.mul(2) as typeof x }),
        () => ({ y: x }),
      );
      keep(k, 'y', y.gt(0).where(y, 0) as Tile<'f32'>);
    },
  };
  it.each(Object.entries(cases))('%s', (_, body) => {
    for (const target of ['cuda:sm_80', 'wgsl']) expect(lower(body, target).shared).toEqual([]);
  });
  it('for what is added to a product, through views or without', () => {
    const added: Record<string, (k: KernelContext) => Tile<'f32'>> = {
      'as it is': (k) => whole(k, 'x', 'f32', [64, 64]),
      turned: (k) => whole(k, 'x', 'f32', [64, 64]).T,
      reshaped: (k) => whole(k, 'x', 'f32', [64, 1, 64]).reshape([64, 64]),
      spread: (k) => whole(k, 'x', 'f32', [64]).expand(0) as Tile<'f32'>,
    };
    for (const [how, make] of Object.entries(added)) {
      const k = lower((k) => {
        const sum = k.dot(half(k, 'a', [64, 64]), half(k, 'b', [64, 64])) as Tile<'f32'>;
        keep(k, 'y', sum.add(make(k)) as Tile<'f32'>);
      });
      expect(k.shared.map((b) => b.name).sort(), how).toEqual(['a', 'b']);
    }
  });
  it('for the softmax of rows that a warp holds, and its product', () => {
    const k = lower((k) => {
      const s = k.dot(half(k, 'q', [64, 64]), half(k, 'x', [64, 64]).T);
      const p = s.sub(s.reduceMax(1).expand(1)).exp();
      keep(k, 'y', k.dot(p.cast('f16') as never, half(k, 'v', [64, 64])) as Tile<'f32'>);
    });
    expect(k.shared.map((b) => b.name).sort()).toEqual(['q', 'v', 'x']);
  });
});

it('an index may come from a number that a loop has counted', async () => {
  const c = makeCase('counted index', (k) => {
    const { n } = k.loop({ to: 3 }, { n: k.const(0, 'i32') }, (i, { n }) => ({ n: n.add(i) as typeof n }));
    const [row, column] = everywhere(k, [16, 32]) as [Tile<'i32'>, Tile<'i32'>];
    const x = k.input('x', 'f16', [32, 32]).load([row.add(n), column]) as Tile<'f16', readonly [16, 32]>;
    keep(k, 'y', k.dot(x, half(k, 'w', [32, 16]) as never) as Tile<'f32'>);
  });
  for (const target of ['cuda:sm_80', 'wgsl'])
    expect(await disagreements(c, [simulator(target)])).toEqual([]);
});

describe('memory that the kernel writes is read where the author reads it', () => {
  const cases: Record<string, (k: KernelContext) => void> = {
    'before a store': (k) => {
      const at = [k.iota(64)];
      const x = k.inout('x', 'f32', [64]);
      const before = x.load(at);
      x.store(at, before.add(1));
      k.output('y', 'f32', [64]).store(at, before);
      k.output('z', 'f32', [64]).store(at, x.load(at));
    },
    'before an atomic': (k) => {
      const at = [k.iota(64)];
      const x = k.inout('x', 'i32', [64]);
      const before = x.load(at);
      x.atomicAdd(at, 5);
      k.output('y', 'i32', [64]).store(at, before);
    },
    'a single element': (k) => {
      const x = k.inout('x', 'i32', [4]);
      const before = x.at(1);
      x.store([1], 7);
      k.output('y', 'i32', [1]).store([0], before);
      k.output('z', 'i32', [1]).store([0], x.at(1));
    },
    'though nothing but an index needs it': (k) => {
      const order = k.inout('order', 'i32', [64]);
      const at = k.iota(64);
      const from = order.load([at]);
      order.store([at], from.add(1).rem(64));
      k.output('y', 'f32', [64]).store([at], k.input('x', 'f32', [64]).load([from]));
    },
  };
  it.each(Object.entries(cases))('%s', async (name, body) => {
    const order = Array.from({ length: 64 }, (_, i) => (i * 5 + 3) % 64);
    const c = makeCase(name, body, { data: { order } });
    for (const target of ['cuda:sm_80', 'wgsl'])
      expect(await disagreements(c, [simulator(target)])).toEqual([]);
  });
});

describe('reductions', () => {
  const reads = (rows: number, target: string): number => {
    const k = lower((k) => keep(k, 'y', whole(k, 'x', 'f32', [rows, 64]).reduceSum(1)), target);
    let n = 0;
    walkStmts(k.body, (s) => void (n += s.s === 'loadShared' ? 1 : 0));
    return n;
  };
  it('through shared memory in two steps where there are more than 16 partials', () => {
    // WGSL has no shuffles: as many partials as threads share a row, which are 16, 32 and 64.
    expect([8, 4, 2].map((rows) => reads(rows, 'wgsl'))).toEqual([16, 4 + 8, 8 + 8]);
  });
  it('of halves are rounded', () => {
    const k = lower((k) => keep(k, 'y', whole(k, 'x', 'f16', [16, 64]).reduceSum(1).cast('f32')));
    expect(count(k, (e) => e.e === 'round')).toBeGreaterThan(0);
  });
});
