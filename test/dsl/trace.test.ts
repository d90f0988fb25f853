import { describe, expect, it } from 'vitest';
import { kernel, tune } from '../../dsl/index.ts';
import { regionsOf, resultsOf, type Op } from '../../compiler/ir/nodes.ts';
import { walk } from '../../compiler/ir/rewrite.ts';
import { verifyKernel } from '../../compiler/ir/verify.ts';
import { printKernel, valueNames } from '../../compiler/ir/print.ts';
import { everything, rowSoftmax } from './kernels.ts';

const lineOf = (op: Op): number => op.span.line;

describe('tracing', () => {
  it('gives verified Tile IR for every element type and tile', () => {
    for (const dtype of ['f32', 'f16', 'bf16'])
      for (const rows of [1, 2, 4]) verifyKernel(rowSoftmax.trace({ dtype }, { rows }));
    for (const m of [16, 32]) verifyKernel(everything.trace({}, { m }));
  });

  it('traces row softmax to this', () => {
    expect(printKernel(rowSoftmax.trace({ columns: 8 }, { rows: 2 }), { locations: false }))
      .toMatchInlineSnapshot(`
      "kernel row_softmax {
        spec columns = 8, dtype = "f32"
        tile rows = 2
        scalar n: i32
        input x: f32[n, 8]
        output y: f32[n, 8]

        %0 = program_id 0 : i32
        %1 = const 2 : i32
        %2 = mul %0, %1 : i32
        %3 = iota : tile<2xi32>
        %4 = broadcast %2 : tile<2xi32>
        %row = add %4, %3 : tile<2xi32>
        %5 = broadcast %n : tile<2xi32>
        %live = lt %row, %5 : tile<2xbool>
        %column = iota : tile<8xi32>
        %6 = reshape %row : tile<2x1xi32>
        %7 = reshape %column : tile<1x8xi32>
        %8 = reshape %live : tile<2x1xbool>
        %9 = broadcast %8 : tile<2x8xbool>
        %10 = const 0 : f32
        %t = load x[%6, %7] mask %9 other %10 : tile<2x8xf32>
        %11 = reduce_max %t axis 1 : tile<2xf32>
        %12 = reshape %11 : tile<2x1xf32>
        %13 = broadcast %12 : tile<2x8xf32>
        %14 = sub %t, %13 : tile<2x8xf32>
        %p = exp %14 : tile<2x8xf32>
        %15 = reduce_sum %p axis 1 : tile<2xf32>
        %16 = reshape %15 : tile<2x1xf32>
        %17 = broadcast %16 : tile<2x8xf32>
        %18 = div %p, %17 : tile<2x8xf32>
        %19 = reshape %live : tile<2x1xbool>
        %20 = broadcast %19 : tile<2x8xbool>
        store y[%6, %7] = %18 mask %20
      }
      "
    `);
  });

  it('is deterministic', () => {
    expect(printKernel(everything.trace({}, {}))).toBe(printKernel(everything.trace({}, {})));
  });

  it('gives every op the line and column of the call', () => {
    const k = kernel('place', {}, (k) => {
      const x = k.iota(4);
      // prettier-ignore
      x
        .add(1)
        .mul(2);
    }).trace({}, {});
    const column = (text: string): number => text.length + 1;
    expect(k.span.file).toBe('test/dsl/trace.test.ts');
    const first = k.body.ops[0]!;
    expect(first.span.column).toBe(column('      const x = k.'));
    const binaries = k.body.ops.filter((op) => op.op === 'binary');
    expect(binaries.map(lineOf)).toEqual([lineOf(first) + 3, lineOf(first) + 4]);
    expect(binaries.map((op) => op.span.column)).toEqual([column('        .'), column('        .')]);
  });

  it('keeps the chain of author calls, and not that of the tool', () => {
    const traced = kernel('chain', {}, (k) => {
      const half = (): unknown => k.zeros([2], 'f16');
      const outer = (): unknown => half();
      outer();
      k.iota(2);
    }).trace({}, {});
    const [inside, outside] = traced.body.ops;
    expect(inside!.span.chain?.map((s) => s.line)).toEqual([inside!.span.line + 1, inside!.span.line + 2]);
    expect(outside!.span.chain).toBeUndefined();
  });

  it("takes the author's variable names", () => {
    const k = kernel('names', {}, (k) => {
      const a = k.iota(4);
      const sum = a
        .add(1)
        // a comment, with ( brackets ] and a `template`
        .mul(3);
      const text = ')(';
      const { p } = { p: k.const(text.length, 'i32') };
      const later = k.full([4], 1, 'i32').add(p);
      const last = sum.sub(later);
      const twice = last.add(sum.mul(2));
      const pick = text ? twice.neg() : twice;
      const same = pick.cast('i32').abs();
      same.max(0);
      let again = same.neg();
      again = again.add(1);
      again.max(2);
      const nested = [k.iota(3).add(1)];
      nested.length = 0;
    }).trace({}, {});
    const names = [...valueNames(k)].filter(([v]) => v.name).map(([, n]) => n);
    expect(names).toEqual(['a', 'sum', 'later', 'last', 'twice', 'same', 'again', 'again_1']);
  });

  it('names carried values after their keys', () => {
    const k = everything.trace({}, {});
    const names: string[] = [];
    walk(k.body, (op) => {
      if (regionsOf(op).length > 0) names.push(...resultsOf(op).map((v) => v.name!));
    });
    expect(names).toEqual(['acc', 'acc', 'z', 'z']);
  });

  it('specialises: spec and tile numbers reach the function and the kernel', () => {
    const seen: unknown[] = [];
    const template = kernel(
      't',
      { spec: { width: 8, dtype: 'f16' }, tile: { rows: tune(2, 4), fixed: 3 } },
      (_, numbers) => void seen.push(numbers),
    );
    expect(template.tile).toEqual({ rows: [2, 4], fixed: [3] });
    expect(template.trace({}, {}).tile).toEqual({ rows: 2, fixed: 3 });
    expect(template.trace({ width: 16 }, { rows: 4 }).spec).toEqual({ width: 16, dtype: 'f16' });
    expect(seen.at(-1)).toEqual({ width: 16, dtype: 'f16', rows: 4, fixed: 3 });
  });

  it('declares named dimensions and strides once, as i32 scalars before the tensors that use them', () => {
    const k = kernel('dims', {}, (k) => {
      k.input('a', 'f32', ['n', 'm'], { strides: ['pitch', 1] });
      k.input('b', 'f32', ['m']);
      k.scalar('n2', 'u32');
    }).trace({}, {});
    expect(k.params.map((p) => p.name)).toEqual(['n', 'm', 'pitch', 'a', 'b', 'n2']);
  });

  it('rounds constants to their element', () => {
    const k = kernel('round', {}, (k) => {
      k.const(0.1, 'f16');
      k.const(0.1, 'bf16');
      k.const(0.1, 'f32');
      k.const(-Infinity, 'bf16');
    }).trace({}, {});
    expect(k.body.ops.map((op) => op.op === 'const' && op.value)).toEqual([
      0.0999755859375,
      0.10009765625,
      Math.fround(0.1),
      -Infinity,
    ]);
  });

  it('survives a source that cannot be read and a stack that is not text', () => {
    const make = new Function(
      'kernel',
      "return kernel('generated', {}, (k) => { const x = k.iota(4); x.add(1); })",
    );
    const template = make(kernel) as ReturnType<typeof kernel>;
    expect(template.trace({}, {}).body.ops).toHaveLength(4);
    const prepare = Error.prepareStackTrace;
    Error.prepareStackTrace = (_, sites) => sites;
    try {
      const k = rowSoftmax.trace({}, {});
      expect(k.body.ops[0]!.span.line).toBe(0);
      verifyKernel(k);
    } finally {
      if (prepare) Error.prepareStackTrace = prepare;
      else delete (Error as { prepareStackTrace?: unknown }).prepareStackTrace;
    }
  });
});
