import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Device } from '../../../compiler/backend.ts';
import { PatcError, type Diagnostic } from '../../../compiler/diagnostics/error.ts';
import * as b from '../../../compiler/thread/build.ts';
import type { Stmt } from '../../../compiler/thread/nodes.ts';
import { emitKernel } from '../../../backends/wgsl/emit/index.ts';
import { findAdapter } from '../../../backends/wgsl/runtime/dawn.ts';
import { openDevice } from '../../../backends/wgsl/runtime/node.ts';
import { useSoftwareGpu } from '../../../backends/wgsl/runtime/software.ts';
import { validateModule } from '../../../backends/wgsl/runtime/validator.ts';
import { at, buffer, kernel, launch, shared } from './kernels.ts';

async function diagnosed(work: () => unknown): Promise<Diagnostic> {
  try {
    await work();
  } catch (error) {
    if (error instanceof PatcError) return error.diagnostics[0]!;
    throw error;
  }
  throw new Error('no error');
}

const y = buffer('y', 'f32', 'write');
const one: Stmt = { s: 'storeGlobal', span: at(7), buffer: y, index: b.threadId(), value: b.constF(1) };

describe('emission', () => {
  it('refuses more buffers than WebGPU guarantees', async () => {
    const many = Array.from({ length: 9 }, (_, i) => buffer(`b${i}`, 'f32', 'write'));
    const d = await diagnosed(() => emitKernel(kernel(32, many, []), { f16: false }));
    expect(d.code).toBe('PAT0307');
    expect(d.message).toBe('probe uses 9 buffers; WebGPU guarantees 8');
  });

  it('refuses more workgroup memory than WebGPU guarantees', async () => {
    const big = [shared(0, 'a', 'f32', 16384, 0), shared(1, 'c', 'f32', 16, 16384)];
    const d = await diagnosed(() => emitKernel(kernel(32, [y], [one], { shared: big }), { f16: false }));
    expect(d.code).toBe('PAT0301');
    expect(d.message).toContain('16400 B');
    expect(d.notes).toHaveLength(2);
  });

  it('refuses statements that WGSL has not, at the author’s line', async () => {
    const v = new b.Registers().scalar('v', 'f32');
    const shuffle: Stmt = { s: 'shuffleXor', span: at(12), dst: { var: v }, value: b.varRef(v), mask: 1 };
    const d = await diagnosed(() =>
      emitKernel(kernel(32, [y], [b.declare(at(11), v), shuffle]), { f16: false }),
    );
    expect([d.code, d.span?.line]).toEqual(['PAT0303', 12]);
  });
});

describe('the line table', () => {
  const module = emitKernel(kernel(32, [y], [one]), { f16: false });

  it('has an entry for every line, and the author’s line where code comes from one', () => {
    const lines = module.code.split('\n');
    const store = lines.findIndex((l) => l.includes('y[thread]'));
    expect(module.lines).toHaveLength(lines.length - 1);
    expect(module.lines[store]).toEqual(at(7));
    expect(lines[store - 1]!.trim()).toBe('// author.ts:7');
  });

  it('brings the validator’s messages back to the author', async () => {
    const broken = { ...module, code: module.code.replace('y[thread] = 1.0', 'y[thread] = true') };
    const d = await diagnosed(() => validateModule(broken));
    expect(d.code).toBe('PAT0705');
    expect(d.span).toEqual(at(7));
    expect(d.notes?.[0]?.text).toContain('y[thread] = true;');
  });

  it('tells pipeline errors too', async () => {
    const large = { ...module, code: module.code.replace('@workgroup_size(32)', '@workgroup_size(1024)') };
    expect((await diagnosed(() => validateModule(large))).code).toBe('PAT0705');
  });
});

describe('runs', () => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice();
  });
  afterAll(() => device.close());
  const k = kernel(32, [y], [one]);
  const data = { y: new Float32Array(32) };

  it('refuse grids beyond the device, and grids that are none', async () => {
    const d = await diagnosed(() => launch(device, k, data, [70_000, 1, 1]));
    expect([d.code, d.message]).toEqual([
      'PAT0707',
      'probe: 70000 workgroups along x; the device runs at most 65535',
    ]);
    expect((await diagnosed(() => launch(device, k, data, [1, 1.5, 1]))).code).toBe('PAT0601');
  });

  it('do nothing for an empty grid', async () => {
    expect([...(await launch(device, k, { y: new Float32Array(3).fill(5) }, [0, 1, 1])).get('y')!]).toEqual([
      5, 5, 5,
    ]);
  });

  it('refuse wrong arguments', async () => {
    const run = (buffers: Record<string, string>, scalars: Record<string, number>) =>
      diagnosed(() =>
        device.run({
          kernels: [kernel(32, [buffer('x', 'f32', 'read'), y], [one])],
          buffers: [{ name: 'a', element: 'f32', data: data.y, output: true }],
          launches: [{ kernel: 0, grid: [1, 1, 1], buffers, scalars }],
          repeats: 0,
        }),
      );
    expect((await run({ x: 'a' }, { n: 1 })).message).toBe('no buffer for the argument y of probe');
    expect((await run({ x: 'a', y: 'a' }, { n: 1 })).message).toContain('x and y are the same buffer');
    expect((await run({ x: 'a', y: 'c' }, { n: 1 })).message).toContain('unknown buffer c');
  });

  it('refuse a missing scalar', async () => {
    const request = {
      kernels: [k],
      buffers: [{ name: 'y', element: 'f32', data: data.y, output: true }],
      launches: [{ kernel: 0, grid: [1, 1, 1], buffers: { y: 'y' }, scalars: {} }],
      repeats: 0,
    } as const;
    expect((await diagnosed(() => device.run(request))).message).toBe('no value for the argument n of probe');
  });

  it('go on after an error', async () => {
    expect([...(await launch(device, k, { y: new Float32Array(2) })).get('y')!]).toEqual([1, 1]);
  });

  it('time with the device’s clock only, and read outputs before they repeat', async () => {
    const x = buffer('x', 'i32', 'readwrite');
    const more: Stmt = {
      s: 'atomicGlobal',
      span: at(3),
      fn: 'add',
      buffer: x,
      index: b.constI(0),
      value: b.constI(1),
    };
    const result = await device.run({
      kernels: [kernel(1, [x], [more])],
      buffers: [{ name: 'x', element: 'i32', data: new Int32Array(1), output: true }],
      launches: [{ kernel: 0, grid: [1, 1, 1], buffers: { x: 'x' }, scalars: { n: 1 } }],
      repeats: 3,
    });
    expect([...result.outputs.get('x')!]).toEqual([1]);
    if (result.timeUs !== undefined) expect(result.timeUs).toBeGreaterThanOrEqual(0);
  });
});

it('a lost device is told', async () => {
  const device = await openDevice();
  await device.close();
  const k = kernel(32, [y], [one], { name: 'late' });
  expect((await diagnosed(() => launch(device, k, { y: new Float32Array(32) }))).code).toBe('PAT0704');
});

describe('finding an adapter', () => {
  it('says what PATC_WEBGPU_ADAPTER may be', async () => {
    process.env['PATC_WEBGPU_ADAPTER'] = 'quantum';
    try {
      expect((await diagnosed(() => findAdapter())).code).toBe('PAT0703');
    } finally {
      delete process.env['PATC_WEBGPU_ADAPTER'];
    }
  });

  it('says which package carries the software GPU', async () => {
    const result = await useSoftwareGpu(null);
    expect(result).toMatchObject({ ok: false, reason: expect.stringContaining('@sparticuz/chromium') });
  });
});
