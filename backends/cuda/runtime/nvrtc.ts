/** Compilation by NVRTC, for machines that have the driver and CUDA's run-time compiler but no nvcc. */
import path from 'node:path';
import { fail } from '../../../compiler/diagnostics/error.ts';
import { CodeCache } from '../nvcc/cache.ts';
import type { CompileRequest, Cubin } from '../nvcc/compile.ts';
import { rejection } from '../nvcc/errors.ts';
import { parseResources } from '../nvcc/resources.ts';
import { koffi } from './library.ts';

type Status = (...args: unknown[]) => number;

interface Nvrtc {
  readonly version: string;
  readonly create: Status;
  readonly destroy: Status;
  readonly compile: Status;
  readonly logSize: Status;
  readonly log: Status;
  readonly cubinSize: Status;
  readonly cubin: Status;
}

/** PATC_NVRTC_LIBRARY alone where it is set; else by name through the loader's paths, then the toolkit's folders. */
function placesOf(env: NodeJS.ProcessEnv): string[] {
  if (env['PATC_NVRTC_LIBRARY']) return [env['PATC_NVRTC_LIBRARY']];
  const homes = [env['CUDA_HOME'], env['CUDA_PATH'], '/usr/local/cuda'].filter(
    (x) => x !== undefined && x !== '',
  );
  return [
    'libnvrtc.so',
    'libnvrtc.so.13',
    'libnvrtc.so.12',
    ...homes.map((home) => path.join(home!, 'lib64', 'libnvrtc.so')),
  ];
}

const opened = new Map<string, Nvrtc>();

/** NVRTC where it can be loaded, else undefined. */
export function findNvrtc(env: NodeJS.ProcessEnv = process.env): Nvrtc | undefined {
  for (const place of placesOf(env)) {
    const known = opened.get(place);
    if (known) return known;
    try {
      const bound = bind(place);
      opened.set(place, bound);
      return bound;
    } catch {
      continue;
    }
  }
  return undefined;
}

function bind(place: string): Nvrtc {
  const library = koffi().load(place);
  const f = (prototype: string): Status => library.func(prototype) as Status;
  const [major, minor] = [[0], [0]] as [number[], number[]];
  f('int nvrtcVersion(_Out_ int *major, _Out_ int *minor)')(major, minor);
  return {
    version: `${major[0]}.${minor[0]}`,
    create: f(
      'int nvrtcCreateProgram(_Out_ void **program, const char *source, const char *name, int headers, void *texts, void *names)',
    ),
    destroy: f('int nvrtcDestroyProgram(_Inout_ void **program)'),
    compile: f('int nvrtcCompileProgram(void *program, int count, const char **options)'),
    logSize: f('int nvrtcGetProgramLogSize(void *program, _Out_ size_t *bytes)'),
    log: f('int nvrtcGetProgramLog(void *program, _Out_ uint8_t *text)'),
    cubinSize: f('int nvrtcGetCUBINSize(void *program, _Out_ size_t *bytes)'),
    cubin: f('int nvrtcGetCUBIN(void *program, _Out_ uint8_t *code)'),
  };
}

function bytesOf(program: unknown, size: Status, get: Status): Uint8Array {
  const slot: [number | bigint] = [0];
  if (size(program, slot) !== 0) return new Uint8Array();
  const bytes = new Uint8Array(Number(slot[0]));
  return get(program, bytes) === 0 ? bytes : new Uint8Array();
}

/** @throws PAT0701 where neither nvcc nor NVRTC is there, PAT0705 where NVRTC rejects the code. */
export function compileWithNvrtc(request: CompileRequest, cache = new CodeCache()): Cubin {
  const nvrtc =
    findNvrtc() ??
    fail('PAT0701', 'neither nvcc nor NVRTC was found', {
      notes: [
        { text: 'looked for nvcc in CUDA_HOME, CUDA_PATH, PATH and /usr/local/cuda/bin' },
        { text: `looked for ${placesOf(process.env).join(', ')}` },
      ],
      help: 'install the CUDA toolkit 12 or newer, or its run-time compiler alone, and put it on LD_LIBRARY_PATH',
    });
  const options = [`--gpu-architecture=${request.arch}`, '--ptxas-options=-v', '-lineinfo'];
  const key = CodeCache.key(`nvrtc ${nvrtc.version}`, options.join(' '), request.text);
  const hit = cache.get(key);
  if (hit) return { bytes: hit.cubin, resources: parseResources(hit.log) };
  const slot: [bigint | null] = [null];
  if (nvrtc.create(slot, request.text, 'kernel.cu', 0, null, null) !== 0)
    return fail('PAT0701', `NVRTC ${nvrtc.version} does not start`);
  try {
    const status = nvrtc.compile(slot[0], options.length, options);
    const log = Buffer.from(bytesOf(slot[0], nvrtc.logSize, nvrtc.log))
      .toString('utf8')
      .replace(/\0/g, '');
    if (status !== 0) throw rejection('NVRTC', request.program, log, request.spans, request.text);
    const cubin = bytesOf(slot[0], nvrtc.cubinSize, nvrtc.cubin);
    cache.put(key, { cubin, log });
    return { bytes: cubin, resources: parseResources(log) };
  } finally {
    nvrtc.destroy(slot);
  }
}
