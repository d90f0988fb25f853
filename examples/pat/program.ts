/**
 * The program `pat`: a workload becomes a batch, the batch a plan, the plan launches of two kernels on fresh random inputs.
 * Built from its kernels, so that a variant of the forward kernel is a program too.
 */
import { fail } from '../../compiler/diagnostics/error.ts';
import type { Instance, PlanReport, Program, RunOptions, Spec, Tile } from '../../compiler/program.ts';
import type { Batch } from './batch.ts';
import { figuresOf, planCosts, sameShape, tileShape, type PlanCosts } from './cost.ts';
import { checkCoverage } from './coverage.ts';
import { planPage } from './draw/page.ts';
import type { PlanJson } from './draw/picture.ts';
import { dump } from './dump.ts';
import { makeInputs, usedTokens } from './inputs.ts';
import { planDocument } from './json.ts';
import { planBuffers, planLaunches, type Kernels } from './launches.ts';
import { tokenBytes } from './heads.ts';
import { makePlan, parsePacking, type Plan, type PlanOptions } from './plan.ts';
import { predict } from './predict.ts';
import { sum, summarise } from './summary.ts';
import { planText } from './text.ts';
import { cellWorkload, planWork } from './tuning.ts';
import { verifiedRows, verifyOutputs } from './verify.ts';
import { defaults, loadWorkload } from './workload/index.ts';

export interface VariantOptions {
  readonly name?: string;
  /** Run-time scalars of the kernels beyond the usual ones. */
  readonly scalars?: (batch: Batch) => Readonly<Record<string, number>>;
}

export const programFlags = {
  heads: 'query heads / KV heads, for example 32/8',
  headDim: 'elements per head: 64, 80, 96, 128, 192 or 256',
  page: 'tokens per KV page',
  dtype: 'f16, bf16 or f32',
  kvDtype: 'element of the stored keys and values; the same as dtype',
  packing: 'auto, pat (the paper), node or none',
  invariantSpan: 'tokens: cut every sequence at multiples of this, whatever its neighbours (0: off)',
  scale: 'of the scores, positive; default 1/sqrt(head dim)',
  streams:
    'yes, no or auto: whether KV that is read once may leave L2 first; auto: where all of it is more than L2 holds',
} as const;

/** Prepares everything that does not need inputs. */
interface Prepared {
  readonly plan: Plan;
  readonly planUs: number;
  readonly spec: Spec;
  readonly forwardTiles: readonly Tile[];
}

export function makeProgram(kernels: Kernels, variant: VariantOptions = {}): Program {
  return {
    name: variant.name ?? 'pat',
    kernels: [kernels.forward, kernels.merge],
    flags: programFlags,
    small: { workload: '1,3_24,40', flags: { heads: '4/2', headDim: '64', packing: 'pat' } },
    instantiate: (options) => instantiate(kernels, variant, options),
    plan: (options) => report(kernels, options, prepare(kernels, options)),
    cell: cellWorkload,
  };
}

function prepare(kernels: Kernels, options: RunOptions): Prepared {
  const batch = batchOf(options);
  const spec: Spec = {
    headDim: batch.headDim,
    group: batch.qHeads / batch.kvHeads,
    kvHeads: batch.kvHeads,
    page: batch.page,
    dtype: batch.dtype,
  };
  const forwardTiles = options.device.feasible(kernels.forward, spec);
  const costs = costsOf(options, batch, forwardTiles);
  const planOptions = planOptionsOf(options);
  // The first plan warms the code up; the second is what a server would see.
  makePlan(batch, costs, planOptions);
  const begin = performance.now();
  const plan = makePlan(batch, costs, planOptions);
  const planUs = (performance.now() - begin) * 1000;
  checkCoverage(batch, plan.tables);
  return { plan, planUs, spec, forwardTiles };
}

function batchOf({ workload, flags, spec }: RunOptions): Batch {
  if (workload === undefined)
    fail('PAT0501', 'no workload', { help: '--workload 1,4,256_32,256,32 or random:7,batch=48' });
  const { group, kvHeads } = spec;
  const fromSpec =
    group !== undefined || kvHeads !== undefined
      ? `${Number(group ?? 4) * Number(kvHeads ?? 8)}/${kvHeads ?? 8}`
      : undefined;
  const dtype = flags.dtype ?? (spec.dtype as string | undefined);
  if (flags.kvDtype !== undefined && flags.kvDtype !== (dtype ?? defaults.dtype))
    fail(
      'PAT0501',
      `kv-dtype ${flags.kvDtype}: keys and values are stored as ${dtype ?? defaults.dtype}, the dtype of the queries`,
    );
  const numberOf = (name: 'headDim' | 'page') =>
    (flags[name] ?? spec[name]) === undefined ? undefined : Number(flags[name] ?? spec[name]);
  return loadWorkload(workload, {
    heads: flags.heads ?? fromSpec,
    headDim: numberOf('headDim'),
    page: numberOf('page'),
    dtype,
  });
}

