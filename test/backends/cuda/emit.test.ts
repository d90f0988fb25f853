import { describe, expect, it } from 'vitest';
import * as vector from '../../../bench/smoke/kernels.ts';
import * as scalar from '../../../bench/smoke/kernels-scalar.ts';
import { Body, buffer, kernel } from '../../../bench/smoke/build.ts';
import { emitCuda } from '../../../backends/cuda/emit/index.ts';
import { symbolsOf } from '../../../backends/cuda/emit/symbols.ts';
import * as t from '../../../compiler/thread/build.ts';
import type { Expr, ThreadKernel } from '../../../compiler/thread/nodes.ts';

const emit = (k: ThreadKernel, options = {}): string => emitCuda('demo', [k], 'cuda:sm_80', options).text;
const bodyOf = (k: ThreadKernel): string[] => {
  const text = emit(k, { launchers: false });
  const lines = text
    .slice(text.indexOf('extern "C"'))
    .split('\n')
    .map((l) => l.trim());
  return lines.slice(2, lines.lastIndexOf('}')).filter((l) => !l.startsWith('//'));
};

/** The C text of an expression, in a kernel with registers a, b (i32), u (u32), x, y (f32), p, q (bool). */
function show(make: (r: Record<string, Expr>) => Expr): string {
  const k = new Body();
  const registers: Record<string, Expr> = {};
  for (const [name, type] of [
    ['a', 'i32'],
    ['b', 'i32'],
    ['u', 'u32'],
    ['x', 'f32'],
    ['y', 'f32'],
    ['p', 'bool'],
    ['q', 'bool'],
  ] as const)
    registers[name] = t.varRef(k.scalar(name, type));
  k.set('result', make(registers));
  return bodyOf(kernel('k', { threads: 32, buffers: [] }, k))
    .at(-1)!
    .replace(/^\w+ result = |;$/g, '');
}

describe('expressions', () => {
  it.each<[string, (r: Record<string, Expr>) => Expr]>([
    ['a - (b - a)', (r) => t.sub(r['a']!, t.sub(r['b']!, r['a']!))],
    ['a - b - a', (r) => t.sub(t.sub(r['a']!, r['b']!), r['a']!)],
    ['a - 3', (r) => t.add(r['a']!, -3)],
    ['a / b * a', (r) => t.mul(t.div(r['a']!, r['b']!), r['a']!)],
    ['a / (b * a)', (r) => t.div(r['a']!, t.mul(r['b']!, r['a']!))],
    ['(a & b) | (a ^ 5)', (r) => t.or(t.and(r['a']!, r['b']!), t.xor(r['a']!, 5))],
    ['(a + b) << 2', (r) => t.shl(t.add(r['a']!, r['b']!), 2)],
    ['p && (q || a < b)', (r) => t.and(r['p']!, t.or(r['q']!, t.lt(r['a']!, r['b']!)))],
    ['(p && q) || !p', (r) => t.or(t.and(r['p']!, r['q']!), t.not(r['p']!))],
    ['p != (a < b)', (r) => t.xor(r['p']!, t.lt(r['a']!, r['b']!))],
    [
      '-(-x)',
      (r) => ({ e: 'unary', type: 'f32', fn: 'neg', a: { e: 'unary', type: 'f32', fn: 'neg', a: r['x']! } }),
    ],
    ['p ? x : y + 1.0f', (r) => t.select(r['p']!, r['x']!, t.add(r['y']!, t.constF(1)))],
    ['(p ? x : y) * 2.0f', (r) => t.mul(t.select(r['p']!, r['x']!, r['y']!), t.constF(2))],
    ['fmaxf(x, -INF)', (r) => t.max(r['x']!, t.constF(-Infinity))],
    ['max(a, b)', (r) => t.max(r['a']!, r['b']!)],
    ['exp2_approx(x * 0.125f)', (r) => t.unary('exp2', t.mul(r['x']!, t.constF(0.125)))],
    ['(int)u + a', (r) => t.add(t.convert('i32', r['u']!), r['a']!)],
    ['(float)(a + b)', (r) => t.convert('f32', t.add(r['a']!, r['b']!))],
    ['__float_as_uint(x)', (r) => t.bitcast('u32', r['x']!)],
    ['low_bf16(u)', (r) => t.unpack('bf16', r['u']!, 0)],
    ['pack_f16(x, y)', (r) => t.pack('f16', r['x']!, r['y']!)],
    ['u & 0xffff0000u', (r) => t.and(r['u']!, 0xffff0000)],
    ['p ? 1 : 0', (r) => t.convert('i32', r['p']!)],
    ['a != 0', (r) => t.convert('bool', r['a']!)],
    ['fmaf(x, y, 1.5f)', (r) => t.fma(r['x']!, r['y']!, t.constF(1.5))],
    ['x + 1e-20f', (r) => t.add(r['x']!, t.constF(1e-20))],
  ])('%s', (expected, make) => {
    expect(show(make)).toBe(expected);
  });

  it('constants keep every bit', () => {
    for (const value of [0.1, 1e-45, 3.4028234663852886e38, 16777217, -0, 1 / 3]) {
      const text = show(() => ({ e: 'const', type: 'f32', value }));
      expect(Object.is(Math.fround(Number(text.replace(/f$/, ''))), Math.fround(value)), text).toBe(true);
    }
    expect(show(() => t.constI(-(2 ** 31)))).toBe('(-2147483647 - 1)');
  });
});

