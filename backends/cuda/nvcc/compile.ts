/** `.cu` text to cubin with nvcc: cached by content, as many at a time as there are cores. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fail } from '../../../compiler/diagnostics/error.ts';
import type { Span } from '../../../compiler/ir/span.ts';
import { CodeCache } from './cache.ts';
import { rejection } from './errors.ts';
import { needNvcc } from './find.ts';
import { parseResources, type Resources } from './resources.ts';

export interface Cubin {
  readonly bytes: Uint8Array;
  /** By kernel symbol. */
  readonly resources: ReadonlyMap<string, Resources>;
}

export interface CompileRequest {
  /** For messages. */
  readonly program: string;
  readonly text: string;
  readonly spans: readonly (Span | undefined)[];
  /** `sm_80`, `sm_90a` … */
  readonly arch: string;
}

/** Runs at most `width` of the tasks at once. */
export class Limiter {
  readonly #width: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(width: number) {
    this.#width = width;
  }

  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#width) await new Promise<void>((go) => this.#waiting.push(go));
    else this.#running++;
    try {
      return await task();
    } finally {
      // The place passes to the next in line, or is given up.
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running--;
    }
  }
}

const limiter = new Limiter(Math.max(1, os.availableParallelism()));
const versions = new Map<string, Promise<string>>();

interface Outcome {
  readonly code: number;
  readonly output: string;
}

function execute(tool: string, args: readonly string[], cwd?: string): Promise<Outcome> {
  return new Promise((resolve) => {
    execFile(tool, args, { cwd, maxBuffer: 64 << 20 }, (error, stdout, stderr) => {
      const code = error ? (typeof error.code === 'number' ? error.code : -1) : 0;
      resolve({ code, output: `${stdout}${stderr}${code === -1 ? (error?.message ?? '') : ''}` });
    });
  });
}

/** The text of `nvcc --version`: part of every cache key. */
function versionOf(nvcc: string): Promise<string> {
  let version = versions.get(nvcc);
  if (!version) {
    version = execute(nvcc, ['--version']).then(({ code, output }) =>
      code === 0 ? output : fail('PAT0701', `${nvcc} does not run: ${output.trim()}`),
    );
    versions.set(nvcc, version);
  }
  return version;
}

/** @throws PAT0701 without nvcc, PAT0705 where nvcc rejects the code. */
export async function compileCubin(request: CompileRequest, cache = new CodeCache()): Promise<Cubin> {
  const nvcc = needNvcc();
  const options = [`-arch=${request.arch}`, '-cubin', '-Xptxas', '-v', '-lineinfo'];
  const key = CodeCache.key(await versionOf(nvcc), options.join(' '), request.text);
  const hit = cache.get(key);
  if (hit) return { bytes: hit.cubin, resources: parseResources(hit.log) };
  return limiter.run(async () => {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'patc-nvcc-'));
    try {
      await writeFile(path.join(folder, 'kernel.cu'), request.text);
      const { code, output } = await execute(nvcc, [...options, '-o', 'kernel.cubin', 'kernel.cu'], folder);
      if (code !== 0) throw rejection('nvcc', request.program, output, request.spans, request.text);
      const cubin = await readFile(path.join(folder, 'kernel.cubin'));
      cache.put(key, { cubin, log: output });
      return { bytes: cubin, resources: parseResources(output) };
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
}
