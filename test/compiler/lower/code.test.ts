/** What the lowering emits beyond being right: wide accesses, loads issued once, warps that skip. */
import { describe, expect, it } from 'vitest';
import { PatcError } from '../../../compiler/diagnostics/error.ts';
import { lowerKernel } from '../../../compiler/lower/index.ts';
import { findTarget } from '../../../compiler/target.ts';
import { exprsOf, walkExpr, walkStmts } from '../../../compiler/thread/build.ts';
import type { Stmt, ThreadKernel } from '../../../compiler/thread/nodes.ts';
import { printExpr } from '../../../compiler/thread/print.ts';
import { kernel, type KernelContext, type Tile } from '../../../dsl/index.ts';
import { forward } from '../../../examples/pat/forward.ts';
import { everywhere, makeCase } from '../../support/corpus.ts';
import { disagreements, simulator } from '../../support/executors.ts';

const lower = (
  body: (k: KernelContext) => void,
  target: string,
  tile: Record<string, number> = {},
): ThreadKernel => {
  const traced = kernel('k', {}, body).trace({}, {});
  return lowerKernel({ ...traced, tile }, findTarget(target)!);
};
const pick = <S extends Stmt['s']>(k: ThreadKernel, kind: S): Extract<Stmt, { s: S }>[] => {
  const found: Extract<Stmt, { s: S }>[] = [];
  walkStmts(k.body, (s) => void (s.s === kind && found.push(s as Extract<Stmt, { s: S }>)));
  return found;
};
const loadsOf = (k: ThreadKernel, name: string): string[] => {
  const found: string[] = [];
  walkStmts(k.body, (s) => {
    if (s.s === 'loadGlobalWords' && s.buffer.name === name) found.push(s.s);
    if (s.s === 'cpAsync' && s.from.name === name) found.push(s.s);
    for (const e of exprsOf(s))
      walkExpr(e, (x) => void (x.e === 'loadGlobal' && x.buffer.name === name && found.push(x.e)));
  });
  return found;
};

describe('global memory is read and written in 16 bytes', () => {
  const copy = (element: 'f32' | 'f16' | 'i32', shape: readonly number[]) => (k: KernelContext) => {
    const at = everywhere(k, shape);
    k.output('y', element, shape as number[]).store(at, k.input('x', element, shape as number[]).load(at));
  };
  it.each([
    ['f32', [16, 64]],
    ['i32', [512]],
    ['f16', [16, 128]],
    // Whole rows in one thread: nothing along the last axis lies in other threads.
    ['f32', [128, 4]],
    ['f16', [128, 8]],
  ] as const)('%s %j', (element, shape) => {
    for (const target of ['cuda:sm_80', 'wgsl']) {
      const k = lower(copy(element, shape), target);
      expect(new Set(pick(k, 'loadGlobalWords').map((s) => s.dst.length))).toEqual(new Set([4]));
      expect(new Set(pick(k, 'storeGlobalWords').map((s) => s.values.length))).toEqual(new Set([4]));
      expect(pick(k, 'storeGlobal')).toEqual([]);
    }
  });
  it('or as far as alignment and mask are known', () => {
    const masked = (limit: number) => (k: KernelContext) => {
      const i = k.iota(512);
      const mask = i.lt(limit);
      k.output('y', 'f32', [512]).store([i], k.input('x', 'f32', [512]).load([i], { mask }), { mask });
    };
    const width = (limit: number): number[] =>
      pick(lower(masked(limit), 'cuda:sm_80'), 'storeGlobalWords').map((s) => s.values.length);
    expect(width(500)).toEqual([4]);
    expect(width(502)).toEqual([2, 2]);
    expect(width(501)).toEqual([]);
  });
});

