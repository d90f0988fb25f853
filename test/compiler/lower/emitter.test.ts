/** Where statements are placed: as far out as what they read allows, once, and under which conditions. */
import { describe, expect, it } from 'vitest';
import {
  Emitter,
  exprKey,
  predicate,
  underWarpCondition,
  type Scope,
} from '../../../compiler/lower/emitter.ts';
import {
  add,
  bitcast,
  blockId,
  compare,
  constB,
  constF,
  constI,
  convert,
  element,
  fma,
  guard,
  loadGlobal,
  mul,
  pack,
  param,
  rangeOf,
  round,
  select,
  threadId,
  unary,
  unpack,
  varRef,
} from '../../../compiler/thread/build.ts';
import type { Expr, GlobalBuffer, Stmt } from '../../../compiler/thread/nodes.ts';
import type { Region } from '../../../compiler/ir/nodes.ts';
import type { Span } from '../../../compiler/ir/span.ts';

const span: Span = { file: 'kernel.ts', line: 1, column: 1 };
const region: Region = { params: [], ops: [], yields: [] };

/** Runs `build` in a scope of its own with a loop in it, and says how many declarations each holds. */
function inLoop(build: (e: Emitter, outer: Scope, i: Expr) => void): { outside: number; inside: number } {
  const e = new Emitter(span);
  const outer = e.open({ region }, (scope) => {
    e.loop('i', constI(0), param('n', 'i32'), 1, undefined, (i) => build(e, scope, i));
  });
  const declared = (stmts: readonly Stmt[]): number => stmts.filter((s) => s.s === 'declare').length;
  const loop = outer.stmts.find((s) => s.s === 'for')!;
  return { outside: declared(outer.stmts), inside: declared(loop.s === 'for' ? loop.body : []) };
}

describe('a value is computed', () => {
  const twice = add(mul(threadId(), 3), 1);
  it('outside of a loop where nothing of it is of the loop', () => {
    expect(inLoop((e, outer) => void e.once('v', 'key', twice, outer))).toEqual({ outside: 1, inside: 0 });
  });
  it('inside of it where it is of the loop’s number, of its registers, or is to stay there', () => {
    const inside = { outside: 0, inside: 1 };
    expect(inLoop((e, outer, i) => void e.once('v', 'key', add(i, 1), outer))).toEqual(inside);
    expect(inLoop((e) => void e.once('v', 'key', twice, e.top))).toEqual(inside);
    const held = inLoop((e, outer) => {
      e.once('v', 'key', add(varRef(e.scalar('s', 'i32')), 1), outer);
      e.once('w', 'other', add(element(e.array('a', 'i32', 4), 2), 1), outer);
    });
    expect(held).toEqual({ outside: 0, inside: 4 });
  });
  it('once: what has been computed for a scope is found in it and inside, and not beside it', () => {
    const e = new Emitter(span);
    e.open({ region }, (outer) => {
      const first = e.once('v', 'key', twice, outer);
      e.unrolled('i', 4, () => expect(e.once('v', 'key', twice, outer)).toBe(first));
      expect(outer.stmts.filter((s) => s.s === 'declare').length).toBe(1);
      let inside: Expr | undefined;
      e.unrolled('i', 4, (i) => (inside = e.once('w', 'of i', add(i, 1), outer)));
      expect(e.cached('of i')).toBeUndefined();
      e.unrolled('i', 4, (i) => expect(e.once('w', 'of i', add(i, 1), outer)).not.toBe(inside));
    });
  });
  it('for an enclosing scope as if that were the innermost', () => {
    const e = new Emitter(span);
    e.open({ region }, (outer) => {
      e.open({}, (inner) => {
        e.at(outer, () => {
          expect(e.top).toBe(outer);
          expect(e.instance(region)).toBe(outer);
        });
        expect(e.top).toBe(inner);
        expect(e.instance(region)).toBe(outer);
      });
      expect(() => e.instance({ ...region })).toThrow('not open');
    });
  });
});

