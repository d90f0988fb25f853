/**
 * Times every tile shape on the cases of a suite, for fitting the cost model and for seeing what a plan left behind:
 *   node bench/sweep.ts --suite quick [--filter REGEX] [--tiles m=32..128,n=32..128,stages=2..4] [--repeats 10]
 *     [--with warps=2,producers=1] [--target cuda:sm_80] [--budget SECONDS] [--out FILE.jsonl]
 * `--with` gives every shape numbers of the lowering that the kernel does not offer.
 * One JSON line per case and tile: graph and chained medians, the plan, the kernel's resources. Outputs are verified on a
 * small sample. The summary says, per case, the planner's own choice against the best tile.
 */
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { CudaDevice, openCudaDevice } from '../backends/cuda/runtime/index.ts';
import { enqueue, timeGraph } from '../backends/cuda/runtime/stream.ts';
import { Lowering } from '../compiler/cli/lowering.ts';
import { fail, PatcError } from '../compiler/diagnostics/error.ts';
import type { Instance, KernelTemplate, Spec, Tile } from '../compiler/program.ts';
import { parseTile } from '../compiler/cli/options.ts';
import { findTarget } from '../compiler/target.ts';
import type { ThreadKernel } from '../compiler/thread/nodes.ts';
import { forward, loadWorkload, pat } from '../examples/pat/index.ts';
import { InputPool } from './pool.ts';
import { verifySample } from './sample.ts';
import { findSuite, type BenchCase } from './suites.ts';
import { runScript } from './script.ts';

const options = {
  suite: { type: 'string', default: 'quick' },
  filter: { type: 'string', default: '' },
  tiles: { type: 'string', default: 'm=16..256,n=16..256' },
  with: { type: 'string', default: '' },
  target: { type: 'string' },
  repeats: { type: 'string', default: '10' },
  budget: { type: 'string', default: '1e9' },
  out: { type: 'string', default: 'sweep.jsonl' },
} as const;

interface Measured {
  readonly tile: Tile | 'planned';
  readonly graphUs: number;
}

/** `m=32..128,n=64` as a test of tiles. */
function tileFilter(text: string): (tile: Tile) => boolean {
  const bounds = text
    .split(',')
    .filter((part) => part !== '')
    .map((part) => {
      const match = /^(\w+)=(\d+)(?:\.\.(\d+))?$/.exec(part);
      if (!match) return fail('PAT0601', `--tiles: '${part}' is not NAME=LOW..HIGH`);
      return { name: match[1]!, lo: Number(match[2]), hi: Number(match[3] ?? match[2]) };
    });
  return (tile) =>
    bounds.every(({ name, lo, hi }) => tile[name] === undefined || (tile[name] >= lo && tile[name] <= hi));
}

/** Takes the tile numbers that the lowering reads and the kernel does not offer. */
const anyTile: KernelTemplate = {
  ...forward,
  trace(spec, { m, n, ...rest }, reads) {
    const kernel = forward.trace(spec, { m: m!, n: n! }, reads);
    return { ...kernel, tile: { ...kernel.tile, ...rest } };
  },
};

class Sweep {
  readonly #device: CudaDevice;
  readonly #lowering: Lowering;
  readonly #pool = new InputPool(1);
  readonly #repeats: number;
  readonly #extra: Tile;

  constructor(device: CudaDevice, lowering: Lowering, repeats: number, extra: Tile) {
    this.#device = device;
    this.#lowering = lowering;
    this.#repeats = repeats;
    this.#extra = extra;
  }

  specOf(c: BenchCase): Record<string, number | string> {
    const [q, kv] = c.heads.split('/').map(Number) as [number, number];
    return { headDim: c.headDim, group: q / kv, kvHeads: kv, page: c.page, dtype: c.dtype };
  }

  tilesFor(c: BenchCase, wanted: (tile: Tile) => boolean): Tile[] {
    return this.#lowering.feasible(forward, this.specOf(c)).filter(wanted);
  }

  /** Compiles at the same time what would otherwise be compiled one by one. */
  async compile(c: BenchCase, tiles: readonly Tile[]): Promise<void> {
    await this.#device.code.load(tiles.map((tile) => this.#lower(forward, this.specOf(c), tile)));
  }