it.each(['cuda:sm_80', 'wgsl'])(
  'an index that falls back to what moves is no base of a vector: %s',
  async (target) => {
    const c = makeCase(
      'table with an alternative',
      (k) => {
        const at = k.iota(512);
        const which = k
          .input('table', 'i32', [4])
          .load([k.full([512], 1, 'i32')], { mask: k.programId(0).eq(0), other: at.rem(4) });
        const y = k.output('y', 'f32', [2, 512]);
        y.store([k.programId(0), at], k.input('x', 'f32', [4, 512]).load([which, at]));
      },
      { grid: [2, 1, 1], data: { table: [0, 2, 0, 0] } },
    );
    expect(await disagreements(c, [simulator(target)])).toEqual([]);
  },
);

it('a block may have as many threads as the target allows, and not one warp more', () => {
  const body = (k: KernelContext): void => {
    const i = k.iota(4096);
    k.output('y', 'f32', [4096]).store([i], k.input('x', 'f32', [4096]).load([i]));
  };
  expect(lower(body, 'wgsl', { warps: 8 }).threads).toBe(256);
  expect(lower(body, 'cuda:sm_80', { warps: 32 }).threads).toBe(1024);
  for (const [target, warps] of [
    ['wgsl', 16],
    ['cuda:sm_80', 64],
  ] as const) {
    let code = '';
    try {
      lower(body, target, { warps });
    } catch (error) {
      code = (error as PatcError).code;
    }
    expect(code).toBe('PAT0304');
  }
});

it('PAT0301 past the last byte of shared memory, with the buffers, the largest first', () => {
  const body = (k: KernelContext): void => {
    const x = k.input('x', 'f32', [16, 64]).load(everywhere(k, [16, 64]));
    const w = k.input('w', 'f32', [64, 32]).load(everywhere(k, [64, 32]));
    const y = k.output('y', 'f32', [16, 32]);
    y.store(everywhere(k, [16, 32]), k.dot(x as never, w as never) as never);
  };
  const traced = { ...kernel('k', {}, body).trace({}, {}), tile: { warps: 2, m: 16 } };
  const on = (sharedBytes: number): ThreadKernel =>
    lowerKernel(traced, { ...findTarget('wgsl')!, sharedBytes });
  const needed = on(16384).sharedBytes;
  expect(on(needed).sharedBytes).toBe(needed);
  let error: unknown;
  try {
    on(needed - 1);
  } catch (e) {
    error = e;
  }
  expect(error).toBeInstanceOf(PatcError);
  const { code, diagnostics } = error as PatcError;
  expect(code).toBe('PAT0301');
  expect(diagnostics[0]!.message).toContain('warps=2 m=16');
  expect(diagnostics[0]!.notes!.map((n) => n.text.split(':')[0])).toEqual(['w', 'x']);
});

it('a factor that is also used as data is loaded once, into registers', () => {
  const body = (data?: 'as it is' | 'through arithmetic') => (k: KernelContext) => {
    const at = everywhere(k, [32, 32]);
    const x = k.input('x', 'f16', [32, 32]).load(at);
    const w = k.input('w', 'f16', [32, 32]).load(at);
    k.output('c', 'f32', [32, 32]).store(at, k.dot(x, w));
    if (data) k.output('y', 'f16', [32, 32]).store(at, data === 'as it is' ? x : x.mul(2).neg());
  };
  expect(new Set(loadsOf(lower(body(), 'cuda:sm_80'), 'x'))).toEqual(new Set(['cpAsync']));
  for (const data of ['as it is', 'through arithmetic'] as const) {
    const k = lower(body(data), 'cuda:sm_80');
    expect(new Set(loadsOf(k, 'x')), data).toEqual(new Set(['loadGlobalWords']));
    expect(new Set(loadsOf(k, 'w'))).toEqual(new Set(['cpAsync']));
  }
});

