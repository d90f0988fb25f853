/** Products of a warpgroup that go on by themselves, and the mistakes one makes with them. */
import { describe, expect, it } from 'vitest';
import { wgmmaCase } from '../../../../bench/smoke/cases.ts';
import { wgmmaTile, wgmmaTiles } from '../../../../bench/smoke/kernels-wgmma.ts';
import { simulateRequest } from '../../../../backends/cpu/simulator/index.ts';
import { Random } from '../../../../compiler/ir/numeric.ts';
import * as b from '../../../../compiler/thread/build.ts';
import { mapStmts } from '../../../../compiler/thread/build.ts';
import type { Stmt, ThreadKernel } from '../../../../compiler/thread/nodes.ts';
import { errorsOf } from './kit.ts';

const [nk, kn] = wgmmaTiles as [(typeof wgmmaTiles)[0], (typeof wgmmaTiles)[0]];

/** Runs a kernel with some statements replaced; each statement's line is as the kernel's author counts them. */
function run(tile: typeof nk, change: (s: Stmt) => readonly Stmt[] = (s) => [s]) {
  const { request, check } = wgmmaCase(tile, new Random(7));
  const [kernel] = request.kernels as [ThreadKernel];
  const body = mapStmts(kernel.body, { stmt: change });
  const { reports, outputs } = simulateRequest({ ...request, kernels: [{ ...kernel, body }] });
  return { errors: errorsOf(reports[0]!), right: check(outputs) <= 1 };
}

const without = (kind: Stmt['s']) => (s: Stmt) => (s.s === kind ? [] : [s]);
const onProducts = (f: (s: Extract<Stmt, { s: 'wgmma' }>) => Stmt) => (s: Stmt) => [
  s.s === 'wgmma' ? f(s) : s,
];

describe('products of a warpgroup', () => {
  it.each(wgmmaTiles)('are right, and silent: $element $order', (tile) => {
    expect(run(tile)).toEqual({ errors: [], right: true });
  });

  it('43: the accumulators are read without a wait', () => {
    expect(run(kn, without('wgmmaWait'))).toEqual({ errors: ['PAT0406 4'], right: false });
  });

  it('43: the wait leaves the group pending', () => {
    const { errors, right } = run(kn, (s) => [s.s === 'wgmmaWait' ? { ...s, pending: 1 } : s]);
    expect({ errors, right }).toEqual({ errors: ['PAT0406 4'], right: false });
  });

  it('44: the products are not committed', () => {
    expect(run(nk, without('wgmmaCommit'))).toEqual({ errors: ['PAT0406 4'], right: false });
  });

  it('45: no proxy fence between the copies of the operand and the products', () => {
    expect(run(nk, without('proxyFence')).errors).toEqual(['PAT0401 2']);
  });

  it('46: no fence between the registers and the products', () => {
    expect(run(nk, without('wgmmaFence')).errors).toEqual(['PAT0401 2', 'PAT0401 2']);
  });

  it('47: the operand is overwritten before the wait', () => {
    const tile = wgmmaTile(kn).shared[0]!;
    const { errors, right } = run(kn, (s) => {
      if (s.s !== 'wgmmaWait') return [s];
      const values = [0, 0, 0, 0].map((x) => b.constU(x));
      const store: Stmt = { s: 'storeShared', span: s.span, buffer: tile, offset: b.constI(0), values };
      return [...b.ifThen(s.span, b.eq(b.threadId(), 0), 'none', [store]), s];
    });
    expect(errors).toContain('PAT0401 2 3');
    expect(right).toBe(false);
  });

  it('48: panels, or groups of rows, are taken to lie elsewhere', () => {
    expect(
      run(
        kn,
        onProducts((s) => ({ ...s, leading: 1024, stride: 6144 })),
      ).right,
    ).toBe(false);
    expect(
      run(
        nk,
        onProducts((s) => ({ ...s, stride: 128 })),
      ).right,
    ).toBe(false);
    expect(
      run(
        kn,
        onProducts((s) => ({ ...s, leading: 2 * s.leading })),
      ).errors,
    ).toEqual(['PAT0405 2']);
  });

  it('49: one warp of a group leaves a product out', () => {
    let first = true;
    const { errors } = run(kn, (s) => {
      if (s.s !== 'wgmma' || !first) return [s];
      first = false;
      return b.ifThen(s.span, b.lt(b.threadId(), 224), 'warp', [s]);
    });
    expect(errors).toContain('PAT0403 2 2');
  });
});
