import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Device } from '../../../compiler/backend.ts';
import * as b from '../../../compiler/thread/build.ts';
import type { Expr, MemoryElement, Stmt, ThreadKernel } from '../../../compiler/thread/nodes.ts';
import { emitKernel } from '../../../backends/wgsl/emit/index.ts';
import { openDevice } from '../../../backends/wgsl/runtime/node.ts';
import { validateModule } from '../../../backends/wgsl/runtime/validator.ts';
import { at, buffer, kernel, launch, shared } from './kernels.ts';

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

const validate = async (k: ThreadKernel): Promise<void> => {
  for (const f16 of [false, true]) await validateModule(emitKernel(k, { f16 }));
};
const bits = (n: number, seed = 1): number[] =>
  Array.from({ length: n }, (_, i) => Math.imul(i + seed, 0x9e3779b1) >>> 0);
const words = (r: b.Registers, n: number) => Array.from({ length: n }, (_, i) => r.scalar(`w${i}`, 'u32'));

describe('words of global memory', () => {
  const cases = [1, 2, 4].flatMap((load) => [1, 2, 4].map((store) => [load, store] as const));
  it.each(cases)('loads %d and stores %d at once, where the predicate holds', async (load, store) => {
    const r = new b.Registers();
    const [x, y] = [buffer('x', 'f16', 'read'), buffer('y', 'bf16', 'write')];
    const [a, c] = [words(r, 4), r.scalar('first', 'i32')];
    const keep = b.ne(b.rem(b.threadId(), 3), 1);
    const body: Stmt[] = [
      ...a.map((v) => b.declare(at(2), v, b.constU(9))),
      b.declare(at(3), c, b.mul(b.threadId(), 8)),
      ...Array.from({ length: 4 / load }, (_, i): Stmt => ({
        s: 'loadGlobalWords',
        span: at(4),
        dst: a.slice(i * load, (i + 1) * load).map((v) => b.lvalue(v)),
        buffer: x,
        index: b.add(b.varRef(c), 2 * i * load),
        pred: keep,
      })),
      ...Array.from({ length: 4 / store }, (_, i): Stmt => ({
        s: 'storeGlobalWords',
        span: at(5),
        buffer: y,
        index: b.add(b.varRef(c), 2 * i * store),
        values: a.slice(i * store, (i + 1) * store).map(b.varRef),
        pred: b.lt(b.threadId(), 30),
      })),
    ];
    const k = kernel(32, [x, y], body);
    await validate(k);
    const input = new Uint32Array(bits(128));
    const out = await launch(device, k, {
      x: new Uint16Array(input.buffer),
      y: new Uint16Array(256).fill(0xabcd),
    });
    const expected = [...input].map((w, i) => (i >= 120 ? 0xabcdabcd : (i >> 2) % 3 === 1 ? 0 : w));
    expect([...new Uint32Array((out.get('y') as Uint16Array).buffer)]).toEqual(expected);
  });

  it.each(['f32', 'i32', 'u32'] as const)(
    'copies bits of %s through registers of every type',
    async (element) => {
      const r = new b.Registers();
      const [x, y] = [buffer('x', element, 'read'), buffer('y', element, 'write')];
      const a = (['f32', 'i32', 'u32', 'f32'] as const).map((type, i) => r.scalar(`v${i}`, type));
      const first = b.mul(b.threadId(), 4);
      const k = kernel(
        16,
        [x, y],
        [
          ...a.map((v) => b.declare(at(2), v)),
          { s: 'loadGlobalWords', span: at(3), dst: a.map((v) => b.lvalue(v)), buffer: x, index: first },
          {
            s: 'storeGlobalWords',
            span: at(4),
            buffer: y,
            index: first,
            values: a.map((v) => b.bitcast('u32', b.varRef(v))),
          },
        ],
      );
      await validate(k);
      const data = Array.from({ length: 64 }, (_, i) => i * 3 + 1);
      const make = { f32: Float32Array, i32: Int32Array, u32: Uint32Array }[element];
      const out = await launch(device, k, { x: make.from(data), y: new make(64) });
      expect([...out.get('y')!]).toEqual(data);
    },
  );

  it('gives zero bits in every iteration in which the predicate does not hold', async () => {
    const r = new b.Registers();
    const [x, y] = [buffer('x', 'f32', 'read'), buffer('y', 'f32', 'write')];
    const [c, w] = [r.scalar('c', 'i32'), r.scalar('w', 'f32')];
    const index = b.add(b.mul(b.varRef(c), 16), b.threadId());
    const even = b.eq(b.and(b.varRef(c), 1), 0);
    const k = kernel(
      16,
      [x, y],
      [
        b.forLoop(at(2), c, b.constI(0), b.param('n', 'i32'), 1, false, [
          b.declare(at(3), w),
          { s: 'loadGlobalWords', span: at(4), dst: [b.lvalue(w)], buffer: x, index, pred: even },
          { s: 'storeGlobal', span: at(5), buffer: y, index, value: b.varRef(w) },
        ]),
      ],
    );
    await validate(k);
    const data = Float32Array.from({ length: 64 }, (_, i) => i + 1);
    const out = await launch(device, k, { x: data, y: new Float32Array(64) }, [1, 1, 1], { n: 4 });
    expect([...out.get('y')!]).toEqual([...data].map((v, i) => ((i >> 4) & 1 ? 0 : v)));
  });

  it('reads one element of a buffer that is also read in vectors', async () => {
    const r = new b.Registers();
    for (const element of ['f16', 'bf16', 'i32'] as const) {
      const [x, y] = [buffer('x', element, 'read'), buffer('y', 'f32', 'write')];
      const a = words(r, 4);
      const load: Stmt = {
        s: 'loadGlobalWords',
        span: at(3),
        dst: a.map((v) => b.lvalue(v)),
        buffer: x,
        index: b.constI(0),
      };
      const value = b.convert('f32', b.loadGlobal(x, b.threadId()));
      const body: Stmt[] = [
        ...a.map((v) => b.declare(at(2), v)),
        load,
        {
          s: 'storeGlobal',
          span: at(4),
          buffer: y,
          index: b.threadId(),
          value: b.add(value, b.convert('f32', b.and(b.varRef(a[3]!), 0))),
        },
      ];
      const k = kernel(32, [x, y], body);
      await validate(k);
      const numbers = Array.from({ length: 32 }, (_, i) => i - 7);
      const halves = {
        f16: new Uint16Array(Float16Array.from(numbers).buffer),
        bf16: Uint16Array.from(new Uint32Array(Float32Array.from(numbers).buffer), (u) => u >>> 16),
        i32: Int32Array.from(numbers),
      };
      const out = await launch(device, k, { x: halves[element], y: new Float32Array(32) });
      expect([...out.get('y')!]).toEqual(numbers);
    }
  });
});