describe('the forward kernel', () => {
  const tile = { m: 64, n: 32, stages: 2 };
  const lowered = (own: typeof tile, target: string): ThreadKernel =>
    lowerKernel(forward.trace(forward.spec, own), findTarget(target)!);
  it('looks pages up before it copies, not in the addresses of copies', () => {
    const copies = pick(lowered(tile, 'cuda:sm_80'), 'cpAsync').filter((s) => s.from.name === 'k');
    expect(copies.length).toBeGreaterThan(0);
    // Every page stands in a register array, filled for a batch of copies before the first of them.
    for (const s of copies) {
      const parts: string[] = [];
      walkExpr(s.index, (x) => void (x.e === 'element' && parts.push(x.var.name)));
      expect(parts).toEqual(['pageId']);
    }
  });
  it.each([
    // [rows of a step, their bytes] by 128 threads, 16 bytes each: 8 threads a row, however long the row is.
    ['64', 32],
    ['128', 32],
    ['256', 32],
  ] as const)('looks up a page once for keys and values, and once for a row: %s', (headDim, n) => {
    const spec = { ...forward.spec, headDim: Number(headDim) };
    const k = lowerKernel(forward.trace(spec, { ...tile, n }), findTarget('cuda:sm_80')!);
    const pages = new Set<unknown>();
    let length = 0;
    for (const s of pick(k, 'cpAsync').filter((s) => s.from.name === 'k' || s.from.name === 'v'))
      walkExpr(s.index, (x) => {
        if (x.e !== 'element') return;
        pages.add(x.var);
        length = x.var.size ?? 0;
      });
    expect(pages.size).toBe(1);
    expect(length).toBe((n * 8) / k.threads);
  });
  it('copies queries, and waits for nothing before the first keys are under way', () => {
    const order: string[] = [];
    walkStmts(lowered(tile, 'cuda:sm_80').body, (s) => {
      if (s.s === 'cpAsync') order.push(s.from.name);
      if (s.s === 'cpAsyncWait') order.push('wait');
    });
    const before = order.slice(0, order.indexOf('wait'));
    expect(new Set(before)).toEqual(new Set(['q', 'k', 'v']));
  });
  it('lets warps without a row of the entry skip it, where nothing in it is shared', () => {
    expect(pick(lowered(tile, 'cuda:sm_80'), 'if').some((s) => s.uniform === 'warp')).toBe(true);
    const small = lowered({ ...tile, m: 16, n: 16 }, 'wgsl');
    expect(pick(small, 'if').some((s) => s.uniform === 'warp')).toBe(false);
  });
});

it.each(['cuda:sm_80', 'wgsl'])('conditions move between threads as values do: %s', async (target) => {
  const c = makeCase(
    'condition that changes hands',
    (k) => {
      const at = everywhere(k, [32, 32]);
      const x = k.input('x', 'f16', [32, 32]).load(at);
      const product = k.dot(x, k.input('y', 'f16', [32, 32]).load(at));
      const { c } = k.loop({ to: k.scalar('n', 'i32') }, { c: product.gt(0) }, (i, { c }) => ({
        c: c.xor(product.gt(i.cast('f32').mul(0.25))),
      }));
      k.output('z', 'f32', [32, 32]).store(at, c.where(product, 0));
      k.output('turned', 'f32', [32, 32]).store(at, c.T.where(product, 0));
      k.output('count', 'i32', [32]).store([k.iota(32)], c.cast('i32').reduceSum(1));
    },
    { scalars: { n: 3 } },
  );
  expect(await disagreements(c, [simulator(target)])).toEqual([]);
});

describe('products of every small shape, on every way of multiplying', () => {
  const shapes = [8, 16, 48].flatMap((m) =>
    [7, 8, 32, 40].flatMap((n) => [16, 24].map((depth) => [m, n, depth] as const)),
  );
  it.each(
    ['cuda:sm_80', 'wgsl'].flatMap((t) => (['f32', 'f16', 'bf16'] as const).map((e) => [t, e] as const)),
  )('%s %s', async (target, element) => {
    for (const [m, n, depth] of shapes) {
      const c = makeCase(`product ${m} ${n} ${depth}`, (k) => {
        const a = k.input('a', element, [m, depth]).load(everywhere(k, [m, depth]));
        const b = k.input('b', element, [n, depth]).load(everywhere(k, [n, depth]));
        const d = k.input('d', element, [depth, n]).load(everywhere(k, [depth, n]));
        const sum = k.dot(a as never, (b as typeof a).T as never, k.dot(a as never, d as never));
        k.output('c', 'f32', [m, n]).store(everywhere(k, [m, n]), sum as never);
      });
      let found: readonly string[] = [];
      try {
        found = await disagreements(c, [simulator(target)]);
      } catch (error) {
        if (!(error instanceof PatcError) || !error.code.startsWith('PAT03')) throw error;
      }
      expect(found, c.name).toEqual([]);
    }
  });
});