  #lower(template: KernelTemplate, spec: Spec, tile: Tile): ThreadKernel {
    return template === forward
      ? this.#lowering.lower(anyTile, spec, { ...tile, ...this.#extra })
      : this.#lowering.lower(template, spec, tile);
  }

  #instance(c: BenchCase, tiles: readonly Tile[]): Instance {
    return pat.instantiate({
      workload: c.tree,
      seed: 1,
      spec: {},
      flags: { heads: c.heads, headDim: String(c.headDim), page: String(c.page), dtype: c.dtype },
      device: {
        family: this.#lowering.target.family,
        units: this.#device.units,
        feasible: (template, spec) =>
          template === forward ? tiles : this.#lowering.feasible(template, spec),
      },
      verify: false,
      inputs: this.#pool,
    });
  }

  async measure(
    c: BenchCase,
    tiles: readonly Tile[],
  ): Promise<Record<string, unknown> & { graphUs: number }> {
    const instance = this.#instance(c, tiles);
    const kernels = instance.launches.map((l) => this.#lower(l.template, instance.spec, l.tile));
    const launches = instance.launches.map((l, kernel) => ({ ...l, kernel }));
    const request = { kernels, launches, buffers: instance.buffers, repeats: 0 };
    return this.#device.prepared(request, async (prepared) => {
      prepared.runOnce();
      const batch = loadWorkload(c.tree, c);
      const scale = Math.fround(1 / Math.sqrt(c.headDim));
      const sample = verifySample(batch, instance.buffers, prepared.outputs(), scale, 1, 1e7);
      const { gpu } = this.#device;
      const all = (): void => enqueue(gpu, prepared.launches);
      const many = (): void => {
        for (let i = 0; i < 5; i++) all();
      };
      return {
        ...c,
        shapes: instance.launches.map((l) => ({ kernel: l.template.name, tile: l.tile, grid: l.grid })),
        graphUs: timeGraph(gpu, all, this.#repeats),
        chainedUs: timeGraph(gpu, many, Math.max(5, this.#repeats >> 1)) / 5,
        verified: sample.ok,
        registers: prepared.loaded.map((k) => k.resources?.registers ?? 0),
        blocksPerUnit: prepared.loaded.map((k) => k.blocksPerUnit),
        plan: instance.report['plan'],
      };
    });
  }
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options });
  const suite = findSuite(values.suite) ?? fail('PAT0601', `there is no suite '${values.suite}'`);
  const wanted = new RegExp(values.filter);
  const cases = suite.cases.filter((c) =>
    wanted.test(`${c.tree} ${c.heads} ${c.dtype} d${c.headDim} p${c.page}`),
  );
  const inRange = tileFilter(values.tiles);
  const device = openCudaDevice();
  device.keepUploads = true;
  let wrong = 0;
  try {
    const target = values.target === undefined ? device.target : findTarget(values.target);
    if (!target) return fail('PAT0602', `there is no target '${values.target}'`);
    const sweep = new Sweep(device, new Lowering(target), Number(values.repeats), parseTile(values.with));
    mkdirSync(path.dirname(path.resolve(values.out)), { recursive: true });
    writeFileSync(values.out, '');
    const begin = performance.now();
    for (const c of cases) {
      if (performance.now() - begin > Number(values.budget) * 1000) break;
      const group = Number(sweep.specOf(c)['group']);
      const tiles = sweep.tilesFor(c, inRange).filter((t) => (t['m'] ?? group) >= group);
      await sweep.compile(c, tiles);
      const measured: Measured[] = [];
      for (const tile of [undefined, ...tiles]) {
        try {
          const row = await sweep.measure(c, tile ? [tile] : tiles);
          if (!row['verified']) wrong++;
          measured.push({ tile: tile ?? 'planned', graphUs: row.graphUs });
          appendFileSync(
            values.out,
            `${JSON.stringify({ fixed: tile ?? null, with: values.with, ...row })}\n`,
          );
        } catch (error) {
          if (!(error instanceof PatcError) || error.code === 'PAT0704') throw error;
          process.stderr.write(`${c.tree} ${c.heads} ${JSON.stringify(tile)}: ${error.message}\n`);
        }
      }
      report(c, measured);
    }
    if (wrong > 0) console.log(`${wrong} configurations gave wrong results`);
    return wrong > 0 ? 1 : 0;
  } finally {
    await device.close();
  }
}

function report(c: BenchCase, measured: readonly Measured[]): void {
  const planned = measured.find((m) => m.tile === 'planned');
  const rest = measured.filter((m) => m.tile !== 'planned').sort((a, b) => a.graphUs - b.graphUs);
  const show = (m: Measured): string =>
    `${m.tile === 'planned' ? 'planned' : Object.values(m.tile).join('x')} ${m.graphUs.toFixed(1)}`;
  console.log(
    `${c.tree} ${c.heads}: ${planned ? show(planned) : '-'}; best ${rest.slice(0, 5).map(show).join(', ')}`,
  );
}

await runScript(main);