describe('single elements', () => {
  it.each(['f32', 'f16', 'bf16', 'i32', 'u32'] as MemoryElement[])(
    'stores %s next to what others store',
    async (element) => {
      const y = buffer('y', element, 'write');
      // Neighbours in a word are written by different threads of different blocks.
      const index = b.add(b.mul(b.threadId(), 3), b.blockId(0));
      const type = b.registerType(element);
      const k = kernel(
        32,
        [y],
        [
          {
            s: 'storeGlobal',
            span: at(2),
            buffer: y,
            index,
            value: b.convert(type, b.sub(index, type === 'u32' ? 0 : 50)),
            pred: b.ne(index, 40),
          },
        ],
      );
      await validate(k);
      const make = {
        f32: Float32Array,
        f16: Uint16Array,
        bf16: Uint16Array,
        i32: Int32Array,
        u32: Uint32Array,
      }[element];
      const out = (await launch(device, k, { y: new make(97).fill(7) }, [3, 1, 1])).get('y')!;
      const read = (raw: number): number =>
        element === 'f16'
          ? new Float16Array(Uint16Array.of(raw).buffer)[0]!
          : element === 'bf16'
            ? new Float32Array(Uint32Array.of(raw << 16).buffer)[0]!
            : raw;
      const offset = type === 'u32' ? 0 : 50;
      expect([...out].map((raw, i) => (i === 40 || i === 96 ? raw : read(raw)))).toEqual(
        Array.from({ length: 97 }, (_, i) => (i === 40 || i === 96 ? 7 : i - offset)),
      );
    },
  );

  it('halves stored singly and in words share a buffer', async () => {
    const y = buffer('y', 'f16', 'readwrite');
    const k = kernel(
      8,
      [y],
      [
        {
          s: 'storeGlobalWords',
          span: at(2),
          buffer: y,
          index: b.mul(b.threadId(), 4),
          values: [b.constU(0x3c003c00), b.constU(0x40004000)],
        },
        b.barrier(at(3)),
        {
          s: 'storeGlobal',
          span: at(4),
          buffer: y,
          index: b.mul(b.threadId(), 4),
          value: b.add(b.loadGlobal(y, b.add(b.mul(b.threadId(), 4), 2)), b.constF(1)),
        },
      ],
    );
    await validate(k);
    const out = await launch(device, k, { y: new Uint16Array(32) });
    const got = [...new Float16Array((out.get('y') as Uint16Array).buffer)];
    expect(got).toEqual(Array.from({ length: 32 }, (_, i) => [3, 1, 2, 2][i % 4]));
  });

  it.each([
    ['add', 'i32', 32 * 4],
    ['max', 'i32', 31],
    ['min', 'i32', -31],
    ['add', 'u32', 32 * 4],
    ['add', 'f32', 32 * 4 * 0.5],
  ] as const)('atomic %s of %s', async (fn, element, expected) => {
    const y = buffer('y', element, 'readwrite');
    const id = b.threadId();
    const value =
      fn === 'add' ? b.constant(element, element === 'f32' ? 0.5 : 1) : fn === 'max' ? id : b.neg(id);
    const k = kernel(32, [y], [{ s: 'atomicGlobal', span: at(2), fn, buffer: y, index: b.constI(1), value }]);
    await validate(k);
    const make = { f32: Float32Array, i32: Int32Array, u32: Uint32Array }[element];
    const out = await launch(device, k, { y: new make(2) }, [4, 1, 1]);
    expect([...out.get('y')!]).toEqual([0, expected]);
  });
});