describe('what few steps or rows need stands under a branch', () => {
  const scores = (masked: (at: Tile<'i32'>, end: Tile<'i32', readonly []>) => Tile<'bool'>) =>
    lower((k) => {
      const at = everywhere(k, [32, 32]);
      const a = k.input('a', 'f16', [32, 32]).load(at) as Tile<'f16', readonly [32, 32]>;
      const { top } = k.loop({ to: k.scalar('steps', 'i32') }, { top: k.zeros([32]) }, (t, { top }) => {
        const mask = masked(t.mul(32).add(k.iota(32)), k.scalar('end', 'i32'));
        const s = mask.expand(0).where(k.dot(a, a), -Infinity) as Tile<'f32', readonly [32, 32]>;
        return { top: top.max(s.reduceMax(1)).add(s.reduceSum(1)) };
      });
      k.output('top', 'f32', [32]).store([k.iota(32)], top);
    }, 'cuda:sm_80');
  const branches = (kernel: ThreadKernel): string[] => pick(kernel, 'if').map((s) => printExpr(s.cond));

  it('masks that are ranges: a condition on the last or first element', () => {
    expect(branches(scores((at, end) => at.lt(end)))).toEqual(['not(t * 32 + 31 < end)']);
    expect(branches(scores((at, end) => at.ge(end).and(at.add(1).le(end.mul(2)))))).toEqual([
      'not(t * 32 >= end & t * 32 + 32 <= end * 2)',
    ]);
  });
  it('no condition is known for other masks', () => {
    expect(branches(scores((at, end) => at.rem(3).ne(end)))).toEqual([]);
    expect(branches(scores((at, end) => end.sub(at).rem(2).lt(1)))).toEqual([]);
  });

  it('rows where a mask holds: warps vote, and no accumulator is selected', () => {
    const spec = { headDim: 64, group: 4, kvHeads: 2, page: 16, dtype: 'f16' } as const;
    const traced = forward.trace(spec, { m: 32, n: 32, stages: 2 });
    const kernel = lowerKernel(traced, findTarget('cuda:sm_80')!);
    expect(pick(kernel, 'warpAny').length).toBe(1);
    const wgsl = lowerKernel(traced, findTarget('wgsl')!);
    expect(pick(wgsl, 'warpAny')).toEqual([]);
  });
});

// Shapes are checked while tracing; here they are built from lists, which tsc cannot follow.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Any = any;
const whole = (k: KernelContext, name: string, element: 'f32' | 'f16', shape: readonly number[]): Any =>
  k.input(name, element, shape as number[]).load(everywhere(k, shape));
const keep = (k: KernelContext, name: string, tile: Tile): void =>
  k
    .output(name, tile.element as 'f32', tile.shape as number[])
    .store(everywhere(k, tile.shape as number[]), tile);
const range = (k: KernelContext) => ({ from: k.scalar('from', 'i32'), to: k.scalar('to', 'i32') });
const judged = async (
  body: (k: KernelContext) => void,
  scalars: Record<string, number> = {},
  tile: Record<string, number> = {},
  on: readonly string[] = ['cuda:sm_80', 'cuda:sm_90a', 'wgsl'],
): Promise<string[]> => {
  const c = makeCase('k', body, { scalars });
  return await disagreements({ ...c, kernel: { ...c.kernel, tile } }, on.map(simulator));
};

