import { afterEach, describe, expect, it } from 'vitest';
import { vectorAdd } from '../../../bench/smoke/kernels.ts';
import { Body, buffer, kernel } from '../../../bench/smoke/build.ts';
import { openCudaDevice } from '../../../backends/cuda/runtime/index.ts';
import { targetOf, writtenFirst } from '../../../backends/cuda/runtime/device.ts';
import { median } from '../../../backends/cuda/runtime/stream.ts';
import type { RunRequest } from '../../../compiler/backend.ts';
import { PatcError } from '../../../compiler/diagnostics/error.ts';
import { Driver } from '../../../backends/cuda/runtime/driver.ts';
import { compiler, counts, fakeDevice, fakeNvrtc } from './fake.ts';

const n = 1000;
const a = Float32Array.from({ length: n }, (_, i) => i);
const b = Float32Array.from({ length: n }, (_, i) => 1 / (i + 1));

const request = (overrides: Partial<RunRequest> = {}): RunRequest => ({
  kernels: [vectorAdd()],
  buffers: [
    { name: 'left', element: 'f32', data: a, output: false },
    { name: 'right', element: 'f32', data: b, output: false },
    { name: 'sum', element: 'f32', data: new Float32Array(n + 3), output: true },
  ],
  launches: [{ kernel: 0, grid: [4, 1, 1], buffers: { a: 'left', b: 'right', out: 'sum' }, scalars: { n } }],
  repeats: 0,
  ...overrides,
});

const code = async (work: () => unknown): Promise<string> => {
  try {
    await work();
  } catch (error) {
    if (error instanceof PatcError) return `${error.message}`;
    throw error;
  }
  return 'nothing was thrown';
};

describe('without a driver', () => {
  it('says what is missing and what to do', async () => {
    const text = await code(() => openCudaDevice({ PATC_CUDA_LIBRARY: '/nowhere/libcuda.so.1' }));
    expect(text).toContain('PAT0702 no-cuda-device');
    expect(text).toContain('/nowhere/libcuda.so.1');
  });
});

