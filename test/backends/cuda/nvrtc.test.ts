import { mkdtempSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { CodeCache } from '../../../backends/cuda/nvcc/cache.ts';
import { koffi } from '../../../backends/cuda/runtime/library.ts';
import { compileWithNvrtc, findNvrtc } from '../../../backends/cuda/runtime/nvrtc.ts';
import { compiler, fakeNvrtc } from './fake.ts';

const cache = (): CodeCache => new CodeCache(mkdtempSync(path.join(os.tmpdir(), 'patc-test-')));
const request = (text: string) => ({
  program: 'demo',
  text,
  spans: [{ file: 'a.ts', line: 4, column: 1 }],
  arch: 'sm_90a',
});

afterEach(() => {
  delete process.env['PATC_NVRTC_LIBRARY'];
});

describe('NVRTC', () => {
  it('is PAT0701 where neither it nor nvcc is there', () => {
    process.env['PATC_NVRTC_LIBRARY'] = '/nowhere/libnvrtc.so';
    expect(findNvrtc()).toBeUndefined();
    expect(() => compileWithNvrtc(request('x'), cache())).toThrow(/PAT0701 no-nvcc: neither nvcc nor NVRTC/);
  });

  it.skipIf(!compiler)('compiles, reports resources and errors, caches, and releases its programs', () => {
    process.env['PATC_NVRTC_LIBRARY'] = fakeNvrtc();
    expect(findNvrtc()!.version).toBe('99.7');
    const kept = cache();
    const cubin = compileWithNvrtc(request('__global__ void k() {}'), kept);
    expect(Buffer.from(cubin.bytes).toString()).toBe('__global__ void k() {}');
    expect(cubin.resources.get('k')).toMatchObject({ registers: 33, spillStoreBytes: 4, spillLoadBytes: 8 });
    expect(compileWithNvrtc(request('__global__ void k() {}'), kept).resources).toEqual(cubin.resources);
    let error: unknown;
    try {
      compileWithNvrtc(request('#error'), kept);
    } catch (e) {
      error = e;
    }
    expect(error).toMatchObject({ code: 'PAT0705', diagnostics: [{ span: { file: 'a.ts', line: 4 } }] });
    expect(Number(koffi().load(fakeNvrtc()).func('int64_t fakePrograms()')())).toBe(0);
  });
});