describe('rows of a range', () => {
  const pair = (a: readonly number[], b: readonly number[]) => (k: KernelContext) => {
    const carried = { x: whole(k, 'x', 'f32', a), y: whole(k, 'y', 'f32', b) };
    const out = k.rows(range(k), carried, ({ x, y }) => ({ x: x.mul(2), y: y.add(5) })) as Any;
    keep(k, 'u', out.x);
    keep(k, 'v', out.y);
  };
  it.each([
    [
      [64, 4],
      [64, 64],
    ],
    [
      [64, 64],
      [64, 4],
    ],
    [
      [16, 16],
      [16, 4],
    ],
    [[64, 32], [64]],
  ])('a warp without one of %j may have one of %j', async (a, b) => {
    for (const warps of [2, 4])
      expect(await judged(pair(a, b), { from: 5, to: 9 }, { warps }), `${warps} warps`).toEqual([]);
  });

  const conditions = (body: (k: KernelContext) => void, warps: number): string[] => {
    const k = lower(body, 'cuda:sm_80', { warps });
    const starts = new Map<unknown, string>();
    walkStmts(k.body, (s) => void (s.s === 'declare' && s.init && starts.set(s.var, printExpr(s.init))));
    return pick(k, 'if')
      .filter((s) => s.uniform === 'warp')
      .map((s) => {
        const first: string[] = [];
        walkExpr(s.cond, (x) => void (x.e === 'var' && starts.has(x.var) && first.push(starts.get(x.var)!)));
        return `${printExpr(s.cond)}, ${[...new Set(first)].join()}`;
      });
  };
  const once = (shape: readonly number[]) => (k: KernelContext) => {
    const { x } = k.rows(range(k), { x: whole(k, 'x', 'f32', shape) }, ({ x }) => ({ x: x.exp() })) as Any;
    keep(k, 'u', x);
  };
  const product = (m: number, n: number) => (k: KernelContext) => {
    const x = k.dot(whole(k, 'a', 'f16', [m, 16]), whole(k, 'b', 'f16', [16, n]));
    const out = k.rows(range(k), { x }, ({ x }) => ({ x: x.exp() })) as Any;
    keep(k, 'u', out.x);
  };
  it('a warp takes part that has one', async () => {
    const found = [
      [once([64, 32]), 4],
      [once([4, 512]), 4],
      [product(64, 32), 4],
      [product(128, 32), 2],
      [product(16, 32), 1],
    ] as const;
    expect(found.map(([body, warps]) => conditions(body, warps))).toEqual([
      ['from < warp_row + 52 & to > warp_row, thread / 32 * 4'],
      ['from < 4 & to > 0, '],
      ['from < warp_row + 16 & to > warp_row, thread / 32 * 16'],
      ['from < warp_row + 64 & to > warp_row, thread / 32 * 64'],
      ['from < 16 & to > 0, '],
    ]);
    for (const [body, warps] of found)
      for (const [from, to] of [
        [0, 1],
        [2, 4],
        [15, 17],
        [31, 33],
        [3, 3],
        [48, 64],
      ] as const)
        expect(await judged(body, { from, to }, { warps }, ['cuda:sm_80']), `${from} ${to}`).toEqual([]);
  });

  it('registers that an inner loop begins with are kept for its next step', async () => {
    const of = (param: boolean) => (k: KernelContext) => {
      const bounds = range(k);
      const steps = { to: k.scalar('n', 'i32') };
      const sum = (x: Any): Any =>
        k.loop(steps, { t: k.zeros([16, 32]) }, (_, { t }) => ({
          t: t.add((k.rows(bounds, { y: x }, ({ y }) => ({ y: y.add(1) })) as Any).y),
        })).t;
      const x = whole(k, 'x', 'f32', [16, 32]).mul(2);
      keep(k, 'o', param ? (k.loop({ to: 2 }, { x }, (_, { x }) => ({ x: sum(x) })) as Any).x : sum(x));
    };
    for (const param of [true, false])
      expect(await judged(of(param), { from: 2, to: 9, n: 3 }), String(param)).toEqual([]);
  });

  it('every warp takes part where tiles are staged within', async () => {
    const within = (computed: boolean) => (k: KernelContext) => {
      const [a, b] = (['a', 'b'] as const).map((n) => k.input(n, 'f16', [32, 32]));
      const load = (t: Any): Any => t.load(everywhere(k, [32, 32]));
      const out = k.rows(range(k), { c: k.zeros([32, 32]) }, ({ c }) => ({
        c: computed ? k.dot(load(a).mul(2), load(b).add(1), c as Any) : k.dot(load(a), load(b), c as Any),
      })) as Any;
      keep(k, 'o', out.c);
    };
    for (const computed of [true, false])
      expect(await judged(within(computed), { from: 2, to: 9 })).toEqual([]);
  });
});

