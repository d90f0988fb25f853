import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as b from '../../../compiler/thread/build.ts';
import { foldBinary, foldCompare, roundHalf } from '../../../compiler/thread/fold.ts';
import type { BinaryName, Expr, Var } from '../../../compiler/thread/nodes.ts';
import { printExpr } from '../../../compiler/thread/print.ts';

const t = b.threadId();
const show = (e: Expr): string => printExpr(e);

/** Evaluates an integer expression without any simplification. */
function evaluate(e: Expr, env: ReadonlyMap<Var, number>, thread: number): number {
  const at = (x: Expr): number => evaluate(x, env, thread);
  switch (e.e) {
    case 'const':
      return Number(e.value);
    case 'threadId':
      return thread;
    case 'var':
      return env.get(e.var)!;
    case 'binary': {
      const [x, y] = [at(e.a), at(e.b)];
      if (Number.isNaN(x) || Number.isNaN(y)) return NaN;
      return Number(foldBinary(e.fn, e.type, x, y) ?? NaN);
    }
    case 'compare':
      return Number(foldCompare(e.fn, at(e.a), at(e.b)));
    case 'select':
      return at(e.cond) ? at(e.a) : at(e.b);
    default:
      throw new Error(e.e);
  }
}

describe('constructors', () => {
  it('folds and simplifies addresses', () => {
    expect(show(b.add(b.add(t, 3), 4))).toBe('thread + 7');
    expect(show(b.add(b.add(t, 3), b.mul(t, 8)))).toBe('thread + thread * 8 + 3');
    expect(show(b.mul(b.add(t, 3), 4))).toBe('thread * 4 + 12');
    expect(show(b.sub(t, 3))).toBe('thread - 3');
    expect(show(b.div(b.add(b.mul(t, 16), 5), 8))).toBe('thread * 2');
    expect(show(b.rem(b.add(b.mul(t, 16), 5), 8))).toBe('5');
    expect(show(b.rem(b.rem(t, 32), 32))).toBe('thread % 32');
    expect(show(b.div(t, 1024))).toBe('0');
    expect(show(b.lt(b.rem(t, 32), 32))).toBe('true');
    expect(show(b.xor(b.xor(t, 5), 3))).toBe('thread ^ 6');
  });

  it('does not simplify what is not exact', () => {
    const x: Var = { id: 0, name: 'x', type: 'i32' };
    const f: Var = { id: 1, name: 'f', type: 'f32' };
    expect(show(b.div(b.mul(b.varRef(x), 8), 8))).toBe('x * 8 / 8');
    expect(show(b.add(b.varRef(f), 0))).toBe('f + 0.0');
    expect(show(b.mul(b.varRef(f), 0))).toBe('f * 0.0');
    expect(() => b.add(b.varRef(x), b.varRef(f))).toThrow('PAT0305');
  });

  it('keeps the value of random integer expressions', () => {
    const v: Var = { id: 0, name: 'v', type: 'i32' };
    const n: Var = { id: 1, name: 'n', type: 'i32' };
    b.noteRange(n, 0, 63);
    const fns: BinaryName[] = [
      'add',
      'sub',
      'mul',
      'div',
      'rem',
      'min',
      'max',
      'and',
      'or',
      'xor',
      'shl',
      'shr',
    ];
    const { tree } = fc.letrec<{ tree: Pair }>((tie) => ({
      tree: fc.oneof(
        { depthSize: 'medium', withCrossShrink: true },
        fc
          .oneof(
            fc.constantFrom(t, b.varRef(v), b.varRef(n)),
            fc.oneof(fc.integer({ min: -9, max: 40 }), fc.integer()).map((c) => b.constI(c)),
          )
          .map((e): Pair => ({ plain: e, built: e })),
        fc.tuple(fc.constantFrom(...fns), tie('tree'), tie('tree')).map(([fn, x, y]): Pair => ({
          plain: { e: 'binary', type: 'i32', fn, a: x.plain, b: y.plain },
          built: b.binaryOf(fn, x.built, y.built),
        })),
      ),
    }));
    fc.assert(
      fc.property(tree, fc.integer(), fc.nat(63), fc.nat(1023), (pair, x, y, thread) => {
        const env = new Map([
          [v, x],
          [n, y],
        ]);
        const plain = evaluate(pair.plain, env, thread);
        // Division by zero and shifts past the word have no value.
        if (Number.isNaN(plain)) return;
        expect(evaluate(pair.built, env, thread)).toBe(plain);
      }),
      { numRuns: 3000 },
    );
  });

  it('rounds to the half types', () => {
    const bits = (to: 'f16' | 'bf16', x: number): number => roundHalf(to, Math.fround(x));
    expect(bits('f16', 1 + 2 ** -11)).toBe(1);
    expect(bits('f16', 1 + 3 * 2 ** -11)).toBe(1 + 2 ** -9);
    expect(bits('f16', 65519)).toBe(65504);
    expect(bits('f16', 65520)).toBe(Infinity);
    expect(bits('f16', 2 ** -25)).toBe(0);
    expect(bits('f16', 1.5 * 2 ** -24)).toBe(2 ** -23);
    expect(bits('bf16', 1 + 2 ** -8)).toBe(1);
    expect(bits('bf16', -(1 + 3 * 2 ** -8))).toBe(-(1 + 2 ** -6));
  });
});

interface Pair {
  plain: Expr;
  built: Expr;
}
