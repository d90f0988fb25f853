import { expect, it } from 'vitest';
import fc from 'fast-check';
import type { Kernel, Op, Value } from '../../../compiler/ir/nodes.ts';
import { resultsOf } from '../../../compiler/ir/nodes.ts';
import { parseKernel } from '../../../compiler/ir/parse.ts';
import { printKernel } from '../../../compiler/ir/print.ts';
import {
  cloneRegion,
  definitions,
  freeValues,
  nextId,
  rewriteKernel,
  useCounts,
  walk,
} from '../../../compiler/ir/rewrite.ts';
import { verifyKernel } from '../../../compiler/ir/verify.ts';
import { everything } from '../../dsl/kernels.ts';
import { randomPrograms } from '../../support/random-program.ts';

const text = `kernel k {
  scalar n: i32
  inout y: f32[n]
  %a = const 2 : f32
  %0 = const 0 : i32
  %r = for %i = %0 to %n step 1 carry %c = %a : f32 {
    %b = add %c, %a : f32
    %unused = mul %b, %b : f32
    yield %b
  }
  store y[%0] = %r
}
`;
const kernel = (): Kernel => parseKernel(text, 'k.tile');
const show = (k: Kernel): string => printKernel(k, { locations: false });
const find = (k: Kernel, name: string): Value =>
  [...definitions(k.body).keys()].find((v) => v.name === name)!;

it('an empty rewrite changes nothing', () => {
  fc.assert(
    fc.property(randomPrograms(), (p) => {
      const again = rewriteKernel(p.kernel, () => {});
      verifyKernel(again);
      expect(printKernel(again)).toBe(printKernel(p.kernel));
    }),
    { numRuns: 50, verbose: 1 },
  );
});

it('counts uses in ops and yields', () => {
  const k = kernel();
  const counts = useCounts(k.body);
  const used = (name: string): number | undefined => counts.get(find(k, name));
  expect([used('a'), used('b'), used('unused'), used('r')]).toEqual([2, 3, undefined, 1]);
});

it('finds what a loop reads from outside', () => {
  const k = kernel();
  const loop = k.body.ops.find((op) => op.op === 'for')!;
  expect([...freeValues(loop)].map((v) => v.name ?? v.id).sort()).toEqual(['a', 'n', 2].sort());
});

it('removes an op, replaces a value everywhere, emits others in front', () => {
  const k = kernel();
  const counts = useCounts(k.body);
  const out = rewriteKernel(k, (op, r) => {
    if (op.op === 'binary' && !counts.has(op.result)) return true;
    if (op.op !== 'binary' || op.fn !== 'add') return false;
    const twice = r.fresh(op.result.type, 'twice');
    r.emit({ op: 'unary', fn: 'exp', a: op.a, result: twice, span: op.span });
    r.replace(op.result, twice);
    return true;
  });
  verifyKernel(out);
  expect(show(out)).toContain(`{
    %twice = exp %c : f32
    yield %twice
  }`);
});

it('hoists an op out of a loop', () => {
  const k = parseKernel(text.replace('add %c, %a', 'add %a, %a'), 'k.tile');
  const out = rewriteKernel(k, (op, r) => {
    if (op.op !== 'for') return false;
    const kept: Op[] = [];
    for (const inner of op.body.ops)
      if (inner.op === 'binary' && inner.fn === 'add') r.op(inner);
      else kept.push(inner);
    r.keep({ ...op, body: { ...op.body, ops: kept } });
    return true;
  });
  verifyKernel(out);
  expect(show(out).indexOf('%b = add')).toBeLessThan(show(out).indexOf('for %i'));
});

it('clones regions under new values', () => {
  const k = everything.trace({}, {});
  let id = nextId(k);
  const copy = cloneRegion(k.body, new Map(), (type, name) =>
    name === undefined ? { id: id++, type } : { id: id++, type, name },
  );
  const cloned = { ...k, body: copy };
  verifyKernel(cloned);
  expect(printKernel(cloned)).toBe(printKernel(k));
  const old = new Set<Value>();
  walk(k.body, (op) => resultsOf(op).forEach((v) => old.add(v)));
  walk(copy, (op) => resultsOf(op).forEach((v) => expect(old.has(v)).toBe(false)));
});
