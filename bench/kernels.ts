/** GEMM and prefill at sizes of interest, every offered tile that the target has something special for, checked on a sample. */
import type { Device, HostArray } from '../compiler/backend.ts';
import type { Lowering } from '../compiler/cli/lowering.ts';
import { PatcError } from '../compiler/diagnostics/error.ts';
import { countUnwritten, decodeF16, erf, Random, type HostElement } from '../compiler/ir/numeric.ts';
import type { InputSource, Instance, KernelTemplate, Program, Spec, Tile } from '../compiler/program.ts';
import type { ThreadKernel } from '../compiler/thread/nodes.ts';
import { linearGelu } from '../examples/gemm/kernel.ts';
import gemm from '../examples/gemm/program.ts';
import { prefill as prefillKernel } from '../examples/prefill/kernel.ts';
import prefill from '../examples/prefill/program.ts';
import type { BenchCase } from './suites.ts';

export interface Row {
  readonly part: 'gemm' | 'prefill' | 'decode';
  readonly what: string;
  readonly tile: string;
  readonly graphUs: number | null;
  readonly chainedUs: number | null;
  /** Of any implementation. */
  readonly flops: number;
  readonly verified: boolean;
  readonly relError: number | null;
  readonly registers?: number;
  readonly spillBytes?: number;
  readonly error?: string;
  /** The case as torch_times.py knows it. */
  readonly theirs: object;
}

export interface Setting {
  readonly device: Device;
  readonly lowering: Lowering;
  readonly repeats: number;
  readonly small: boolean;
}

/** Normals from one block whose length is prime, begun elsewhere for every name. */
class Inputs implements InputSource {
  readonly #block: Uint16Array;
  readonly #deviations: Readonly<Record<string, number>>;
  readonly #made = new Map<string, HostArray>();

  constructor(length: number, deviations: Readonly<Record<string, number>> = {}) {
    this.#block = new Random(5).normals('f16', length) as Uint16Array;
    this.#deviations = deviations;
  }