describe('64-bit addresses', () => {
  const n = t.param('n', 'i32');
  const large = buffer('large', 'f16', 'readwrite', t.mul(n, 4096));
  const small = buffer('small', 'f32', 'readwrite', 1 << 20);
  const rows = buffer('rows', 'i32', 'read', n);
  const lines = (fill: (k: Body) => void): string[] => {
    const k = new Body();
    fill(k);
    return bodyOf(
      kernel('k', { threads: 64, buffers: [large, small, rows], params: [{ name: 'n', type: 'i32' }] }, k),
    );
  };
  const store = (k: Body, b: typeof large, index: Expr): unknown =>
    k.push({ s: 'storeGlobal', span: k.span, buffer: b, index, value: t.constF(0) });

  it('widens a product that may leave 32 bits, and only in large buffers', () => {
    const at = (): Expr => t.add(t.mul(t.loadGlobal(rows, t.threadId()), 4096), t.threadId());
    expect(lines((k) => store(k, large, at()))).toContain(
      'large[(long long)rows[thread] * 4096 + thread] = to_f16(0.0f);',
    );
    expect(lines((k) => store(k, small, at()))).toContain('small[rows[thread] * 4096 + thread] = 0.0f;');
  });

  it('leaves provably small indices alone', () => {
    expect(lines((k) => store(k, large, t.mul(t.threadId(), 4096)))).toContain(
      'large[thread * 4096] = to_f16(0.0f);',
    );
    expect(lines((k) => store(k, large, t.add(t.mul(t.rem(n, 100), 4096), 5)))).toContain(
      'large[n % 100 * 4096 + 5] = to_f16(0.0f);',
    );
  });

  it('declares registers that hold such offsets as 64-bit, and those that accumulate them', () => {
    const text = lines((k) => {
      const offset = k.scalar('offset', 'i32', t.mul(n, 4096));
      const next = k.scalar('next', 'i32', t.varRef(offset));
      const i = k.registers.scalar('i', 'i32');
      const step = t.assign(k.span, next, t.add(t.varRef(next), 8192));
      const body = k.inner((b) => store(b, large, t.varRef(next)));
      k.push(t.forLoop(k.span, i, t.constI(0), n, 1, false, [...body, step]));
      store(k, small, t.varRef(k.scalar('plain', 'i32', t.mul(n, 4096))));
    });
    expect(text).toContain('long long offset = (long long)n * 4096;');
    expect(text).toContain('long long next = offset;');
    expect(text).toContain('next = next + 8192;');
    expect(text).toContain('int plain = n * 4096;');
  });

  it('keeps an index that is also compared as the i32 that the language says it is', () => {
    const text = lines((k) => {
      const row = k.set('row', t.add(t.mul(t.blockId(0), 64), t.threadId()));
      k.push({
        s: 'storeGlobal',
        span: k.span,
        buffer: large,
        index: row,
        value: t.constF(0),
        pred: t.lt(row, n),
      });
    });
    expect(text).toContain('int row = block_x * 64 + thread;');
    expect(text).toContain('if (row < n) large[row] = to_f16(0.0f);');
  });
});