describe('what an access may move at once', () => {
  const widths = (body: (k: KernelContext) => void): number[][] => {
    const k = lower(body, 'cuda:sm_80');
    return [
      pick(k, 'loadGlobalWords').map((s) => s.dst.length),
      pick(k, 'storeGlobalWords').map((s) => s.values.length),
    ];
  };
  it('halves that are stored as f32: twice the words', async () => {
    const body = (k: KernelContext): void => keep(k, 'o', whole(k, 'x', 'f16', [8, 128]).cast('f32'));
    expect(widths(body)).toEqual([[4], [4, 4]]);
    expect(await judged(body)).toEqual([]);
  });
  it('halves in pairs', () => {
    const body = (k: KernelContext): void => {
      const i = k.iota(512);
      const mask = i.lt(502);
      k.output('y', 'f16', [512]).store([i], k.input('x', 'f16', [512]).load([i], { mask }), { mask });
    };
    const [loads, stores] = widths(body);
    expect([new Set(loads), new Set(stores)]).toEqual([new Set([1]), new Set([1])]);
  });
  it('not a column, wherever it stands', async () => {
    const body = (k: KernelContext): void => {
      const [i, four] = [k.iota(512), k.full([512], 4, 'i32')];
      k.output('o', 'f32', [512, 8]).store([i, four], k.input('x', 'f32', [512, 8]).load([i, four]));
    };
    expect(widths(body)).toEqual([[], []]);
    expect(await judged(body)).toEqual([]);
  });
  it('nor one element for a whole row', async () => {
    const body = (k: KernelContext): void => {
      const at = [k.iota(8).expand(1), k.full([1, 64], 0, 'i32')];
      keep(k, 'o', (k.input('x', 'f32', [8, 64]).load(at as Any) as Any).add(whole(k, 'y', 'f32', [8, 64])));
      const same = [
        k
          .iota(8)
          .expand(1)
          .add(k.full([8, 64], 0, 'i32') as Any),
        k.full([8, 64], 0, 'i32'),
      ];
      keep(k, 'p', k.input('z', 'f32', [8, 64]).load(same as Any));
    };
    expect(await judged(body)).toEqual([]);
  });
  it('not rows of a product that lie next to each other', async () => {
    const body = (k: KernelContext): void => {
      const d = k.dot(whole(k, 'a', 'f32', [32, 32]), whole(k, 'b', 'f32', [32, 32]));
      keep(k, 'o', d);
      keep(k, 'turned', d.T);
    };
    expect(await judged(body)).toEqual([]);
  });
});

it('small operands made of halves that no thread has in pairs', async () => {
  const body = (k: KernelContext): void =>
    keep(k, 'o', k.dot(whole(k, 'a', 'f16', [8, 16]).mul(2), whole(k, 'b', 'f16', [16, 8]).add(1)));
  expect(await judged(body)).toEqual([]);
  // By matrix instructions; in some rows only, all warps make the operand.
  const single = (k: KernelContext): void =>
    keep(k, 'o', k.dot(whole(k, 'a', 'f16', [16, 16]).neg(), whole(k, 'b', 'f16', [16, 64])));
  expect(await judged(single, {}, { warps: 8 }, ['cuda:sm_80'])).toEqual([]);
  const inRows = (k: KernelContext): void => {
    const [a, b] = [whole(k, 'a', 'f16', [64, 16]), whole(k, 'b', 'f16', [16, 8])];
    const { c } = k.rows(range(k), { c: k.zeros([64, 8]) }, ({ c }) => ({
      c: k.dot(a, b.add(1), c as Any),
    })) as Any;
    keep(k, 'c', c);
  };
  expect(await judged(inRows, { from: 3, to: 5 }, { warps: 4 }, ['cuda:sm_80'])).toEqual([]);
});

