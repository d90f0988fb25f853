/** Where the wait for a group of wgmmas ends up. */
import { describe, expect, it } from 'vitest';
import { lowerKernel } from '../../../compiler/lower/index.ts';
import { lateWaits } from '../../../compiler/lower/late-waits.ts';
import { findTarget } from '../../../compiler/target.ts';
import {
  add,
  constB,
  constI,
  declare,
  element,
  lvalue,
  varRef,
  walkStmts,
} from '../../../compiler/thread/build.ts';
import { bodiesOf, type SharedBuffer, type Stmt, type Var } from '../../../compiler/thread/nodes.ts';
import { forward } from '../../../examples/pat/forward.ts';

const span = { file: 'test', line: 1, column: 1 };
let ids = 0;
const scalar = (name: string): Var => ({ id: ids++, name, type: 'i32' });
const array = (name: string, size: number, type: Var['type']): Var => ({ id: ids++, name, type, size });
const shared: SharedBuffer = { id: 0, name: 'ring', element: 'u32', bytes: 64, offset: 0, span, note: '' };

const acc = array('acc', 32, 'f32');
const a = array('a', 4, 'u32');
const x = scalar('x');

const fence: Stmt = { s: 'wgmmaFence', span, registers: [acc, a] };
const product: Stmt = {
  s: 'wgmma',
  span,
  element: 'f16',
  columns: 64,
  acc: Array.from({ length: 32 }, (_, i) => lvalue(acc, constI(i))),
  a: [0, 1, 2, 3].map((i) => element(a, constI(i))),
  buffer: shared,
  offset: constI(0),
  transposed: false,
  leading: 0,
  stride: 1024,
  accumulate: true,
};
const commit: Stmt = { s: 'wgmmaCommit', span };
const wait: Stmt = { s: 'wgmmaWait', span, pending: 0, registers: [acc] };
const group = [fence, product, commit, wait];
const count: Stmt = { s: 'assign', span, to: { var: x }, value: add(varRef(x), 1) };
const arrive: Stmt = { s: 'mbarrierArrive', span, buffer: shared, offset: constI(0) };
const reads = declare(span, array('copy', 1, 'f32'), undefined);
const usesAcc: Stmt = {
  s: 'assign',
  span,
  to: { var: array('y', 1, 'f32'), index: constI(0) },
  value: element(acc, constI(3)),
};
const changesLeft: Stmt = {
  s: 'assign',
  span,
  to: { var: a, index: constI(0) },
  value: { e: 'const', type: 'u32', value: 0 },
};
const store: Stmt = { s: 'storeShared', span, buffer: shared, offset: constI(0), values: [constI(1)] };
const when = (then: Stmt[], other: Stmt[] = []): Stmt => ({
  s: 'if',
  span,
  cond: constB(true),
  uniform: 'warp',
  then,
  else: other,
});
const loop = (body: Stmt[]): Stmt => ({ s: 'while', span, cond: constB(true), body });

/** Statements as words, `[` and `]` around nested lists. */
const words = (stmts: readonly Stmt[]): string =>
  stmts.map((s) => [s.s, ...bodiesOf(s).map((b) => `[${words(b)}]`)].join(' ')).join(' ');
const tail = (...after: Stmt[]): string => words(lateWaits([...group, ...after]).slice(3));

describe('the wait for a group', () => {
  it('goes past what has nothing to do with it', () => {
    expect(tail(count, reads, loop([count]), count)).toBe('assign declare while [assign] assign wgmmaWait');
    expect(tail(when([count], [count]), arrive)).toBe('if [assign] [assign] wgmmaWait mbarrierArrive');
  });

  it.each<[string, Stmt]>([
    ['reads the result', usesAcc],
    ['overwrites the left operand', changesLeft],
    ['writes shared memory', store],
    ['tells others that a stage is free', arrive],
    ['begins the next group', fence],
    ['waits for copies', { s: 'cpAsyncWait', span, pending: 0 }],
    ['is a barrier', { s: 'barrier', span }],
    ['is a barrier of the warp', { s: 'warpBarrier', span }],
  ])('stops before what %s', (_, s) => {
    expect(tail(count, s)).toBe(`assign wgmmaWait ${s.s}`);
    expect(tail(when([s]), count)).toBe(`wgmmaWait if [${s.s}] [] assign`);
    expect(tail(loop([count, s]))).toBe(`wgmmaWait while [assign ${s.s}]`);
  });

  it('leaves a conditional that has no other branch', () => {
    const inside = (...rest: Stmt[]) => words(lateWaits([when(group), ...rest]));
    const head = 'if [wgmmaFence wgmma wgmmaCommit]';
    expect(inside(count, arrive)).toBe(`${head} [] assign wgmmaWait mbarrierArrive`);
    expect(words(lateWaits([when(group, [count]), count]))).toBe(
      'if [wgmmaFence wgmma wgmmaCommit wgmmaWait] [assign] assign',
    );
    expect(words(lateWaits([when([], group), count]))).toBe(
      'if [] [wgmmaFence wgmma wgmmaCommit wgmmaWait] assign',
    );
    expect(words(lateWaits([loop([...group, count]), count]))).toBe(
      'while [wgmmaFence wgmma wgmmaCommit assign wgmmaWait] assign',
    );
  });

  it('does not leave the statements that its registers are declared in', () => {
    expect(words(lateWaits([when([declare(span, acc), ...group, count]), count]))).toBe(
      'if [declare wgmmaFence wgmma wgmmaCommit assign wgmmaWait] [] assign',
    );
  });

  it('stays where the group is one of another list, or is meant to go on', () => {
    expect(words(lateWaits([wait, count]))).toBe('wgmmaWait assign');
    const going: Stmt = { ...wait, pending: 1 } as Stmt;
    expect(words(lateWaits([fence, product, commit, going, count]))).toBe(
      'wgmmaFence wgmma wgmmaCommit wgmmaWait assign',
    );
  });

  it('in attention: row sums and the next step come before it, the release of the stage after', () => {
    const traced = forward.trace({ page: 32 }, { m: 64, n: 64, stages: 3, producers: 1, wgmma: 1 });
    const kernel = lowerKernel(traced, findTarget('cuda:sm_90a')!);
    const order: string[] = [];
    let products = 0;
    walkStmts(kernel.body, (s) => {
      if (s.s === 'wgmmaCommit') products++;
      if (products === 2 && /wgmmaWait|shuffleXor|mbarrierArrive$/.test(s.s)) order.push(s.s);
    });
    expect([...new Set(order.slice(0, order.indexOf('mbarrierArrive') + 1))]).toEqual([
      'shuffleXor',
      'wgmmaWait',
      'mbarrierArrive',
    ]);
  });
});
