/** Shared memory: buffers may share bytes only while no one will read what they held. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { allocateShared } from '../../../compiler/lower/allocate.ts';
import { constB, constI, Registers, varRef } from '../../../compiler/thread/build.ts';
import { bodiesOf, type SharedBuffer, type Stmt } from '../../../compiler/thread/nodes.ts';
import type { Span } from '../../../compiler/ir/span.ts';

const span: Span = { file: 'kernel.ts', line: 1, column: 1 };
const r = new Registers();
const v = r.scalar('v', 'f32');

const buffer = (id: number, bytes: number): SharedBuffer => ({
  id,
  name: `b${id}`,
  element: 'f32',
  bytes,
  offset: -1,
  span,
  note: '',
});
const store = (b: SharedBuffer): Stmt => ({
  s: 'storeShared',
  span,
  buffer: b,
  offset: constI(0),
  values: [varRef(v)],
});
const load = (b: SharedBuffer): Stmt => ({
  s: 'loadShared',
  span,
  buffer: b,
  offset: constI(0),
  dst: [{ var: v }],
});
const loop = (body: readonly Stmt[], unroll = false): Stmt => ({
  s: 'for',
  span,
  iv: r.scalar('i', 'i32'),
  lo: constI(0),
  hi: constI(2),
  step: 1,
  unroll,
  body,
});
const branch = (then: readonly Stmt[], other: readonly Stmt[] = []): Stmt => ({
  s: 'if',
  span,
  cond: constB(true),
  uniform: 'block',
  then,
  else: other,
});
const apart = (a: SharedBuffer, b: SharedBuffer): boolean =>
  a.offset + a.bytes <= b.offset || b.offset + b.bytes <= a.offset;

describe('by hand', () => {
  const [a, b, c] = [buffer(0, 1000), buffer(1, 600), buffer(2, 500)];

  it('lifetimes that do not meet share bytes', () => {
    expect(allocateShared([a, b], [store(a), load(a), store(b), load(b)])).toBe(1000);
    expect([a.offset, b.offset]).toEqual([0, 0]);
  });
  it('whichever of them is the larger', () => {
    expect(allocateShared([a, b], [store(b), load(b), store(a), load(a)])).toBe(1000);
    expect(apart(a, b)).toBe(false);
  });
  it('lifetimes that meet do not, and places are aligned to 128 bytes', () => {
    expect(allocateShared([a, b], [store(a), store(b), load(a), load(b)])).toBe(1024 + 600);
    expect([a.offset, b.offset]).toEqual([0, 1024]);
  });
  it('the largest comes first, whatever the order', () => {
    allocateShared([b, a], [store(a), store(b), load(a), load(b)]);
    expect([a.offset, b.offset]).toEqual([0, 1024]);
  });
  it('where no barrier can come between two accesses their buffers stay apart', () => {
    const parts: Stmt = { ...branch([store(a), load(a), store(b)]), uniform: 'none' } as Stmt;
    allocateShared([a, b], [parts, load(b)]);
    expect(apart(a, b)).toBe(true);
    allocateShared([a, b], [{ ...branch([store(a), load(a), store(b), load(b)]), uniform: 'none' } as Stmt]);
    expect(apart(a, b)).toBe(true);
    allocateShared([a, b], [loop([store(a), load(a), store(b), load(b)], true)]);
    expect(apart(a, b)).toBe(true);
  });
  it('where one can, they share: in a branch that all threads take, in a loop of unknown length', () => {
    const one = [store(a), load(a), store(b), load(b)];
    allocateShared([a, b], [branch(one)]);
    expect(apart(a, b)).toBe(false);
    allocateShared([a, b], [{ s: 'while', span, cond: constB(true), body: one }]);
    expect(apart(a, b)).toBe(false);
  });
  it('a hole ends where the next buffer begins, whichever of them was placed first', () => {
    const [p, q, u, w] = [buffer(3, 1000), buffer(4, 900), buffer(5, 800), buffer(6, 700)];
    allocateShared(
      [p, q, u, w],
      [store(q), store(p), load(p), store(u), store(w), load(u), load(w), load(q)],
    );
    expect([p.offset, q.offset, u.offset, w.offset]).toEqual([0, 1024, 0, 2048]);
  });
  it('what two that share bytes take is taken by both', () => {
    const [p, q, w] = [buffer(3, 1000), buffer(4, 800), buffer(5, 100)];
    allocateShared([p, q, w], [store(w), store(p), load(p), store(q), load(q), load(w)]);
    expect([p.offset, q.offset, w.offset]).toEqual([0, 0, 1024]);
  });
  it('a hole that fits exactly is used', () => {
    const [p, q, w] = [buffer(3, 128), buffer(4, 128), buffer(5, 128)];
    allocateShared([p, q, w], [store(q), store(p), load(p), store(w), load(w), load(q)]);
    expect([p.offset, q.offset, w.offset]).toEqual([0, 128, 0]);
  });
  it('a hole between two living buffers is used when it is large enough', () => {
    const total = allocateShared(
      [a, b, c],
      [store(a), load(a), store(b), store(c), load(b), load(c), store(a), load(a)],
    );
    expect(apart(b, c)).toBe(true);
    expect(apart(a, b) && apart(a, c)).toBe(true);
    expect(total).toBe(1024 + 640 + 500);
  });
  it('what a loop reads from before it lives through all of it', () => {
    allocateShared([a, b], [store(a), loop([load(a), store(b), load(b)])]);
    expect(apart(a, b)).toBe(true);
    allocateShared([a, b], [store(a), loop([loop([load(a)]), store(b), load(b)])]);
    expect(apart(a, b)).toBe(true);
  });
  it('what an unrolled loop does is over when it is over', () => {
    allocateShared([a, b], [store(a), loop([load(a)], true), store(b), load(b)]);
    expect(apart(a, b)).toBe(false);
  });
  it('what a loop makes for itself shares with what it has used before', () => {
    allocateShared([a, b], [loop([store(a), load(a), store(b), load(b)])]);
    expect(apart(a, b)).toBe(false);
  });
  it('pinned buffers live throughout, unused ones nowhere', () => {
    expect(allocateShared([a, b], [store(a), load(a), store(b), load(b)], new Set([a]))).toBe(1024 + 600);
    expect(apart(a, b)).toBe(true);
    expect(allocateShared([a, b], [store(b), load(b)])).toBe(600);
    expect(allocateShared([a], [])).toBe(0);
  });
});

type Shape = number | { readonly loop: readonly Shape[] } | { readonly branch: readonly Shape[] };
const { shapes } = fc.letrec<{ shapes: Shape[]; shape: Shape }>((tie) => ({
  shapes: fc.array(tie('shape'), { minLength: 1, maxLength: 5 }),
  shape: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.nat(9),
    fc.record({ loop: tie('shapes') }),
    fc.record({ branch: tie('shapes') }),
  ),
}));

describe('in random programs', () => {
  it('what is read is what was stored', () =>
    fc.assert(
      fc.property(
        shapes,
        fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 5, maxLength: 5 }),
        (shape, sizes) => {
          const buffers = sizes.map((n, id) => buffer(id, 4 * n));
          const build = (list: readonly Shape[]): Stmt[] =>
            list.map((s) => {
              if (typeof s === 'number') return s < 5 ? store(buffers[s]!) : load(buffers[s - 5]!);
              return 'loop' in s ? loop(build(s.loop)) : branch(build(s.branch));
            });
          const body = build(shape);
          const total = allocateShared(buffers, body);
          for (const b of buffers) if (b.offset >= 0) expect(b.offset + b.bytes).toBeLessThanOrEqual(total);
          execute(body, total);
        },
      ),
      { numRuns: 600 },
    ));
});

/** Runs the program with every loop twice; a load of a buffer that was stored must find its bytes. */
function execute(body: readonly Stmt[], total: number): void {
  const arena = new Int16Array(total).fill(-1);
  const stored = new Set<SharedBuffer>();
  const run = (stmts: readonly Stmt[]): void => {
    for (const s of stmts) {
      if (s.s === 'storeShared') {
        arena.fill(s.buffer.id, s.buffer.offset, s.buffer.offset + s.buffer.bytes);
        stored.add(s.buffer);
      } else if (s.s === 'loadShared' && stored.has(s.buffer)) {
        const bytes = arena.subarray(s.buffer.offset, s.buffer.offset + s.buffer.bytes);
        expect(new Set(bytes)).toEqual(new Set([s.buffer.id]));
      } else if (s.s === 'for') {
        // What only the loop uses is made anew in every trip: the lowering stores before it loads.
        const own = accessed(s.body);
        for (let trip = 0; trip < 2; trip++) {
          for (const b of own) if (countIn(body, b) === countIn(s.body, b)) stored.delete(b);
          run(s.body);
        }
      } else for (const inner of bodiesOf(s)) run(inner);
    }
  };
  run(body);
}

function accessed(stmts: readonly Stmt[]): Set<SharedBuffer> {
  const found = new Set<SharedBuffer>();
  for (const s of stmts) {
    if (s.s === 'storeShared' || s.s === 'loadShared') found.add(s.buffer);
    for (const inner of bodiesOf(s)) for (const b of accessed(inner)) found.add(b);
  }
  return found;
}

const countIn = (stmts: readonly Stmt[], b: SharedBuffer): number =>
  stmts.reduce(
    (n, s) =>
      n +
      ((s.s === 'storeShared' || s.s === 'loadShared') && s.buffer === b ? 1 : 0) +
      bodiesOf(s).reduce((m, inner) => m + countIn(inner, b), 0),
    0,
  );
