/** Hand-made kernels for control flow, scalar arithmetic, shared accesses of every width, and 64-bit addresses. */
import * as t from '../../compiler/thread/build.ts';
import type { Expr, Stmt, ThreadKernel, UnaryName } from '../../compiler/thread/nodes.ts';
import { Body, buffer, kernel, shared } from './build.ts';

const n = t.param('n', 'i32');
const scalarN = [{ name: 'n', type: 'i32' }] as const;
const thread = t.threadId();

export const unaryNames: readonly UnaryName[] =
  'neg abs exp exp2 log log2 sqrt rsqrt tanh erf sin cos floor ceil'.split(' ') as UnaryName[];

/** out[f, i] = f(x[i]) for every unary function, then rounding and packing of both half types. */
export function functions(): ThreadKernel {
  const x = buffer('x', 'f32', 'read', n);
  const rows = unaryNames.length + 3;
  const out = buffer('out', 'f32', 'write', t.mul(n, rows));
  const k = new Body();
  const value = k.set('value', t.loadGlobal(x, thread));
  const results: Expr[] = unaryNames.map((fn) => t.unary(fn, value));
  results.push(t.round('f16', value), t.round('bf16', value), t.fma(value, value, t.constF(-1)));
  results.forEach((result, row) =>
    k.next().push({
      s: 'storeGlobal',
      span: k.span,
      buffer: out,
      index: t.add(t.mul(n, row), thread),
      value: result,
    }),
  );
  return kernel('functions', { threads: 64, buffers: [x, out], params: scalarN }, k);
}

/** Collatz steps of each x by `while`, and integer operators on (x, y); `if` with both branches. */
export function integers(): ThreadKernel {
  const x = buffer('x', 'i32', 'read', n);
  const y = buffer('y', 'i32', 'read', n);
  const out = buffer('out', 'i32', 'write', t.mul(n, 16));
  const k = new Body();
  const steps = k.scalar('steps', 'i32', t.constI(0));
  const value = k.scalar('value', 'i32', t.loadGlobal(x, thread));
  const v = t.varRef(value);
  const span = k.next().span;
  const body: Stmt[] = [
    ...t.ifThen(
      span,
      t.eq(t.and(v, 1), 0),
      'none',
      [t.assign(span, value, t.div(v, 2))],
      [t.assign(span, value, t.add(t.mul(v, 3), 1))],
    ),
    t.assign(span, steps, t.add(t.varRef(steps), 1)),
  ];
  k.push(
    { s: 'comment', span, text: 'Collatz: steps until 1' },
    { s: 'while', span, cond: t.gt(v, 1), body },
  );
  const a = k.next().set('a', t.loadGlobal(x, thread));
  const b = k.set('b', t.loadGlobal(y, thread));
  const ua = t.convert('u32', a);
  const lt = t.lt(a, b);
  const results: Expr[] = [
    t.varRef(steps),
    t.sub(a, t.sub(b, a)),
    t.div(a, b),
    t.rem(a, b),
    t.min(a, t.neg(b)),
    t.max(a, b),
    t.xor(t.or(a, b), t.and(a, b)),
    t.shl(a, t.and(b, 7)),
    t.shr(t.neg(a), t.and(b, 7)),
    t.convert('i32', t.shr(t.not(ua), t.convert('u32', t.and(b, 7)))),
    t.convert('i32', t.or(t.and(lt, t.ge(a, t.constI(3))), t.not(t.eq(b, t.constI(2))))),
    t.select(t.ne(lt, t.le(b, a)), a, b),
    t.bitcast('i32', t.convert('f32', a)),
    t.unary('abs', t.sub(a, b)),
    t.mul(t.add(a, 1), t.sub(b, 2)),
    t.convert('i32', t.rem(ua, t.convert('u32', t.add(t.and(b, 15), 1)))),
  ];
  results.forEach((result, j) =>
    k.push({
      s: 'storeGlobal',
      span: k.span,
      buffer: out,
      index: t.add(t.mul(thread, 16), j),
      value: result,
    }),
  );
  return kernel('integers', { threads: 64, buffers: [x, y, out], params: scalarN }, k);
}

