import { mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { execFileSync, spawnSync } from 'node:child_process';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { smokeKernels } from '../../../bench/smoke/cases.ts';
import { emitCuda } from '../../../backends/cuda/emit/index.ts';
import { CodeCache } from '../../../backends/cuda/nvcc/cache.ts';
import { compileCubin, Limiter } from '../../../backends/cuda/nvcc/compile.ts';
import { parseErrors, rejection } from '../../../backends/cuda/nvcc/errors.ts';
import { findNvcc, needNvcc } from '../../../backends/cuda/nvcc/find.ts';
import { parseResources } from '../../../backends/cuda/nvcc/resources.ts';
import { PatcError } from '../../../compiler/diagnostics/error.ts';

const folder = (): string => mkdtempSync(path.join(os.tmpdir(), 'patc-test-'));

describe('what nvcc prints', () => {
  it('resources', () => {
    const log = `ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function 'merge' for 'sm_90a'
ptxas info    : Function properties for merge
    16 bytes stack frame, 12 bytes spill stores, 20 bytes spill loads
ptxas info    : Used 168 registers, used 1 barriers, 16 bytes cumulative stack size, 1024 bytes smem, 372 bytes cmem[0]
ptxas info    : Compiling entry function 'forward' for 'sm_90a'
ptxas info    : Function properties for forward
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 96 registers, used 0 barriers`;
    expect(Object.fromEntries(parseResources(log))).toEqual({
      merge: {
        registers: 168,
        spillStoreBytes: 12,
        spillLoadBytes: 20,
        stackBytes: 16,
        staticSharedBytes: 1024,
      },
      forward: { registers: 96, spillStoreBytes: 0, spillLoadBytes: 0, stackBytes: 0, staticSharedBytes: 0 },
    });
  });

  it('errors, carried back to the author', () => {
    const log = `kernel.cu(3): error: identifier "oops" is undefined
kernel.cu(4): warning #177-D: variable "x" was declared but never referenced
kernel.cu(2): error #20: too few arguments in function call
ptxas error   : Entry function 'k' uses too much shared data (0x40000 bytes, 0x38c00 max)
2 errors detected`;
    expect(parseErrors(log).map((m) => m.line)).toEqual([3, 2, undefined]);
    const spans = [undefined, undefined, { file: 'a.ts', line: 7, column: 3 }];
    const error = rejection('nvcc', 'demo', log, spans, 'one\ntwo\n  y = oops;\n');
    expect(error.code).toBe('PAT0705');
    expect(error.diagnostics[0]!.span).toMatchObject({ file: 'a.ts', line: 7 });
    expect(error.diagnostics[0]!.notes![0]!.text).toBe('identifier "oops" is undefined in line 3: y = oops;');
    expect(rejection('nvcc', 'demo', 'killed', [], '').diagnostics[0]!.notes![0]!.text).toBe('killed');
  });
});

describe('the cache', () => {
  it('returns what was put, and nothing from a file that was cut short', () => {
    const root = folder();
    const cache = new CodeCache(root);
    const key = CodeCache.key('a', 'b');
    expect(key).not.toBe(CodeCache.key('ab', ''));
    expect(cache.get(key)).toBeUndefined();
    cache.put(key, { cubin: Buffer.from([1, 2, 3]), log: 'höher' });
    expect(cache.get(key)!.log).toBe('höher');
    expect([...cache.get(key)!.cubin]).toEqual([1, 2, 3]);
    const file = path.join(root, key.slice(0, 2), key);
    expect(readdirSync(path.dirname(file))).toEqual([key]);
    writeFileSync(file, Buffer.from([1, 0, 0, 0, 99, 0, 0, 0, 5]));
    expect(cache.get(key)).toBeUndefined();
    new CodeCache('/dev/null/nowhere').put(key, { cubin: Buffer.from([]), log: '' });
  });
});

describe('looking for nvcc', () => {
  it('follows CUDA_HOME before PATH, and says what is missing', () => {
    const root = folder();
    execFileSync('mkdir', [path.join(root, 'bin')]);
    writeFileSync(path.join(root, 'bin', 'nvcc'), '#!/bin/sh\n', { mode: 0o755 });
    expect(findNvcc({ CUDA_HOME: root, PATH: '/usr/bin' })).toBe(path.join(root, 'bin', 'nvcc'));
    let error: unknown;
    try {
      needNvcc({ PATH: '' });
    } catch (e) {
      error = e;
    }
    // Machines with a toolkit in the usual folder find that one.
    if (error !== undefined) expect((error as PatcError).code).toBe('PAT0701');
  });
});

describe('the limiter', () => {
  it('runs everything, never more than its width at once, failures included', async () => {
    const limiter = new Limiter(2);
    let [running, most] = [0, 0];
    const results = await Promise.allSettled(
      Array.from({ length: 9 }, (_, i) =>
        limiter.run(async () => {
          most = Math.max(most, ++running);
          await new Promise((r) => setImmediate(r));
          running--;
          if (i % 3 === 0) throw new Error('no');
          return i;
        }),
      ),
    );
    expect(most).toBe(2);
    expect(results.filter((r) => r.status === 'rejected')).toHaveLength(3);
    expect(await limiter.run(async () => 1)).toBe(1);
  });
});

const nvcc = findNvcc();
describe.skipIf(!nvcc)('nvcc itself', () => {
  it.each(['sm_80', 'sm_90a'])('compiles every hand-made kernel for %s, without spills', async (arch) => {
    const kernels = smokeKernels(arch === 'sm_90a');
    const source = emitCuda('smoke', kernels, `cuda:${arch}`);
    const cache = new CodeCache(folder());
    const cubin = await compileCubin(
      { program: 'smoke', text: source.text, spans: source.spans, arch },
      cache,
    );
    expect(cubin.resources.size).toBe(kernels.length);
    for (const [symbol, r] of cubin.resources) expect(r.spillLoadBytes + r.spillStoreBytes, symbol).toBe(0);
    const again = await compileCubin(
      { program: 'smoke', text: source.text, spans: source.spans, arch },
      cache,
    );
    expect(again.bytes.length).toBe(cubin.bytes.length);
    expect(again.resources.get('vector_add')).toEqual(cubin.resources.get('vector_add'));
  });

  it('rejects what is wrong with PAT0705 at the author’s line', async () => {
    const text = '__global__ void k(int *x) {\n  *x = undefined_name;\n}\n';
    const spans = [undefined, { file: 'author.ts', line: 12, column: 5 }, undefined];
    const failed = compileCubin({ program: 'demo', text, spans, arch: 'sm_80' }, new CodeCache(folder()));
    await expect(failed).rejects.toMatchObject({ code: 'PAT0705' });
    await failed.catch((e: PatcError) => expect(e.diagnostics[0]!.span).toMatchObject({ line: 12 }));
  });

  it('links a C program against the launch functions', () => {
    const root = folder();
    const source = emitCuda('smoke', smokeKernels(), 'cuda:sm_80', { lines: true });
    writeFileSync(path.join(root, 'smoke.cu'), source.text);
    writeFileSync(path.join(root, 'smoke.h'), source.header);
    writeFileSync(
      path.join(root, 'main.c'),
      '#include "smoke.h"\nint main(void) {\n  dim3 grid = {1, 1, 1};\n  return smoke_vector_add_launch(grid, 0, 0, 0, 0, 0) == cudaSuccess;\n}\n',
    );
    const run = (args: string[]): string => {
      const done = spawnSync(nvcc!, args, { cwd: root, encoding: 'utf8' });
      return done.status === 0 ? '' : done.stdout + done.stderr;
    };
    expect(run(['-arch=sm_80', '-c', 'smoke.cu', '-o', 'smoke.o'])).toBe('');
    expect(run(['-x', 'c', '-c', 'main.c', '-o', 'main.o'])).toBe('');
    expect(run(['smoke.o', 'main.o', '-o', 'main'])).toBe('');
  });
});