it('operands that a loop carries', async () => {
  const body = (k: KernelContext): void => {
    const b = whole(k, 'b', 'f16', [32, 32]);
    const start = { a: whole(k, 'a', 'f16', [32, 32]), c: k.zeros([32, 32]) };
    const { c } = k.loop({ to: k.scalar('n', 'i32') }, start, (_, { a, c }) => ({
      a: a.neg().add(1),
      c: k.dot(b, a, k.dot(a, b, c as Any)) as Any,
    }));
    keep(k, 'c', c);
  };
  expect(await judged(body, { n: 3 })).toEqual([]);
});

it('indices that are taken apart and put together in another shape', async () => {
  const body = (k: KernelContext): void => {
    const rows = k.iota(4).expand(1).mul(100) as Any;
    const flat = rows.add(k.iota(24).expand(0).mul(3)).reshape([96]);
    const cube = (k.iota(96).mul(3).rem(7).reshape([4, 6, 4]) as Any)
      .mul(20)
      .add(k.iota(6).expand(1).expand(0));
    keep(k, 'flat', k.input('x', 'f32', [400]).load([flat]));
    keep(k, 'cube', k.input('y', 'f32', [160]).load([cube]));
    keep(k, 'both', k.input('z', 'f32', [160]).load([cube.reshape([96])]));
  };
  expect(await judged(body)).toEqual([]);
});

it('tiles at an address that the loop carries are not read ahead', async () => {
  const body = (k: KernelContext): void => {
    const a = k.input('a', 'f16', [64, 32]);
    const b = whole(k, 'b', 'f16', [32, 32]);
    const start = { row: k.scalar('from', 'i32'), c: k.zeros([32, 32]) };
    const { c } = k.loop({ to: k.scalar('n', 'i32') }, start, (_, { row, c }) => {
      const at = [row.add(k.iota(32)).expand(1), k.iota(32).expand(0)];
      return { row: row.mul(2).add(1), c: k.dot(a.load(at) as Any, b, c as Any) as Any };
    });
    keep(k, 'c', c);
  };
  expect(await judged(body, { from: 2, n: 3 })).toEqual([]);
});

it('scalars of a tensor that is also written are read where they stand, in loops too', async () => {
  const body = (k: KernelContext): void => {
    const x = k.inout('x', 'f32', [8]);
    const first = x.load([0]);
    x.store([0], first.add(1));
    x.store([1], x.load([0]).mul(3));
    x.store([2], first);
    const turn = k.inout('turn', 'f32', [64]);
    const i = k.iota(64);
    k.loop({ to: 3 }, {}, () => {
      turn.store([i], turn.load([i.neg().add(63)]).add(1));
      return {};
    });
  };
  expect(await judged(body)).toEqual([]);
});

it.each([
  { stages: 2, producers: 0 },
  { stages: 3, producers: 0 },
  { stages: 2, producers: 1 },
])('numbers that a step is addressed by: %j', async (tile) => {
  const body = (k: KernelContext): void => {
    const a = k.input('a', 'f16', [96, 32]);
    const first = k.input('first', 'i32', [8]);
    const b = whole(k, 'b', 'f16', [32, 32]);
    const { c } = k.loop({ to: k.scalar('n', 'i32') }, { c: k.zeros([32, 32]) }, (i, { c }) => {
      const row = first
        .at(i)
        .add(first.at(i.add(1)).mul(8))
        .add(k.iota(32));
      const at = [row.expand(1), k.iota(32).expand(0)];
      return { c: k.dot(a.load(at) as Any, b, c as Any) as Any };
    });
    keep(k, 'c', c);
  };
  for (const n of [0, 1, 5]) {
    const c = makeCase('k', body, { scalars: { n }, data: { first: [3, 0, 5, 1, 7, 2, 0, 0] } });
    expect(await disagreements({ ...c, kernel: { ...c.kernel, tile } }, [simulator('cuda:sm_80')])).toEqual(
      [],
    );
  }
});