describe.skipIf(!compiler)('on the stand-in driver', () => {
  afterEach(() => {
    delete process.env['FAKE_CUDA_FAIL'];
    delete process.env['FAKE_CUDA_MAJOR'];
  });

  const alive = (): number[] =>
    Object.entries(counts()).flatMap(([k, v]) => (k === 'launches' || k === 'early' ? [] : [v]));

  it('runs, poisons outputs, times, and leaves nothing behind', async () => {
    const device = fakeDevice();
    expect(device.description).toBe('Fake GPU 40');
    expect(device.units).toBe(4);
    expect(device.target.name).toBe('cuda:sm_90a');
    const result = await device.run(request({ repeats: 6 }));
    const sum = result.outputs.get('sum') as Float32Array;
    expect([...sum.subarray(0, n)]).toEqual([...a].map((x, i) => Math.fround(x + b[i]!)));
    expect([...sum.subarray(n)].every(Number.isNaN)).toBe(true);
    expect(result.driver).toMatch(/^(\d[\d.]+, )?CUDA 13\.0$/);
    expect(result.timing!.eventUs).toBeCloseTo(3);
    expect(result.timing!.graphUs).toBeCloseTo(3);
    expect(result.timing!.chainedUs).toBeCloseTo(2.1);
    expect(result.timing!.launches).toHaveLength(1);
    expect(result.kernels).toEqual([
      { kernel: 'vector_add', registers: 12, spillBytes: 12, sharedBytes: 0, blocksPerUnit: 8 },
    ]);
    expect(counts()).toMatchObject({ memory: 0, events: 0, graphs: 0, executables: 0, modules: 1 });
    await device.close();
    expect(alive()).toEqual([0, 0, 0, 0, 0, 0, 0]);
    await device.close();
    expect(alive()).toEqual([0, 0, 0, 0, 0, 0, 0]);
  });

  it('packs scalar arguments of every type', async () => {
    const out = buffer('out', 'f32', 'write', 4);
    const params = [
      { name: 'x', type: 'f32' },
      { name: 'i', type: 'i32' },
      { name: 'u', type: 'u32' },
      { name: 'flag', type: 'bool' },
    ] as const;
    const scalars = kernel('scalars', { threads: 32, buffers: [out], params }, new Body());
    const device = fakeDevice();
    const run = (values: Record<string, number>) =>
      device.run({
        kernels: [scalars],
        buffers: [{ name: 'out', element: 'f32', data: new Float32Array(4), output: true }],
        launches: [{ kernel: 0, grid: [1, 1, 1], buffers: { out: 'out' }, scalars: values }],
        repeats: 0,
      });
    const result = await run({ x: 0.5, i: -7, u: 4294967295, flag: 1 });
    expect([...result.outputs.get('out')!]).toEqual([0.5, -7, 4294967296, 1]);
    expect(await code(() => run({ x: 0, i: 2 ** 31, u: 0, flag: 0 }))).toContain(
      'i = 2147483648 does not fit i32',
    );
    expect(await code(() => run({ x: 0, i: 0, u: -1, flag: 0 }))).toContain('does not fit u32');
    expect(await code(() => run({ x: 0, i: 0, u: 0 }))).toContain('without argument flag');
    expect(counts().memory).toBe(0);
    await device.close();
    expect(alive()).toEqual([0, 0, 0, 0, 0, 0, 0]);
  });

  it('keeps large inputs on the device when asked to', async () => {
    const device = fakeDevice();
    device.keepUploads = true;
    const count = 1 << 19;
    const big = Float32Array.from({ length: count }, (_, i) => i % 1000);
    const withBig = (left: Float32Array) =>
      request({
        buffers: [{ name: 'left', element: 'f32', data: left, output: false }, ...request().buffers.slice(1)],
      });
    const sumOf = async (left: Float32Array): Promise<number> =>
      ((await device.run(withBig(left))).outputs.get('sum') as Float32Array)[5]!;
    expect(await sumOf(big)).toBeCloseTo(5 + 1 / 6);
    expect(counts().memory).toBe(1);
    // Nothing is copied again: a change on the host is not seen, as documented.
    big[5] = 77;
    expect(await sumOf(big.subarray(0, count - 8))).toBeCloseTo(5 + 1 / 6);
    expect(counts().memory).toBe(1);
    expect(await sumOf(big.slice())).toBeCloseTo(77 + 1 / 6);
    expect(counts().memory).toBe(2);
    await device.close();
    expect(alive()).toEqual([0, 0, 0, 0, 0, 0, 0]);
  });

  it('skips empty launches and rejects impossible ones', async () => {
    const device = fakeDevice();
    const before = counts().launches;
    const launch = request().launches[0]!;
    await device.run(request({ launches: [{ ...launch, grid: [0, 1, 1] }] }));
    expect(counts().launches).toBe(before);
    const bad = request({ launches: [{ ...launch, grid: [1, 70000, 1] }] });
    expect(await code(() => device.run(bad))).toContain('grid of 1 x 70000 x 1');
    const missing = request({ launches: [{ ...launch, buffers: { a: 'left', b: 'right' } }] });
    expect(await code(() => device.run(missing))).toContain('without buffer out');
    await device.close();
    expect(alive()).toEqual([0, 0, 0, 0, 0, 0, 0]);
  });

  it('launches a kernel early where it follows another one and waits for it by itself', async () => {
    const device = fakeDevice();
    const hopper = { ...vectorAdd(), target: 'cuda:sm_90a' };
    const again = { ...request().launches[0]!, buffers: { a: 'sum', b: 'right', out: 'sum' } };
    const three = (kernel: ReturnType<typeof vectorAdd>) =>
      device.run(request({ kernels: [kernel], launches: [request().launches[0]!, again, again] }));
    const before = counts();
    const result = await three(hopper);
    expect(counts().early - before.early).toBe(2);
    expect(result.outputs.get('sum')![3]).toBeCloseTo(3 + 3 / 4);
    await three(vectorAdd());
    expect(counts().early - before.early).toBe(2);
    expect(counts().launches - before.launches).toBe(6);
    await device.close();
  });

  it.each([
    ['cuMemAlloc:2', 'PAT0708', 'allocating 4000 bytes for buffer left'],
    ['cuLaunchKernelEx:1', 'PAT0708', 'launching kernel vector_add'],
    ['cuStreamSynchronize:700', 'PAT0704', 'running kernel vector_add'],
    ['cuModuleLoadData:200', 'PAT0708', 'loading kernel vector_add'],
    ['cuGraphInstantiate:2', 'PAT0708', 'making a graph executable'],
  ])('%s is %s, names the kernel, and leaks nothing', async (failure, expected, doing) => {
    const device = fakeDevice();
    process.env['FAKE_CUDA_FAIL'] = failure;
    const text = await code(() => device.run(request({ repeats: 3 })));
    expect(text).toContain(expected);
    expect(text).toContain(doing);
    delete process.env['FAKE_CUDA_FAIL'];
    await device.close();
    expect(alive()).toEqual([0, 0, 0, 0, 0, 0, 0]);
  });

  it('a driver that does not start or is too old, and a device that is too old, are PAT0702', async () => {
    const text = await code(() => new Driver(fakeNvrtc()));
    expect(text).toContain('PAT0702 no-cuda-device: the CUDA driver has no function cuInit');
    process.env['FAKE_CUDA_FAIL'] = 'cuInit:100';
    expect(await code(fakeDevice)).toContain(
      'PAT0702 no-cuda-device: the CUDA driver does not start: CUDA_ERROR_NO_DEVICE',
    );
    delete process.env['FAKE_CUDA_FAIL'];
    process.env['FAKE_CUDA_MAJOR'] = '7';
    expect(await code(fakeDevice)).toContain('compute capability 7');
    expect(alive()).toEqual([0, 0, 0, 0, 0, 0, 0]);
  });
});

describe('pure parts', () => {
  it('median', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
  });

  it('poisons what is only written at first use', () => {
    const k = vectorAdd();
    const buffers = { a: 'p', b: 'q', out: 'r' };
    const launch = { kernel: 0, grid: [1, 1, 1] as const, scalars: {} };
    const of = (...launches: Record<string, string>[]): string[] => [
      ...writtenFirst({
        kernels: [k],
        buffers: [],
        launches: launches.map((b) => ({ ...launch, buffers: b })),
        repeats: 0,
      }),
    ];
    expect(of(buffers)).toEqual(['r']);
    expect(of(buffers, { a: 'r', b: 'q', out: 's' })).toEqual(['r', 's']);
    expect(of(buffers, { a: 'r', b: 'q', out: 'p' })).toEqual(['r']);
  });

  it('takes sm_80 code within the limits of a smaller device', () => {
    const facts = {
      name: 'L4',
      capability: 89,
      multiprocessors: 58,
      l2Bytes: 0,
      memoryBytes: 0,
      sharedBytes: 101376,
      maxThreads: 1024,
      driver: '13.0',
    };
    expect(targetOf(facts)).toMatchObject({ name: 'cuda:sm_80', sharedBytes: 101376 });
    expect(targetOf({ ...facts, capability: 90, sharedBytes: 232448 }).name).toBe('cuda:sm_90a');
  });
});