function planOptionsOf({ flags }: RunOptions): PlanOptions {
  const span = Number(flags.invariantSpan ?? 0);
  if (!Number.isInteger(span) || span < 0 || span > 1 << 30)
    fail('PAT0601', `--invariant-span ${flags.invariantSpan}: expected a whole number of tokens`);
  return { packing: parsePacking(flags.packing ?? 'auto'), invariantSpan: span };
}

function costsOf({ device }: RunOptions, batch: Batch, tiles: readonly Tile[]): PlanCosts {
  return planCosts(figuresOf(device.family), device.units, tiles.map(tileShape), batch);
}

function instantiate(kernels: Kernels, variant: VariantOptions, options: RunOptions): Instance {
  const { plan, planUs, spec, forwardTiles } = prepare(kernels, options);
  const { batch } = plan;
  const scale = scaleOf(options, batch);
  const data = makeInputs(batch, options.seed, options.inputs);
  const empty = batch.lengths.length === 0;
  const buffers = empty ? [] : planBuffers(plan, data);
  const merging = plan.tables.slots > 0;
  const launches = planLaunches(
    plan,
    kernels,
    spec,
    buffers,
    { scale, ...streamsOf(options), ...variant.scalars?.(batch) },
    {
      forward: (shape) => forwardTiles.find((t) => sameShape(tileShape(t), shape))!,
      merge: merging ? mergeTile(kernels, options, spec) : {},
    },
  );
  return {
    spec,
    buffers: buffers.map((b) => b.buffer),
    launches,
    verify: (outputs) =>
      empty
        ? { ok: true, relError: 0, maxAbsError: 0, unwritten: 0, tolerance: 0 }
        : verifyOutputs(batch, data, scale, outputs),
    ...leastWork(batch),
    report: {
      plan: summarise(plan, planUs),
      coverage: 'exact',
      verifiedSequences: options.verify ? verifiedRows(batch).length : 0,
    },
    dump: (directory, outputs) => dump(directory, batch, data, scale, outputs),
  };
}

/** Every product once, every page in use and every query and output once. */
function leastWork(batch: Batch): { flops: number; bytes: number } {
  const { lengths, qHeads, kvHeads, headDim } = batch;
  // K and V together have twice the bytes of one row; so have a query and its output.
  const ends = lengths.length * qHeads * tokenBytes(batch);
  return {
    flops: 4 * sum(lengths) * qHeads * headDim,
    bytes: sum(usedTokens(batch)) * kvHeads * tokenBytes(batch) + ends,
  };
}

function mergeTile(kernels: Kernels, { device }: RunOptions, spec: Spec): Tile {
  const tile = device.feasible(kernels.merge, spec)[0];
  return tile ?? fail('PAT0306', `no tile shape of ${kernels.merge.name} fits the device`);
}

function scaleOf({ flags }: RunOptions, batch: Batch): number {
  // The kernel and the reference see the same number.
  const scale = Math.fround(flags.scale === undefined ? 1 / Math.sqrt(batch.headDim) : Number(flags.scale));
  // Maxima are taken before scores are scaled.
  if (!(scale > 0 && Number.isFinite(scale)))
    fail('PAT0601', `--scale ${flags.scale}: expected a positive number`);
  return scale;
}

function streamsOf({ flags: { streams = 'auto' } }: RunOptions): { streams?: number } {
  if (streams === 'auto') return {};
  if (streams !== 'yes' && streams !== 'no')
    fail('PAT0601', `--streams ${streams}: expected yes, no or auto`);
  return { streams: Number(streams === 'yes') };
}

function report(
  kernels: Kernels,
  options: RunOptions,
  { plan, planUs, spec, forwardTiles }: Prepared,
): PlanReport {
  const workload = options.workload ?? '';
  const mergeShape = plan.tables.slots > 0 ? mergeTile(kernels, options, spec) : {};
  return {
    document: planDocument(plan, planUs),
    work: planWork(plan, kernels, forwardTiles, mergeShape),
    ...leastWork(plan.batch),
    spec,
    text: () => planText(plan, planUs),
    html: () => {
      const { batch, forest } = plan;
      const flags = {
        heads: `${batch.qHeads}/${batch.kvHeads}`,
        headDim: String(batch.headDim),
        page: String(batch.page),
        dtype: batch.dtype,
        packing: plan.packing,
      };
      const group = batch.qHeads / batch.kvHeads;
      const document = planDocument(plan, planUs) as unknown as PlanJson;
      return planPage({
        workload,
        flags,
        group,
        plan: document,
        order: forest.order,
        prediction: predict(plan),
      });
    },
  };
}