describe('workgroup memory', () => {
  it.each([
    ['f32', 1, 4],
    ['f16', 4, 1],
    ['i32', 2, 2],
    ['u32', 4, 4],
  ] as const)(
    'passes %s between threads, stored %d and loaded %d words at once',
    async (element, store, load) => {
      const r = new b.Registers();
      const y = buffer('y', 'u32', 'write');
      // Two buffers apart, a third over the first once that is dead.
      const [s, other, over] = [
        shared(0, 's', element, 512, 0),
        shared(1, 't', 'f32', 256, 512),
        shared(2, 'o', 'u32', 512, 0),
      ];
      const a = words(r, 4);
      const id = b.threadId();
      const rows = b.mul(id, 16);
      const turned = b.mul(b.rem(b.add(id, 5), 32), 16);
      const body: Stmt[] = [
        ...a.map((v) => b.declare(at(2), v)),
        ...Array.from({ length: 4 / store }, (_, i): Stmt => ({
          s: 'storeShared',
          span: at(3),
          buffer: s,
          offset: b.add(rows, 4 * i * store),
          values: Array.from({ length: store }, (_, j) =>
            b.convert('u32', b.add(b.mul(id, 4), i * store + j)),
          ),
        })),
        {
          s: 'storeShared',
          span: at(4),
          buffer: other,
          offset: b.mul(id, 4),
          values: [b.convert('f32', id)],
          pred: b.lt(id, 16),
        },
        b.barrier(at(5)),
        ...Array.from({ length: 4 / load }, (_, i): Stmt => ({
          s: 'loadShared',
          span: at(6),
          dst: a.slice(i * load, (i + 1) * load).map((v) => b.lvalue(v)),
          buffer: s,
          offset: b.add(turned, 4 * i * load),
        })),
        b.barrier(at(7)),
        { s: 'storeShared', span: at(8), buffer: over, offset: b.mul(id, 4), values: [b.varRef(a[2]!)] },
        b.barrier(at(9)),
        {
          s: 'loadShared',
          span: at(10),
          dst: [b.lvalue(a[3]!)],
          buffer: over,
          offset: b.mul(b.sub(31, id), 4),
        },
        ...[0, 1, 3].map((i): Stmt => ({
          s: 'storeGlobal',
          span: at(11),
          buffer: y,
          index: b.add(rows, i),
          value: b.varRef(a[i]!),
        })),
      ];
      const k = kernel(32, [y], body, { shared: [s, other, over] });
      await validate(k);
      const out = [...(await launch(device, k, { y: new Uint32Array(512) })).get('y')!];
      for (let i = 0; i < 32; i++) {
        const from = 4 * ((i + 5) % 32);
        expect(out.slice(16 * i, 16 * i + 4)).toEqual([from, from + 1, 0, 4 * ((31 - i + 5) % 32) + 2]);
      }
    },
  );
});

