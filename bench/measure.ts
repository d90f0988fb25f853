/**
 * One workload of `pat` at chosen tile shapes, verified on a sample and timed: on a GPU by graph replay, elsewhere by the host's
 * clock, so that everything around the timing can be tried without one.
 */
import type { Device } from '../compiler/backend.ts';
import { Lowering } from '../compiler/cli/lowering.ts';
import type { Instance, KernelTemplate, Spec, Tile } from '../compiler/program.ts';
import type { Target } from '../compiler/target.ts';
import type { ThreadKernel } from '../compiler/thread/nodes.ts';
import type { HostArray } from '../compiler/ir/numeric.ts';
import { forward, loadWorkload, pat, type Batch } from '../examples/pat/index.ts';
import { anyTile } from './any-tile.ts';
import { InputPool } from './pool.ts';
import { compareSample, referenceSample, type SampleReference } from './sample.ts';
import type { BenchCase } from './suites.ts';

export interface MeasureOptions {
  readonly repeats: number;
  /** Tile numbers that every shape gets on top. */
  readonly extra: Tile;
  /** Five launches after one another too. */
  readonly chained: boolean;
  /** Multiply-adds that verification may spend. */
  readonly sample: number;
}

export interface Timed {
  readonly graphUs: number;
  readonly chainedUs?: number;
  readonly verified: boolean;
  readonly registers: readonly number[];
  readonly blocksPerUnit: readonly number[];
  readonly shapes: readonly { kernel: string; tile: Tile; grid: readonly number[] }[];
  /** What each launch does, for the cost model's fit: plans change, records stay. */
  readonly launches: readonly { kernel: string; bytes: number; blocks: readonly object[] }[];
}

/** As backends/cuda/runtime/code.ts asks for it, so that the cache's keys agree. */
async function cubinCompiler(target: Target): Promise<(k: ThreadKernel) => Promise<unknown>> {
  const [{ emitCuda }, { compileCubin }] = await Promise.all([
    import('../backends/cuda/index.ts'),
    import('../backends/cuda/nvcc/compile.ts'),
  ]);
  const arch = target.name.replace('cuda:', '');
  return (kernel) => {
    const { text, spans } = emitCuda(kernel.name, [kernel], arch, { launchers: false });
    return compileCubin({ program: kernel.name, text, spans, arch });
  };
}

export class Measurer {
  readonly device: Device;
  readonly lowering: Lowering;
  readonly #pool = new InputPool(1);
  readonly #options: MeasureOptions;
  /** Of the last case: its inputs are the same at every shape. */
  #reference: { key: string; batch: Batch; reference: SampleReference } | undefined;

  constructor(device: Device, target: Target, options: Partial<MeasureOptions> = {}) {
    this.device = device;
    this.lowering = new Lowering(target);
    this.#options = { repeats: 10, extra: {}, chained: false, sample: 1e7, ...options };
  }

  specOf(c: BenchCase): Record<string, number | string> {
    const [q, kv] = c.heads.split('/').map(Number) as [number, number];
    return { headDim: c.headDim, group: q / kv, kvHeads: kv, page: c.page, dtype: c.dtype };
  }

  /** Shapes that hold one sequence's rows. */
  tilesFor(c: BenchCase, wanted: (tile: Tile) => boolean = () => true): Tile[] {
    const group = Number(this.specOf(c)['group']);
    return this.lowering
      .feasible(forward, this.specOf(c))
      .filter((t) => (t['m'] ?? group) >= group)
      .filter(wanted);
  }