describe('names', () => {
  it('are legal, unique where visible, and reusable in sibling blocks', () => {
    const out = buffer('float', 'f32', 'write', 64);
    const k = new Body();
    k.scalar('x', 'f32', t.constF(1));
    k.scalar('x', 'f32', t.constF(2));
    k.scalar('été 1', 'f32', t.constF(3));
    k.scalar('__internal', 'i32', t.constI(4));
    k.scalar('threadIdx', 'i32', t.constI(5));
    for (const value of [6, 7])
      k.push(
        t.ifThen(
          k.span,
          t.lt(t.threadId(), 9),
          'none',
          k.inner((b) => void b.scalar('x', 'i32', t.constI(value))),
        ),
      );
    k.push({ s: 'storeGlobal', span: k.span, buffer: out, index: t.threadId(), value: t.constF(0) });
    const text = emit(kernel('exp', { threads: 32, buffers: [out] }, k));
    expect(text).toContain('exp_2(float *__restrict__ float_2)');
    for (const line of [
      'float x = 1.0f;',
      'float x_2 = 2.0f;',
      'float v_t_1 = 3.0f;',
      'int v_internal = 4;',
      'int threadIdx_2 = 5;',
      'int x_3 = 6;',
      'int x_3 = 7;',
    ])
      expect(text).toContain(line);
  });

  it('tell the specialisations of a program apart', () => {
    const make = (tile: Record<string, number>): ThreadKernel => ({ ...vector.vectorAdd(), tile });
    expect(symbolsOf([make({ m: 16, n: 64 }), make({ m: 32, n: 64 }), scalar.functions()])).toEqual([
      'vector_add_m16',
      'vector_add_m32',
      'functions',
    ]);
    expect(new Set(symbolsOf([make({ m: 16 }), make({ m: 16 })])).size).toBe(2);
  });
});

describe('files', () => {
  it('copy no byte where a copy is predicated off, whatever its address', () => {
    const text = emit(vector.pipelinedSum());
    const copies = text.split('\n').filter((l) => l.includes('cp_async_16_zfill(ring'));
    expect(copies.length).toBe(6);
    for (const line of copies) expect(line).toMatch(/x \+ [^?]*, live\);$/);
  });

  it('contain only the helpers that they use', () => {
    const text = emit(vector.vectorAdd());
    expect(text).not.toContain('asm');
    expect(text).not.toContain('#include <cuda_fp16');
    expect(emit(vector.matrixTile('bf16'))).toContain('mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32');
  });

  it('say where each line came from', () => {
    const source = emitCuda('demo', [vector.vectorAdd()], 'cuda:sm_80');
    const at = source.text.split('\n').findIndex((l) => l.includes('if (live) out[index] = sum;'));
    expect(source.spans[at]).toMatchObject({ file: 'hand-made.ts', line: 3 });
    const lines = emit(vector.vectorAdd(), { lines: true }).split('\n');
    const mark = lines.findIndex((l) => l.startsWith('#line 3 "hand-made.ts"'));
    expect(lines[mark + 1]).toContain('out[index] = sum');
    const back = lines.findIndex((l) => /^#line \d+ "demo.cu"$/.test(l));
    expect(Number(/\d+/.exec(lines[back]!)![0])).toBe(back + 2);
  });

  it('are the same twice', () => {
    expect(emit(vector.ringSum())).toBe(emit(vector.ringSum()));
  });

  it('declare in the header what the file defines', () => {
    const source = emitCuda('demo', [vector.vectorAdd(), vector.ringSum()], 'cuda:sm_90a');
    for (const [, declaration] of source.header.matchAll(/^cudaError_t (demo_.*);$/gm))
      expect(source.text).toContain(`cudaError_t ${declaration} {`);
    expect(source.header).toContain('demo_vector_add_launch(dim3 grid, cudaStream_t stream, const float *a');
  });
});
