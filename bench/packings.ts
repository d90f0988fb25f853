/**
 * Compares the packings auto, pat, node and none:
 *   node bench/packings.ts [--on model|cuda|simulator] [--target cuda:sm_90a] [--filter REGEX] [--repeats 10] [--budget SECONDS]
 *     [--all] [--commit ID] [--out DIR]
 * `model` predicts every case by the planner's cost model and needs no device; `cuda` also runs each plan, compares a sample with
 * float64 and times a graph replay, on fewer cases (`--all`: on every one); `simulator` runs three small ones. Writes
 * DIR/TARGET-DEVICE-packings.json and a table. Exits 1 where a result is wrong.
 */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { CudaDevice } from '../backends/cuda/runtime/index.ts';
import { enqueue, timeGraph } from '../backends/cuda/runtime/stream.ts';
import type { Device, RunRequest } from '../compiler/backend.ts';
import { makeFolder } from '../compiler/cli/folders.ts';
import { Lowering } from '../compiler/cli/lowering.ts';
import { fail } from '../compiler/diagnostics/error.ts';
import type { HostArray } from '../compiler/ir/numeric.ts';
import type { Instance } from '../compiler/program.ts';
import { findTarget } from '../compiler/target.ts';
import type { ThreadKernel } from '../compiler/thread/nodes.ts';
import { figuresOf, planCosts } from '../examples/pat/cost.ts';
import {
  forward,
  loadWorkload,
  makePlan,
  packings,
  pat,
  predict,
  type Batch,
} from '../examples/pat/index.ts';
import { commitOf } from './commit.ts';
import { packingCases, smallCases, Traces, type PackingCase } from './packings/cases.ts';
import { packingTable, type PackingRow } from './packings/table.ts';
import { InputPool } from './pool.ts';
import { deviceSlug, resultName } from './results.ts';
import { verifySample } from './sample.ts';
import { runScript } from './script.ts';

const options = {
  on: { type: 'string', default: 'model' },
  target: { type: 'string', default: 'cuda:sm_90a' },
  filter: { type: 'string', default: '' },
  repeats: { type: 'string', default: '10' },
  budget: { type: 'string', default: '1e9' },
  all: { type: 'boolean', default: false },
  commit: { type: 'string' },
  out: { type: 'string', default: 'bench/results' },
} as const;

const dtype = 'f16';
const headDim = 128;
/** Multiply-adds that a case's check may take on the host. */
const checked = 1e7;

class Comparison {
  readonly #device: Device | undefined;
  readonly #lowering: Lowering;
  readonly #repeats: number;
  readonly #pool = new InputPool(1);
  /** Made to compile their kernels, kept to run: a batch's queries take longer to make than to measure with. */
  readonly #made = new Map<string, Instance>();

  constructor(device: Device | undefined, lowering: Lowering, repeats: number) {
    this.#device = device;
    this.#lowering = lowering;
    this.#repeats = repeats;
  }