/** x reversed within a block through shared memory in accesses of 2, 4, 8 and 16 bytes. */
export function sharedWidths(): ThreadKernel {
  const x = buffer('x', 'f32', 'read', 256);
  const out = buffer('out', 'f32', 'write', 256);
  const halves = buffer('halves', 'f32', 'write', 64);
  const tile = shared(0, 'tile', 'f32', 1024, 0);
  const narrow = shared(1, 'narrow', 'f16', 128, 1024);
  const k = new Body();
  const s = k.span;
  const words = k.array('words', 'u32', 4);
  const all = [0, 1, 2, 3].map((j) => t.lvalue(words, j));
  k.push(
    { s: 'loadGlobalWords', span: s, dst: all, buffer: x, index: t.mul(thread, 4) },
    { s: 'storeShared', span: s, buffer: tile, offset: t.mul(thread, 16), values: all.map(t.readOf) },
    {
      s: 'storeSharedHalf',
      span: s,
      buffer: narrow,
      offset: t.mul(thread, 2),
      element: 'f16',
      value: t.bitcast('f32', t.element(words, 0)),
      pred: t.lt(thread, 64),
    },
    t.barrier(s),
  );
  const pair = k.array('pair', 'f32', 2);
  const two = [t.lvalue(pair, 0), t.lvalue(pair, 1)];
  const one = k.scalar('one', 'f32');
  const packed = k.scalar('packed', 'u32');
  const from = k.set('from', t.sub(252, t.mul(thread, 4)));
  k.push(
    { s: 'loadShared', span: s, dst: two, buffer: tile, offset: t.add(t.mul(from, 4), 8) },
    { s: 'storeGlobal', span: s, buffer: out, index: t.mul(thread, 4), value: t.element(pair, 1) },
    { s: 'storeGlobal', span: s, buffer: out, index: t.add(t.mul(thread, 4), 1), value: t.element(pair, 0) },
  );
  for (const j of [1, 0])
    k.push(
      { s: 'loadShared', span: s, dst: [{ var: one }], buffer: tile, offset: t.add(t.mul(from, 4), 4 * j) },
      { s: 'storeGlobal', span: s, buffer: out, index: t.add(t.mul(thread, 4), 3 - j), value: t.varRef(one) },
    );
  const two32 = t.ifThen(s, t.lt(thread, 32), 'warp', [
    { s: 'loadShared', span: s, dst: [{ var: packed }], buffer: narrow, offset: t.mul(thread, 4) },
    {
      s: 'storeGlobal',
      span: s,
      buffer: halves,
      index: t.mul(thread, 2),
      value: t.unpack('f16', t.varRef(packed), 0),
    },
    {
      s: 'storeGlobal',
      span: s,
      buffer: halves,
      index: t.add(t.mul(thread, 2), 1),
      value: t.unpack('f16', t.varRef(packed), 1),
    },
  ]);
  k.push(two32);
  return kernel('shared_widths', { threads: 64, buffers: [x, out, halves], shared: [tile, narrow] }, k);
}

/** rows of `columns` halves: writes row numbers (mod 2048) into x[row, *] and reads back x[index[i], 0]: past 2^31 elements. */
export function fillRows(columns: number): ThreadKernel {
  const rows = t.param('rows', 'i32');
  const x = buffer('x', 'f16', 'readwrite', t.mul(rows, columns));
  const k = new Body();
  const row = k.set('row', t.blockId(0));
  const offset = k.set('offset', t.mul(row, columns));
  const value = k.set('value', t.convert('f32', t.rem(row, 2048)));
  const word = k.set('word', t.pack('f16', value, value));
  const j = k.registers.scalar('column', 'i32');
  k.push(
    t.forLoop(k.span, j, t.mul(thread, 8), t.constI(columns), 8 * 256, false, [
      {
        s: 'storeGlobalWords',
        span: k.span,
        buffer: x,
        index: t.add(offset, t.varRef(j)),
        values: [word, word, word, word],
      },
    ]),
  );
  return kernel('fill_rows', { threads: 256, buffers: [x], params: [{ name: 'rows', type: 'i32' }] }, k);
}

export function readRows(columns: number): ThreadKernel {
  const rows = t.param('rows', 'i32');
  const x = buffer('x', 'f16', 'read', t.mul(rows, columns));
  const index = buffer('index', 'i32', 'read', 64);
  const out = buffer('out', 'f32', 'write', 64);
  const k = new Body();
  const at = k.set('row', t.loadGlobal(index, thread));
  const last = t.add(t.mul(at, columns), columns - 1);
  k.push({ s: 'storeGlobal', span: k.span, buffer: out, index: thread, value: t.loadGlobal(x, last) });
  return kernel(
    'read_rows',
    { threads: 64, buffers: [x, index, out], params: [{ name: 'rows', type: 'i32' }] },
    k,
  );
}