describe('loops', () => {
  it('know the range of their number', () => {
    const e = new Emitter(span);
    e.open({}, () => {
      e.unrolled('i', 4, (i) => expect(rangeOf(i)).toMatchObject({ lo: 0, hi: 3 }));
      e.loop('i', constI(2), constI(8), 1, undefined, (i) =>
        expect(rangeOf(i)).toMatchObject({ lo: 2, hi: 7 }),
      );
    });
  });
  it('of one trip are none', () => {
    const e = new Emitter(span);
    const { stmts } = e.open({}, (scope) => {
      e.unrolled('i', 1, (i) => {
        expect(i).toEqual(constI(0));
        expect(e.top).toBe(scope);
        e.scalar('v', 'i32');
      });
    });
    expect(stmts.map((s) => s.s)).toEqual(['declare']);
  });
});

it('a condition that always holds is no predicate', () => {
  const cond = compare('lt', threadId(), constI(3));
  expect(predicate(constB(true))).toEqual({});
  expect(predicate(constB(false))).toEqual({ pred: constB(false) });
  expect(predicate(cond)).toEqual({ pred: cond });
});

it('what all threads of a block take together, the threads of a warp do under a condition of the warp', () => {
  const when = (uniform: 'block' | 'warp' | 'none', body: Stmt[] = []): Stmt => ({
    s: 'if',
    span,
    cond: constB(true),
    uniform,
    then: body,
    else: body,
  });
  const loops = (body: Stmt[]): Stmt[] => {
    const e = new Emitter(span);
    return e.open({}, () => {
      e.loop('i', constI(0), constI(2), 1, undefined, () => body.forEach((s) => e.emit(s)));
      e.emit({ s: 'while', span, cond: constB(true), body });
    }).stmts;
  };
  const all = (uniform: 'block' | 'warp'): Stmt[] => loops([when(uniform, [when(uniform), when('none')])]);
  const kinds = (stmts: readonly Stmt[]): unknown[] =>
    stmts.map((s) => {
      if (s.s === 'if') return [s.uniform, kinds(s.then), kinds(s.else)];
      return s.s === 'for' || s.s === 'while' ? [s.s, kinds(s.body)] : s.s;
    });
  expect(kinds(underWarpCondition(all('block')))).toEqual(kinds(all('warp')));
  expect(kinds(underWarpCondition(all('warp')))).toEqual(kinds(all('warp')));
});

it('different expressions have different keys, the same the same', () => {
  const e = new Emitter(span);
  e.open({}, () => {
    const v = e.scalar('v', 'i32');
    const f = e.scalar('f', 'f32');
    const a = e.array('a', 'i32', 4);
    const buffer: GlobalBuffer = { name: 'x', element: 'f32', access: 'read', length: constI(64) };
    const make = (): Expr[] => [
      constI(1),
      constI(2),
      constB(true),
      varRef(v),
      varRef(f),
      element(a, 1),
      element(a, varRef(v)),
      param('n', 'i32'),
      param('m', 'i32'),
      threadId(),
      blockId(0),
      blockId(1),
      unary('neg', varRef(v)),
      unary('abs', varRef(v)),
      add(varRef(v), threadId()),
      mul(varRef(v), threadId()),
      compare('lt', varRef(v), threadId()),
      compare('lt', threadId(), varRef(v)),
      select(compare('lt', varRef(v), threadId()), varRef(v), threadId()),
      fma(varRef(f), varRef(f), constF(2)),
      fma(varRef(f), constF(2), varRef(f)),
      convert('f32', varRef(v)),
      convert('u32', varRef(v)),
      bitcast('f32', varRef(v)),
      bitcast('u32', varRef(v)),
      round('f16', varRef(f)),
      round('bf16', varRef(f)),
      pack('f16', varRef(f), constF(2)),
      pack('f16', constF(2), varRef(f)),
      pack('bf16', varRef(f), constF(2)),
      unpack('f16', varRef(v), 0),
      unpack('f16', varRef(v), 1),
      unpack('bf16', varRef(v), 0),
      loadGlobal(buffer, varRef(v)),
      loadGlobal({ ...buffer, name: 'y' }, varRef(v)),
      loadGlobal(buffer, threadId()),
      guard(compare('lt', varRef(v), threadId()), loadGlobal(buffer, varRef(v)), constF(0)),
      guard(compare('lt', varRef(v), threadId()), loadGlobal(buffer, varRef(v)), constF(1)),
    ];
    expect(new Set(make().map(exprKey)).size).toBe(make().length);
    expect(make().map(exprKey)).toEqual(make().map(exprKey));
  });
});