  #batch(c: PackingCase): Batch {
    return loadWorkload(c.workload, { heads: c.heads, headDim, page: c.page, dtype });
  }

  /** One row for every packing. */
  async rows(c: PackingCase): Promise<PackingRow[]> {
    const batch = this.#batch(c);
    const group = batch.qHeads / batch.kvHeads;
    const spec = { headDim, group, kvHeads: batch.kvHeads, page: c.page, dtype };
    const shapes = this.#lowering.feasible(forward, spec).map((t) => ({
      m: t['m']!,
      n: t['n']!,
      stages: t['stages'] ?? 1,
    }));
    const figures = figuresOf('cuda');
    const costs = planCosts(figures, this.#device?.units ?? figures.units, shapes, batch);
    const rows: PackingRow[] = [];
    for (const packing of packings) {
      const plan = makePlan(batch, costs, { packing });
      const run = this.#device ? await this.#run(c, batch, packing, this.#device) : undefined;
      rows.push({
        kind: c.kind,
        tree: c.tree,
        heads: c.heads,
        page: c.page,
        packing,
        packs: plan.tables.packs.length / 4 - 1,
        splits: plan.tables.slots,
        tiles: plan.tables.shapes.map(({ tile: t }) => `${t.m}x${t.n}/${t.stages}`),
        predictedUs: Number((predict(plan).time / 1e6).toFixed(2)),
        graphUs: null,
        verified: null,
        ...run,
      });
    }
    return rows;
  }

  #instance(c: PackingCase, packing: string, device: Device): Instance {
    const name = `${c.tree} ${c.heads} ${packing}`;
    const made = this.#made.get(name) ?? this.#make(c, packing, device);
    this.#made.set(name, made);
    return made;
  }

  #make(c: PackingCase, packing: string, device: Device): Instance {
    return pat.instantiate({
      workload: c.workload,
      seed: 1,
      spec: {},
      flags: { heads: c.heads, headDim: String(headDim), page: String(c.page), dtype, packing },
      device: {
        family: this.#lowering.target.family,
        units: device.units,
        feasible: (template, spec) => this.#lowering.feasible(template, spec),
      },
      verify: false,
      inputs: this.#pool,
    });
  }

  #request(instance: Instance): RunRequest {
    const kernels: ThreadKernel[] = [];
    const launches = instance.launches.map((launch) => {
      const kernel = this.#lowering.lower(launch.template, instance.spec, launch.tile);
      let index = kernels.indexOf(kernel);
      if (index < 0) index = kernels.push(kernel) - 1;
      return { kernel: index, grid: launch.grid, buffers: launch.buffers, scalars: launch.scalars };
    });
    return { kernels, launches, buffers: instance.buffers, repeats: 0 };
  }

  async #run(
    c: PackingCase,
    batch: Batch,
    packing: string,
    device: Device,
  ): Promise<Pick<PackingRow, 'graphUs' | 'verified'>> {
    const instance = this.#instance(c, packing, device);
    const request = this.#request(instance);
    const scale = Math.fround(1 / Math.sqrt(headDim));
    const right = (outputs: ReadonlyMap<string, HostArray>): boolean =>
      verifySample(batch, instance.buffers, outputs, scale, 1, checked).ok;
    if (!(device instanceof CudaDevice))
      return { verified: right((await device.run(request)).outputs), graphUs: null };
    return device.prepared(request, (prepared) => {
      prepared.runOnce();
      const verified = right(prepared.outputs());
      const all = (): void => enqueue(prepared.launches);
      const graphUs = Number(timeGraph(device.gpu, all, this.#repeats).toFixed(2));
      return Promise.resolve({ verified, graphUs });
    });
  }

  /** Compiles what the cases take at the same time instead of one by one. */
  async compile(cases: readonly PackingCase[]): Promise<void> {
    const device = this.#device;
    if (!(device instanceof CudaDevice)) return;
    const elements = cases.map((c) => {
      const batch = this.#batch(c);
      return batch.pageCount * batch.page * batch.kvHeads * batch.headDim;
    });
    this.#pool.reserve(dtype, Math.max(...elements));
    const kernels = new Set<ThreadKernel>();
    for (const c of cases)
      for (const packing of packings)
        for (const kernel of this.#request(this.#instance(c, packing, device)).kernels) kernels.add(kernel);
    await device.code.load([...kernels]);
  }
}

async function open(on: string, target: string): Promise<Device | undefined> {
  if (on === 'model') return undefined;
  if (on === 'cuda') {
    const { openCudaDevice } = await import('../backends/cuda/runtime/index.ts');
    const device = openCudaDevice();
    device.keepUploads = true;
    return device;
  }
  if (on !== 'simulator') return fail('PAT0601', `--on ${on}: model, cuda or simulator`);
  const { openSimulator } = await import('../backends/cpu/simulator/index.ts');
  return openSimulator(findTarget(target)!);
}

await runScript(async () => {
  const { values } = parseArgs({ options });
  const target = findTarget(values.target) ?? fail('PAT0602', `there is no target '${values.target}'`);
  const device = await open(values.on, values.target);
  const traced = new Traces();
  const rows: PackingRow[] = [];
  try {
    const wanted = new RegExp(values.filter);
    const every =
      values.on === 'simulator' ? smallCases : packingCases(traced, device !== undefined && !values.all);
    const cases = every.filter((c) => wanted.test(`${c.tree} ${c.heads}`));
    const comparison = new Comparison(device, new Lowering(target), Number(values.repeats));
    const begin = performance.now();
    const seconds = (): string => `${((performance.now() - begin) / 1000).toFixed(0)} s`;
    await comparison.compile(cases);
    process.stderr.write(
      `${cases.length} cases x ${packings.length} packings, kernels ready after ${seconds()}\n`,
    );
    let done = 0;
    for (const c of cases) {
      if (performance.now() - begin > Number(values.budget) * 1000) break;
      rows.push(...(await comparison.rows(c)));
      done++;
      if (device) process.stderr.write(`${c.tree} ${c.heads} [${seconds()}]\n`);
    }
    const head = {
      target: target.name,
      device: device?.description ?? 'model',
      suite: 'packings',
      commit: commitOf(values.commit),
      command: ['node', 'bench/packings.ts', ...process.argv.slice(2)].join(' '),
      measured: new Date().toISOString().slice(0, 10),
      dtype,
      headDim,
      repeats: device ? Number(values.repeats) : 0,
      complete: done === every.length,
    };
    const lines = rows.map((row) => `  ${JSON.stringify(row)}`);
    const name = device ? resultName(head) : 'packings-model.json';
    makeFolder(values.out);
    writeFileSync(
      path.join(values.out, name),
      `${JSON.stringify(head, null, 1).replace(/\n\}$/, '')},\n "rows": [\n${lines.join(',\n')}\n ]\n}\n`,
    );
    const title = `${done} of ${every.length} cases on ${head.device} (${deviceSlug(head.device)}), ${seconds()}`;
    console.log(packingTable(title, rows));
    return rows.every((r) => r.verified !== false) ? 0 : 1;
  } finally {
    traced.close();
    await device?.close();
  }
});