describe('control flow', () => {
  it('loops over register arrays, with barriers under conditions from memory', async () => {
    const r = new b.Registers();
    const [x, y] = [buffer('x', 'i32', 'readwrite'), buffer('y', 'f32', 'write')];
    const s = shared(0, 's', 'f32', 128, 0);
    const acc = r.array('acc', 'f32', 4);
    const [i, j, t, left, f] = [
      r.scalar('i', 'i32'),
      r.scalar('for', 'i32'),
      r.scalar('i', 'i32'),
      r.scalar('left', 'i32'),
      r.scalar('f', 'f32'),
    ];
    const id = b.threadId();
    b.noteLoopRange(j, b.constI(0), b.constI(4));
    const each = (body: Stmt[]): Stmt => b.forLoop(at(4), j, b.constI(0), b.constI(4), 1, true, body);
    const at4 = b.varRef(j);
    const body: Stmt[] = [
      b.declare(at(2), acc),
      b.declare(at(2), f),
      each([b.assign(at(3), b.lvalue(acc, at4), b.convert('f32', at4))]),
      // The trip count comes from writable memory: uniform by promise, not by WGSL's analysis.
      b.forLoop(at(5), i, b.constI(0), b.loadGlobal(x, b.constI(0)), 2, false, [
        {
          s: 'storeShared',
          span: at(6),
          buffer: s,
          offset: b.mul(id, 4),
          values: [b.convert('f32', b.add(id, b.varRef(i)))],
        },
        b.barrier(at(7)),
        { s: 'loadShared', span: at(8), dst: [b.lvalue(f)], buffer: s, offset: b.mul(b.sub(31, id), 4) },
        b.barrier(at(9)),
        each([
          b.assign(
            at(10),
            b.lvalue(acc, at4),
            b.fma(b.varRef(f), b.convert('f32', at4), b.element(acc, at4)),
          ),
        ]),
      ]),
      b.declare(at(11), left, b.loadGlobal(x, b.constI(1))),
      {
        s: 'while',
        span: at(12),
        cond: b.gt(b.varRef(left), 0),
        body: [
          ...b.ifThen(
            at(13),
            b.gt(b.loadGlobal(x, b.varRef(left)), 10),
            'block',
            [b.barrier(at(13)), b.assign(at(14), b.lvalue(acc, 0), b.add(b.element(acc, 0), b.constF(100)))],
            [b.assign(at(15), b.lvalue(acc, 0), b.add(b.element(acc, 0), b.constF(1)))],
          ),
          b.assign(at(16), left, b.sub(b.varRef(left), 1)),
        ],
      },
      b.declare(at(17), t, b.constI(0)),
      {
        s: 'while',
        span: at(18),
        cond: b.lt(b.varRef(t), id),
        body: [b.assign(at(19), t, b.add(b.varRef(t), 7))],
      },
      ...[0, 1, 2, 3].map((c): Stmt => ({
        s: 'storeGlobal',
        span: at(20),
        buffer: y,
        index: b.add(b.mul(id, 5), c),
        value: b.element(acc, c),
      })),
      {
        s: 'storeGlobal',
        span: at(21),
        buffer: y,
        index: b.add(b.mul(id, 5), 4),
        value: b.convert('f32', b.varRef(t)),
      },
    ];
    const k = kernel(32, [x, y], body, { shared: [s] });
    await validate(k);
    const table = Int32Array.of(6, 4, 11, 3, 12);
    const out = [...(await launch(device, k, { x: table, y: new Float32Array(160) })).get('y')!];
    for (let n = 0; n < 32; n++) {
      const sum = [0, 2, 4].reduce((total, step) => total + 31 - n + step, 0);
      expect(out.slice(5 * n, 5 * n + 5)).toEqual([
        202,
        1 + sum,
        2 + 2 * sum,
        3 + 3 * sum,
        Math.ceil(n / 7) * 7,
      ]);
    }
  });

  it('block ids, parameters of every type, names that WGSL reserves', async () => {
    const r = new b.Registers();
    const y = buffer('array', 'f32', 'write');
    const v = r.scalar('loop', 'f32');
    const sum = (...xs: Expr[]): Expr => xs.reduce((a, c) => b.add(a, c));
    const flat = sum(b.blockId(0), b.mul(b.blockId(1), 2), b.mul(b.blockId(2), 6));
    const k = kernel(
      1,
      [y],
      [
        b.declare(
          at(2),
          v,
          b.mul(
            b.param('let', 'f32'),
            b.convert('f32', sum(b.param('n', 'i32'), b.bitcast('i32', b.param('u', 'u32')))),
          ),
        ),
        {
          s: 'storeGlobal',
          span: at(3),
          buffer: y,
          index: flat,
          value: b.select(b.param('flag', 'bool'), b.add(b.varRef(v), b.convert('f32', flat)), b.constF(0)),
        },
      ],
      {
        name: 'fn',
        params: [
          { name: 'let', type: 'f32' },
          { name: 'n', type: 'i32' },
          { name: 'u', type: 'u32' },
          { name: 'flag', type: 'bool' },
        ],
      },
    );
    await validate(k);
    const out = await launch(device, k, { array: new Float32Array(24) }, [2, 3, 4], {
      let: 0.5,
      n: -4,
      u: 10,
      flag: 1,
    });
    expect([...out.get('array')!]).toEqual(Array.from({ length: 24 }, (_, i) => 3 + i));
  });
});
