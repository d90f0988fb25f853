/**
 * The browser's way: a page imports the runtime as it stands (types stripped, nothing bundled, so no node: import may be
 * in its graph), asks headless Chromium for a WebGPU device and runs a kernel on SwiftShader.
 */
import { readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { chromium, type Browser, type Page } from 'playwright-core';
import packaged from '@sparticuz/chromium';
import * as b from '../../../compiler/thread/build.ts';
import { findSoftwarePackage, unpackArchive } from '../../../backends/wgsl/runtime/software.ts';
import { at, buffer, kernel, shared } from './kernels.ts';

interface Modules {
  runtime: typeof import('../../../backends/wgsl/runtime/index.ts');
  lowering: typeof import('../../../compiler/lower/index.ts');
  targets: typeof import('../../../compiler/target.ts');
  softmax: typeof import('../../../examples/softmax/kernel.ts');
  pat: typeof import('../../../examples/pat/index.ts');
}

const root = join(import.meta.dirname, '../../..');
const origin = 'http://localhost';
// What a bundler does for a page: bare names resolved.
const imports = {
  zod: '/node_modules/zod/index.js',
  chevrotain: '/node_modules/chevrotain/lib/chevrotain.mjs',
};
const html = `<!doctype html><script type="importmap">${JSON.stringify({ imports })}</script>
<script type="module">
  globalThis.runtime = await import('/backends/wgsl/runtime/index.ts');
  globalThis.lowering = await import('/compiler/lower/index.ts');
  globalThis.targets = await import('/compiler/target.ts');
  globalThis.softmax = await import('/examples/softmax/kernel.ts');
  globalThis.pat = await import('/examples/pat/index.ts');
</script>`;
let browser: Browser;
let page: Page;

beforeAll(async () => {
  const libraries = join(unpackArchive(findSoftwarePackage()!, 'al2023'), 'lib');
  browser = await chromium.launch({
    executablePath: await packaged.executablePath(),
    headless: true,
    env: { ...process.env, LD_LIBRARY_PATH: libraries } as Record<string, string>,
    args: [
      '--no-sandbox',
      '--enable-unsafe-webgpu',
      '--use-webgpu-adapter=swiftshader',
      '--enable-features=Vulkan',
      '--ignore-gpu-blocklist',
      // As in Node (runtime/dawn.ts): compilation takes seconds otherwise.
      '--disable-dawn-features=use_vulkan_zero_initialize_workgroup_memory_extension',
    ],
  });
  page = await browser.newPage();
  await page.route(`${origin}/**`, async (route) => {
    const path = new URL(route.request().url()).pathname;
    if (path === '/') return route.fulfill({ contentType: 'text/html', body: html });
    const text = readFileSync(join(root, path), 'utf8');
    const code = path.endsWith('.ts') ? stripTypeScriptTypes(text) : text;
    return route.fulfill({ contentType: 'text/javascript', body: code });
  });
  await page.goto(`${origin}/`);
  await page.waitForFunction(() => 'pat' in globalThis);
});
afterAll(() => browser?.close());

it('runs an emitted kernel in a page', { timeout: 60_000 }, async () => {
  const r = new b.Registers();
  const [x, y] = [buffer('x', 'f16', 'read'), buffer('y', 'f32', 'write')];
  const s = shared(0, 's', 'f32', 256, 0);
  const [i, v] = [r.scalar('i', 'i32'), r.scalar('v', 'f32')];
  const k = kernel(
    64,
    [x, y],
    [
      b.declare(at(2), i, b.add(b.mul(b.blockId(0), 64), b.threadId())),
      {
        s: 'storeShared',
        span: at(3),
        buffer: s,
        offset: b.mul(b.threadId(), 4),
        values: [b.loadGlobal(x, b.varRef(i))],
      },
      b.barrier(at(4)),
      b.declare(at(5), v),
      {
        s: 'loadShared',
        span: at(5),
        dst: [b.lvalue(v)],
        buffer: s,
        offset: b.mul(b.sub(63, b.threadId()), 4),
      },
      {
        s: 'storeGlobal',
        span: at(6),
        buffer: y,
        index: b.varRef(i),
        value: b.mul(b.varRef(v), b.param('factor', 'f32')),
      },
    ],
    { shared: [s], params: [{ name: 'factor', type: 'f32' }] },
  );
  const numbers = Array.from({ length: 128 }, (_, n) => ((n * 37) % 101) / 4 - 10);
  const halves = [...new Uint16Array(Float16Array.from(numbers).buffer)];

  const result = await page.evaluate(
    async ({ kernels, input }) => {
      const adapter = await navigator.gpu.requestAdapter();
      if (!adapter) return { vendor: 'no adapter', values: [] };
      const { runOn } = (globalThis as unknown as Modules).runtime;
      const { outputs } = await runOn(await adapter.requestDevice(), {
        kernels,
        buffers: [
          { name: 'x', element: 'f16', data: Uint16Array.from(input), output: false },
          { name: 'y', element: 'f32', data: new Float32Array(128), output: true },
        ],
        launches: [{ kernel: 0, grid: [2, 1, 1], buffers: { x: 'x', y: 'y' }, scalars: { factor: 3 } }],
        repeats: 0,
      });
      return { vendor: adapter.info.architecture, values: [...outputs.get('y')!] };
    },
    { kernels: [k], input: halves },
  );

  expect(result.vendor).toBe('swiftshader');
  const expected = numbers.map((_, n) => 3 * numbers[64 * Math.floor(n / 64) + 63 - (n % 64)]!);
  expect(result.values).toEqual(expected);
});

it('traces, lowers and runs an author’s kernel in a page', { timeout: 60_000 }, async () => {
  const [rows, columns] = [5, 192];
  const x = Array.from({ length: rows * columns }, (_, n) => Math.sin(n * 1.7) * 6);
  const y = await page.evaluate(
    async ({ x, rows, columns }) => {
      const { runtime, lowering, targets, softmax } = globalThis as unknown as Modules;
      const template = softmax.rowSoftmax;
      const tile = { rows: 2 };
      const kernel = lowering.lowerKernel(
        template.trace({ ...template.spec, columns, dtype: 'f32' }, tile),
        targets.findTarget('wgsl')!,
      );
      const device = await (await navigator.gpu.requestAdapter())!.requestDevice();
      const { outputs } = await runtime.runOn(device, {
        kernels: [kernel],
        buffers: [
          { name: 'x', element: 'f32', data: Float32Array.from(x), output: false },
          { name: 'y', element: 'f32', data: new Float32Array(x.length), output: true },
        ],
        launches: [{ kernel: 0, grid: [3, 1, 1], buffers: { x: 'x', y: 'y' }, scalars: { n: rows } }],
        repeats: 0,
      });
      return [...outputs.get('y')!];
    },
    { x, rows, columns },
  );
  for (let row = 0; row < rows; row++) {
    const part = x.slice(row * columns, (row + 1) * columns).map(Math.exp);
    const sum = part.reduce((a, e) => a + e);
    part.forEach((e, i) => expect(y[row * columns + i]).toBeCloseTo(e / sum, 6));
  }
});

it('plans, runs and verifies the program pat in a page', { timeout: 60_000 }, async () => {
  const result = await page.evaluate(async () => {
    const { runtime, lowering, targets, pat } = globalThis as unknown as Modules;
    const target = targets.findTarget('wgsl')!;
    const lower = (t: typeof pat.forward, spec: object, tile: Record<string, number>) => {
      const known = Object.entries({ ...t.spec, ...spec }).filter(([name]) => name in t.spec);
      return lowering.lowerKernel(t.trace(Object.fromEntries(known), tile), target);
    };
    const tile = { pat_forward: { m: 8, n: 16 }, pat_merge: {} } as Record<string, Record<string, number>>;
    const defaults = (t: typeof pat.forward) =>
      Object.fromEntries(Object.entries(t.tile).map(([name, values]) => [name, values[0]!]));
    const instance = pat.pat.instantiate({
      workload: '1,2,4_32,24,16',
      seed: 3,
      spec: { headDim: 64, group: 4, kvHeads: 2, page: 16, dtype: 'f16' },
      device: {
        family: 'wgsl',
        units: 2,
        feasible: (t) => [{ ...defaults(t as typeof pat.forward), ...tile[t.name] }],
      },
      flags: { packing: 'pat' },
      verify: true,
    });
    const kernels = instance.launches.map((l) =>
      lower(l.template as typeof pat.forward, instance.spec, l.tile),
    );
    const launches = instance.launches.map(({ grid, buffers, scalars }, kernel) => ({
      kernel,
      grid,
      buffers,
      scalars,
    }));
    const device = await (await navigator.gpu.requestAdapter())!.requestDevice();
    const { outputs } = await runtime.runOn(device, {
      kernels,
      buffers: instance.buffers,
      launches,
      repeats: 0,
    });
    return { launches: launches.length, ...instance.verify(outputs) };
  });
  expect(result).toMatchObject({ ok: true, unwritten: 0 });
  expect(result.launches).toBeGreaterThan(1);
});