  take(name: string, element: HostElement, length: number): HostArray | undefined {
    if (element !== 'f16') return undefined;
    const known = this.#made.get(name);
    if (known?.length === length) return known;
    // Deviations are powers of two, so that scaling halves is a change of their exponents.
    const down = Math.round(-Math.log2(this.#deviations[name] ?? 1));
    const block =
      down === 0
        ? this.#block
        : this.#block.map((h) => ((h & 0x7c00) >> 10 > down ? h - (down << 10) : h & 0x8000));
    const data = new Uint16Array(length);
    let at = -(([...name].reduce((sum, c) => sum + c.charCodeAt(0), 0) * 50_021) % block.length);
    for (; at < length; at += block.length)
      data.set(block.subarray(Math.max(0, -at), Math.min(block.length, length - at)), Math.max(0, at));
    this.#made.set(name, data);
    return data;
  }
}

interface Work {
  readonly part: 'gemm' | 'prefill';
  readonly what: string;
  readonly program: Program;
  readonly template: KernelTemplate;
  readonly spec: Spec;
  readonly flags: Readonly<Record<string, string>>;
  readonly inputs: InputSource;
  readonly output: string;
  readonly theirs: object;
  /** Some elements of the output, and what they should be. */
  readonly sample: (buffer: (name: string) => Uint16Array) => Map<number, number>;
}

/** Shapes of warpgroups where the target has them, else the first two that fit. */
function tilesFor({ lowering }: Setting, { template, spec }: Work): Tile[] {
  const tiles = lowering.feasible(template, spec);
  const wide = tiles.filter((t) => t['wgmma'] === 1);
  return wide.length > 0
    ? [...wide, ...tiles.filter((t) => t['wgmma'] !== 1).slice(0, 1)]
    : tiles.slice(0, 2);
}

interface Loads {
  readonly code: { load(kernels: readonly ThreadKernel[]): Promise<unknown> };
}

const loads = (device: Device): device is Device & Loads => 'code' in device;

async function rowsOf(setting: Setting, work: Work, add: (row: Row) => void): Promise<void> {
  const { device, lowering } = setting;
  const tiles = tilesFor(setting, work);
  const kernels = tiles.map((tile) => lowering.lower(work.template, work.spec, tile));
  // All at the same time; a kernel that does not compile is its row's business.
  if (loads(device)) await device.code.load(kernels).catch(() => undefined);
  const buffers = (instance: Instance): ((name: string) => Uint16Array) => {
    const found = new Map(instance.buffers.map((b) => [b.name, b.data as Uint16Array]));
    return (name) => found.get(name)!;
  };
  let wanted: Map<number, number> | undefined;
  for (const tile of tiles) add(await row(setting, work, tile, (i) => (wanted ??= work.sample(buffers(i)))));
}

async function row(
  { device, lowering, repeats }: Setting,
  work: Work,
  tile: Tile,
  sampleOf: (instance: Instance) => Map<number, number>,
): Promise<Row> {
  const { part, what, spec, flags, inputs } = work;
  const base = { part, what, theirs: work.theirs, tile: Object.values(tile).join('x') };
  const instance = work.program.instantiate({
    seed: 1,
    spec,
    flags,
    inputs,
    verify: false,
    device: { family: 'cuda', units: device.units, feasible: () => [tile] },
  });
  try {
    const kernel = lowering.lower(work.template, spec, tile);
    const launches = instance.launches.map((l) => ({ ...l, kernel: 0 }));
    const result = await device.run({ kernels: [kernel], buffers: instance.buffers, launches, repeats });
    const out = result.outputs.get(work.output)! as Uint16Array;
    let [off, size] = [0, 0];
    for (const [at, want] of sampleOf(instance)) {
      off += (decodeF16(out[at]!) - want) ** 2;
      size += want ** 2;
    }
    const relError = Math.sqrt(off / size);
    const used = result.kernels?.[0];
    return {
      ...base,
      graphUs: result.timing?.graphUs ?? null,
      chainedUs: result.timing?.chainedUs ?? null,
      flops: instance.flops,
      verified: relError <= 1e-3 && countUnwritten('f16', out) === 0,
      relError: Number.isNaN(relError) ? null : relError,
      ...(used ? { registers: used.registers, spillBytes: used.spillBytes } : {}),
    };
  } catch (error) {
    if (!(error instanceof PatcError) || error.code === 'PAT0704') throw error;
    const none = { graphUs: null, chainedUs: null, flops: instance.flops, relError: null };
    return { ...base, ...none, verified: false, error: error.message };
  }
}

export async function gemmRows(setting: Setting, add: (row: Row) => void): Promise<void> {
  const n = setting.small ? 256 : 4096;
  await rowsOf(
    setting,
    {
      part: 'gemm',
      what: `${n}x${n}x${n} f16 gelu`,
      program: gemm,
      template: linearGelu,
      spec: { columns: n, depth: n, dtype: 'f16' },
      flags: { rows: String(n) },
      inputs: new Inputs(1_000_003, { w: setting.small ? 1 / 16 : 1 / 64 }),
      output: 'y',
      theirs: { kind: 'gemm', m: n, n, k: n },
      sample: (buffer) => {
        const [x, w, bias] = ['x', 'w', 'bias'].map(buffer) as [Uint16Array, Uint16Array, Uint16Array];
        const random = new Random(7);
        const wanted = new Map<number, number>();
        for (let s = 0; s < 256; s++) {
          const [i, j] = [Math.floor(random.uniform() * n), Math.floor(random.uniform() * n)];
          let z = decodeF16(bias[j]!);
          for (let d = 0; d < n; d++) z += decodeF16(x[i * n + d]!) * decodeF16(w[d * n + j]!);
          wanted.set(i * n + j, (z / 2) * (1 + erf(z * Math.SQRT1_2)));
        }
        return wanted;
      },
    },
    add,
  );
}

export async function prefillRows(setting: Setting, add: (row: Row) => void): Promise<void> {
  const [tokens, heads, headDim] = setting.small ? [300, 1, 128] : [8192, 16, 128];
  await rowsOf(
    setting,
    {
      part: 'prefill',
      what: `${tokens} tokens, ${heads} heads`,
      program: prefill,
      template: prefillKernel,
      spec: { headDim, group: 1, kvHeads: heads, dtype: 'f16' },
      flags: { lengths: String(tokens) },
      inputs: new Inputs(1_000_003),
      output: 'out',
      theirs: { kind: 'prefill', tokens, heads, headDim },
      sample: (buffer) => {
        const [q, k, v] = ['q', 'k', 'v'].map(buffer) as [Uint16Array, Uint16Array, Uint16Array];
        const random = new Random(7);
        const wanted = new Map<number, number>();
        for (let s = 0; s < 24; s++) {
          const token = s === 0 ? tokens - 1 : Math.floor(random.uniform() * tokens);
          const head = Math.floor(random.uniform() * heads);
          const at = (t: number): number => (t * heads + head) * headDim;
          const scores = Array.from({ length: token + 1 }, (_, t) => {
            let sum = 0;
            for (let d = 0; d < headDim; d++) sum += decodeF16(q[at(token) + d]!) * decodeF16(k[at(t) + d]!);
            return sum * Math.fround(1 / Math.sqrt(headDim));
          });
          const most = scores.reduce((a, b) => Math.max(a, b));
          const weights = scores.map((x) => Math.exp(x - most));
          const total = weights.reduce((a, b) => a + b, 0);
          for (let d = 0; d < headDim; d++)
            wanted.set(
              at(token) + d,
              weights.reduce((sum, x, t) => sum + (x / total) * decodeF16(v[at(t) + d]!), 0),
            );
        }
        return wanted;
      },
    },
    add,
  );
}

/** Batches of 1 to 8 at contexts of 1k to 32k; of 2 and 8 also below a shared prefix of all but 256 tokens. */
export function decodeCases(small: boolean): BenchCase[] {
  const usual = { heads: '32/8', dtype: 'f16', headDim: 128, page: 16 } as const;
  if (small)
    return [
      { tree: '2_40', ...usual },
      { tree: '1,2_32,8', ...usual },
    ];
  const contexts = [1024, 8192, 32768];
  return [1, 2, 4, 8].flatMap((batch) =>
    contexts.flatMap((tokens) => [
      { tree: `${batch}_${tokens}`, ...usual },
      ...(batch === 2 || batch === 8 ? [{ tree: `1,${batch}_${tokens - 256},256`, ...usual }] : []),
    ]),
  );
}
