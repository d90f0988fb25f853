/** The stand-in driver of fake-driver.c, built with the system's C compiler where there is one. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Driver } from '../../../backends/cuda/runtime/driver.ts';
import { Gpu } from '../../../backends/cuda/runtime/gpu.ts';
import { CudaDevice } from '../../../backends/cuda/runtime/device.ts';
import { koffi } from '../../../backends/cuda/runtime/library.ts';

export const compiler = ['cc', 'gcc', 'clang'].find((c) => spawnSync(c, ['--version']).status === 0);

const built = new Map<string, string>();

/** A shared library built from a C file of this folder. */
function library(source: string, name: string): string {
  const known = built.get(source);
  if (known) return known;
  const file = path.join(mkdtempSync(path.join(os.tmpdir(), 'patc-fake-cuda-')), name);
  const text = path.join(import.meta.dirname, source);
  execFileSync(compiler!, ['-shared', '-fPIC', '-O1', '-w', '-o', file, text]);
  built.set(source, file);
  return file;
}

export const fakeLibrary = (): string => library('fake-driver.c', 'libcuda.so.1');
export const fakeNvrtc = (): string => library('fake-nvrtc.c', 'libnvrtc.so');

export interface Counts {
  readonly memory: number;
  readonly streams: number;
  readonly events: number;
  readonly graphs: number;
  readonly executables: number;
  readonly modules: number;
  readonly contexts: number;
  readonly launches: number;
  /** Of these, calls that allow a launch before the kernel ahead of it has ended. */
  readonly early: number;
}

export function counts(): Counts {
  const out = new BigInt64Array(9);
  koffi().load(fakeLibrary()).func('void fakeCounts(_Out_ int64_t *out)')(out);
  const [memory, streams, events, graphs, executables, modules, contexts, launches, early] = [...out].map(
    Number,
  );
  return {
    memory,
    streams,
    events,
    graphs,
    executables,
    modules,
    contexts,
    launches,
    early,
  } as Counts;
}

/** A device on the stand-in; its compiler makes "cubins" that the stand-in accepts. */
export function fakeDevice(): CudaDevice {
  return new CudaDevice(new Gpu(new Driver(fakeLibrary())), async () => ({
    bytes: Buffer.from('fake cubin'),
    resources: new Map([
      [
        'vector_add',
        { registers: 12, spillStoreBytes: 4, spillLoadBytes: 8, stackBytes: 0, staticSharedBytes: 0 },
      ],
    ]),
  }));
}