  /**
   * Compiles at the same time what would otherwise be compiled one by one, and waits for all of it. One that does not compile
   * is told when it is its turn. `ahead`: without a device of the target nvcc fills the cache of compiled code, to be carried
   * to one.
   */
  async compile(
    cases: readonly BenchCase[],
    tilesOf: (c: BenchCase) => readonly Tile[],
    ahead = false,
  ): Promise<number> {
    const kernels = new Set<ThreadKernel>();
    for (const c of cases) {
      for (const tile of tilesOf(c)) kernels.add(this.#lower(forward, this.specOf(c), tile));
      for (const template of pat.kernels.filter((k) => k !== forward)) {
        const [tile] = this.lowering.feasible(template, this.specOf(c));
        if (tile) kernels.add(this.lowering.lower(template, this.specOf(c), tile));
      }
    }
    const { CudaDevice } = await import('../backends/cuda/runtime/index.ts');
    const { device } = this;
    const { target } = this.lowering;
    const one =
      device instanceof CudaDevice
        ? (k: ThreadKernel): Promise<unknown> => device.code.load([k])
        : ahead && target.family === 'cuda'
          ? await cubinCompiler(target)
          : undefined;
    if (!one) return 0;
    const done = await Promise.allSettled([...kernels].map(one));
    return done.filter((d) => d.status === 'fulfilled').length;
  }

  #lower(template: KernelTemplate, spec: Spec, tile: Tile): ThreadKernel {
    return template === forward
      ? this.lowering.lower(anyTile, spec, { ...tile, ...this.#options.extra })
      : this.lowering.lower(template, spec, tile);
  }

  /** Planned with these shapes; `flags` are the program's. */
  async measure(
    c: BenchCase,
    tiles: readonly Tile[],
    flags: Readonly<Record<string, string>> = {},
  ): Promise<Timed> {
    const options = {
      workload: c.tree,
      seed: 1,
      spec: {},
      flags: {
        heads: c.heads,
        headDim: String(c.headDim),
        page: String(c.page),
        dtype: c.dtype,
        ...flags,
      },
      device: {
        family: this.lowering.target.family,
        units: this.device.units,
        feasible: (template: KernelTemplate, spec: Spec): readonly Tile[] =>
          template === forward ? tiles : this.lowering.feasible(template, spec),
      },
      verify: false,
      inputs: this.#pool,
    };
    const instance = pat.instantiate(options);
    const kernels = instance.launches.map((l) => this.#lower(l.template, instance.spec, l.tile));
    const launches = instance.launches.map((l, kernel) => ({ ...l, kernel }));
    // A GPU reached through WebGPU times by itself; the simulator has nothing to time.
    const repeats = this.lowering.target.family === 'wgsl' ? this.#options.repeats : 0;
    const request = { kernels, launches, buffers: instance.buffers, repeats };
    const known = {
      shapes: instance.launches.map((l) => ({ kernel: l.template.name, tile: l.tile, grid: l.grid })),
      launches: (pat.plan!(options).work ?? []).map(({ template, bytes, blocks }) => ({
        kernel: template.name,
        bytes: Math.round(bytes),
        blocks,
      })),
    };
    const { CudaDevice } = await import('../backends/cuda/runtime/index.ts');
    if (!(this.device instanceof CudaDevice)) {
      const begin = performance.now();
      const { outputs, timeUs } = await this.device.run(request);
      const graphUs = timeUs ?? (performance.now() - begin) * 1000;
      const verified = this.#verified(c, instance, outputs);
      return { graphUs, verified, registers: [], blocksPerUnit: [], ...known };
    }
    const { enqueue, timeGraph } = await import('../backends/cuda/runtime/stream.ts');
    const { gpu } = this.device;
    return this.device.prepared(request, async (prepared) => {
      prepared.runOnce();
      const verified = this.#verified(c, instance, prepared.outputs());
      const { repeats, chained } = this.#options;
      const all = (): void => enqueue(prepared.launches);
      const many = (): void => {
        for (let i = 0; i < 5; i++) all();
      };
      return {
        graphUs: timeGraph(gpu, all, repeats),
        ...(chained ? { chainedUs: timeGraph(gpu, many, Math.max(5, repeats >> 1)) / 5 } : {}),
        verified,
        registers: prepared.loaded.map((k) => k.resources?.registers ?? 0),
        blocksPerUnit: prepared.loaded.map((k) => k.blocksPerUnit),
        ...known,
      };
    });
  }

  #verified(c: BenchCase, instance: Instance, outputs: ReadonlyMap<string, HostArray>): boolean {
    const key = JSON.stringify(c);
    if (this.#reference?.key !== key) {
      const scale = Math.fround(1 / Math.sqrt(c.headDim));
      const batch = loadWorkload(c.tree, c);
      const reference = referenceSample(batch, instance.buffers, scale, 1, this.#options.sample);
      this.#reference = { key, batch, reference };
    }
    return compareSample(this.#reference.batch, this.#reference.reference, outputs).ok;
  }
}

/** `m=32..128,n=64` as a test of tiles; numbers that a tile lacks are not tested. */
export function tileFilter(text: string, fail: (why: string) => never): (tile: Tile) => boolean {
  const bounds = text
    .split(',')
    .filter((part) => part !== '')
    .map((part) => {
      const match = /^(\w+)=(\d+)(?:\.\.(\d+))?$/.exec(part);
      if (!match) return fail(`'${part}' is not NAME=LOW..HIGH`);
      return { name: match[1]!, lo: Number(match[2]), hi: Number(match[3] ?? match[2]) };
    });
  return (tile) =>
    bounds.every(({ name, lo, hi }) => tile[name] === undefined || (tile[name] >= lo && tile[name] <= hi));
}
