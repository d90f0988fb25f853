import { describe, expect, it } from 'vitest';
import { PatcError } from '../../../compiler/diagnostics/error.ts';
import type { Kernel, Op } from '../../../compiler/ir/nodes.ts';
import { parseKernel } from '../../../compiler/ir/parse.ts';
import { verifyKernel, violations } from '../../../compiler/ir/verify.ts';
import { everything } from '../../dsl/kernels.ts';

const header = `scalar n: i32
  scalar f: f32
  input x: f16[n, 8]
  output y: f32[n]
  inout z: i32[4]
  %c = const true : bool
  %m = const 1 : tile<4x8xf16>
  %v = const 1 : tile<4xf32>
  %i = iota : tile<4xi32>
  %j = const 0 : i32`;

/** The violations of a body, as line (of the body): message. */
function check(body: string): string {
  const text = `kernel k {\n  ${header}\n${body}\n}`;
  const offset = header.split('\n').length + 1;
  return violations(parseKernel(text, 'k.tile', { verify: false }))
    .map((d) => `${d.span!.line - offset}: ${d.message}`)
    .join('\n');
}

describe('verifier', () => {
  it('accepts what the tracer makes', () => {
    expect(violations(everything.trace({}, {}))).toEqual([]);
  });

  it.each([
    ['%a = add %m, %v : tile<4xf32>', 'add: elements differ, f16 and f32'],
    ['%a = add %i, %j : tile<4xi32>', 'add: shapes differ, tile<4xi32> and i32'],
    ['%a = exp %i : tile<4xi32>', 'exp takes a float'],
    ['%a = not %j : i32', 'not takes bool'],
    ['%a = shl %v, %v : tile<4xf32>', 'shl takes an integer'],
    ['%a = lt %v, %v : tile<4xf32>', 'lt gives tile<4xbool>, declared as tile<4xf32>'],
    ['%a = select %c, %v, %v : tile<4xf32>', 'where: shapes differ'],
    ['%a = cast %v : tile<5xf16>', 'cast keeps the shape'],
    ['%a = cast %v : tile<4xbool>', 'cast to bool does not exist'],
    ['%a = broadcast %v : tile<8x4xf32>', 'does not broadcast'],
    ['%a = reshape %v : tile<5xf32>', 'reshape keeps the elements'],
    ['%a = transpose %m [0, 0] : tile<8x4xf16>', 'not a permutation'],
    ['%a = reduce_sum %v axis 1 : f32', 'has no axis 1'],
    ['%a = reduce_max %c axis 0 : bool', 'has no axis 0'],
    ['%a = dot %m, %m : tile<4x8xf32>', 'inner extents differ, 8 and 4'],
    ['%a = dot %v, %m : tile<4x8xf32>', 'multiplies two matrices'],
    ['%a = const 0.1 : f16', 'is not a f16; the nearest is'],
    ['%a = const 1.5 : i32', 'not an integer'],
    ['%a = const 3000000000 : i32', 'outside'],
    ['%a = const true : i32', 'not a number'],
    ['%a = iota : tile<4xf32>', 'iota gives [n] of i32'],
    ['%a = program_id 3 : i32', 'axis is 0, 1 or 2'],
    ['%a = load x[%i] : tile<4xf16>', 'has 2 dimensions, but 1 indices'],
    ['%a = load x[%i, %v] : tile<4xf16>', 'an index is i32'],
    ['%a = load x[%i, %j] : tile<5xf16>', 'does not stretch to [5]'],
    ['%a = load x[%i, %j] : tile<4xf32>', 'holds f16, not f32'],
    ['%a = load x[%i, %j] mask %c : tile<4xf16>', 'mask is bool'],
    ['%a = load x[%i, %j] other %v : tile<4xf16>', '`other` is tile<4xf32>'],
    ['%a = load x[%i, %j] evict_first %j : tile<4xf16>', 'evictFirst is i32; a bool scalar'],
    ['%a = load y[%i] : tile<4xf32>', 'is an output'],
    ['store x[%i, %j] = %v', 'which is declared input'],
    ['store y[%i] = %i', 'which holds f32'],
    ['atomic_add y[%i] = %v', 'which is declared output'],
    ['for %k = %j to %f step 1 {\n}', 'bound `%f` is f32, not i32'],
    ['for %k = %j to %n step 0 {\n}', 'for: step 0'],
    [
      '%r = for %k = %j to %n step 1 carry %a = %v : tile<4xf32> {\n yield %i\n}',
      'yielded values: `%i` is tile<4xi32>',
    ],
    ['%r = for %k = %j to %n step 1 carry %a = %v : tile<4xf32> {\n}', 'yielded values: 0 where 1'],
    ['for %k = %j to %n step 1 {\n %q = const 1 : i32\n}\n%w = neg %q : i32', 'not visible here'],
    ['%r = if %c {\n yield %v\n} else {\n yield %i\n}', 'if yields: `%i`'],
    ['%r = if %c {\n yield %v\n}', 'if yields: 0 where 1'],
    ['if %j {\n}', 'a scalar bool is needed'],
    [
      '%r = rows %j to %n carry %a = %v : tile<4xf32> {\n store y[%i] = %v\n yield %a\n}',
      'store inside rows',
    ],
    ['%r = rows %j to %n carry %a = %f : f32 {\n yield %a\n}', 'must share the extent of axis 0'],
    ['ragged %e = %j to %n trips {\n yield %f\n} each %e2, %t {\n}', 'trips has f32, not i32'],
    [
      'ragged %e = %j to %n trips {\n atomic_add z[%j] = %j\n yield %j\n} each %e2, %t {\n}',
      'atomic inside the trips',
    ],
  ])('rejects %s', (body, message) => {
    expect(check(body)).toContain(message);
  });

  it('reports all violations of a kernel, each at its line', () => {
    const found = check(
      '%a = exp %i : tile<4xi32>\n%b = add %v, %v : tile<4xf32>\n%d = not %b : tile<4xf32>',
    );
    expect(found.split('\n').map((line) => line[0])).toEqual(['1', '3']);
  });

  describe('what text cannot say', () => {
    const kernel = (): Kernel => everything.trace({}, {});
    const message = (k: Kernel): string => {
      try {
        verifyKernel(k);
        return '';
      } catch (error) {
        expect((error as PatcError).code).toBe('PAT0202');
        return (error as PatcError).diagnostics.map((d) => d.message).join('\n');
      }
    };
    const withOps = (k: Kernel, edit: (ops: Op[]) => Op[]): Kernel => ({
      ...k,
      body: { ...k.body, ops: edit([...k.body.ops]) },
    });

    it('an op twice, an op before what it uses, a parameter of another kernel', () => {
      expect(message(withOps(kernel(), (ops) => [...ops.slice(0, 3), ...ops.slice(2)]))).toContain(
        'is defined twice',
      );
      expect(message(withOps(kernel(), (ops) => ops.toReversed()))).toContain('before it is defined');
      expect(message({ ...kernel(), params: everything.trace({}, {}).params })).toContain(
        'is not a parameter of this kernel',
      );
    });

    it('an op without a span, names taken twice, dims without an argument', () => {
      const k = kernel();
      expect(message(withOps(k, (ops) => ops.map((op) => ({ ...op, span: undefined }) as never)))).toContain(
        'has no span',
      );
      expect(message({ ...k, params: [...k.params, k.params[0]!] })).toContain('two parameters are named');
      const params = k.params.filter((p) => p.name !== 'pitch');
      expect(message({ ...k, params })).toContain('`pitch` is not an i32 scalar');
    });
  });
});
