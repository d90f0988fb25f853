/**
 * Correctness on a device, many runs in one process:
 *   node bench/check.ts matrix [--workload random:7,batch=48]   heads, head dims, pages, types, packings
 *   node bench/check.ts tiles  [--workload …]                   every tile shape that compiles
 *   node bench/check.ts soak   [--count 1000]                   random ragged batches
 *   node bench/check.ts bits   [--count 100]                    one batch again and again: the same bits
 *   options: [--on cuda|webgpu|simulator] [--target cuda:sm_80] [--streams yes] [--json] [--budget SECONDS]
 * Every run is compared with the program's float64 reference. For compute-sanitizer choose a small workload.
 */
import { createHash } from 'node:crypto';
import { parseArgs } from 'node:util';
import type { Device } from '../compiler/backend.ts';
import { backendOf } from '../compiler/cli/backends.ts';
import { Lowering } from '../compiler/cli/lowering.ts';
import { fail, PatcError } from '../compiler/diagnostics/error.ts';
import type { HostArray } from '../compiler/ir/numeric.ts';
import type { Verification } from '../compiler/program.ts';
import { findTarget } from '../compiler/target.ts';
import { forward, pat } from '../examples/pat/index.ts';
import { matrixChecks, soakChecks, tileChecks, type Check } from './checks.ts';
import { runScript } from './script.ts';

const options = {
  on: { type: 'string', default: 'cuda' },
  target: { type: 'string' },
  workload: { type: 'string' },
  count: { type: 'string' },
  scale: { type: 'string', default: '0.2' },
  streams: { type: 'string', default: 'auto' },
  budget: { type: 'string', default: '1e9' },
  json: { type: 'boolean', default: false },
} as const;

interface Outcome {
  readonly check: Check;
  readonly ok: boolean;
  readonly detail: string;
  readonly relError: number | null;
  readonly bits: string;
}

class Checker {
  readonly #device: Device;
  readonly #lowering: Lowering;

  constructor(device: Device, lowering: Lowering) {
    this.#device = device;
    this.#lowering = lowering;
  }

  async run(check: Check): Promise<Outcome> {
    try {
      const { verification, outputs, detail } = await this.#verified(check);
      return {
        check,
        ok: verification.ok,
        detail: `relative error ${verification.relError.toExponential(2)}, unwritten ${verification.unwritten}, ${detail}`,
        relError: verification.relError,
        bits: digest(outputs),
      };
    } catch (error) {
      if (!(error instanceof PatcError) || error.code === 'PAT0704') throw error;
      return { check, ok: false, detail: error.message, relError: null, bits: '' };
    }
  }

  async #verified(check: Check): Promise<{
    verification: Verification;
    outputs: ReadonlyMap<string, HostArray>;
    detail: string;
  }> {
    const lowering = this.#lowering;
    const instance = pat.instantiate({
      workload: check.workload,
      seed: check.seed,
      spec: {},
      flags: check.flags,
      device: {
        family: lowering.target.family,
        units: this.#device.units,
        feasible: (template, spec) => lowering.feasible(template, spec, check.tile ?? {}),
      },
      verify: true,
    });
    const kernels = instance.launches.map((l) => lowering.lower(l.template, instance.spec, l.tile));
    const launches = instance.launches.map((l, kernel) => ({ ...l, kernel }));
    const result = await this.#device.run({ kernels, buffers: instance.buffers, launches, repeats: 0 });
    const spilled = (result.kernels ?? []).reduce((sum, k) => sum + k.spillBytes, 0);
    const tiles = instance.launches.map((l) => Object.values(l.tile).join('x')).join(' ');
    return {
      verification: instance.verify(result.outputs),
      outputs: result.outputs,
      detail: `tiles ${tiles}${spilled ? `, ${spilled} B spilled` : ''}`,
    };
  }
}

function digest(outputs: ReadonlyMap<string, HostArray>): string {
  const hash = createHash('sha256');
  for (const [name, data] of outputs)
    hash.update(name).update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return hash.digest('hex').slice(0, 16);
}

const tileSpec = { headDim: 128, group: 4, kvHeads: 4, page: 16, dtype: 'f16' };

/** Compiles every tile shape at once; one that does not compile is told by its own check. */
async function compileAhead(device: Device, lowering: Lowering): Promise<void> {
  const { CudaDevice } = await import('../backends/cuda/runtime/index.ts');
  if (!(device instanceof CudaDevice)) return;
  const kernels = lowering.feasible(forward, tileSpec).map((t) => lowering.lower(forward, tileSpec, t));
  await device.code.load(kernels).catch(() => undefined);
}

function checksOf(
  mode: string,
  values: { workload?: string; count?: string; scale: string },
  lowering: Lowering,
): Check[] {
  const count = (usual: number): number => Number(values.count ?? usual);
  switch (mode) {
    case 'matrix':
      return matrixChecks(values.workload ?? 'random:7,batch=48');
    case 'tiles':
      return tileChecks(
        values.workload ?? 'random:3,batch=12,scale=0.2',
        lowering.feasible(forward, tileSpec),
      );
    case 'soak':
      return soakChecks(count(1000), Number(values.scale));
    case 'bits': {
      const [first] = matrixChecks(values.workload ?? 'random:7,batch=48');
      return Array.from({ length: count(100) }, () => first!);
    }
    default:
      return fail('PAT0601', `there is no check '${mode}'`, { help: 'matrix, tiles, soak or bits' });
  }
}

async function open(on: string, target: string | undefined): Promise<Device> {
  if (on === 'cuda' || on === 'webgpu') return (await backendOf(on === 'cuda' ? 'cuda' : 'wgsl')).open();
  if (on !== 'simulator') return fail('PAT0601', `--on ${on}: cuda, webgpu or simulator`);
  const { openSimulator } = await import('../backends/cpu/simulator/index.ts');
  return openSimulator(
    findTarget(target ?? 'cuda:sm_80') ?? fail('PAT0602', `there is no target '${target}'`),
  );
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  const mode = positionals[0] ?? 'matrix';
  const device = await open(values.on, values.target);
  try {
    const target = values.target === undefined ? device.target : findTarget(values.target);
    if (!target) return fail('PAT0602', `there is no target '${values.target}'`);
    const lowering = new Lowering(target);
    const flags = values.streams === 'auto' ? {} : { streams: values.streams };
    const checks = checksOf(mode, values, lowering).map((c) => ({ ...c, flags: { ...c.flags, ...flags } }));
    const checker = new Checker(device, lowering);
    const outcomes: Outcome[] = [];
    if (mode === 'tiles') await compileAhead(device, lowering);
    const begin = performance.now();
    for (const check of checks) {
      if (performance.now() - begin > Number(values.budget) * 1000) break;
      const outcome = await checker.run(check);
      outcomes.push(outcome);
      const quiet = outcome.ok && (mode === 'soak' || mode === 'bits');
      if (!quiet && !values.json)
        console.log(`${outcome.ok ? 'ok  ' : 'FAIL'} ${label(check)}: ${outcome.detail}`);
    }
    const failed = outcomes.filter((o) => !o.ok).length;
    const different = mode === 'bits' ? new Set(outcomes.map((o) => o.bits)).size : 1;
    const ok = failed === 0 && different === 1 && outcomes.length === checks.length;
    const worst = Math.max(...outcomes.map((o) => o.relError ?? 0));
    if (values.json)
      console.log(
        JSON.stringify({ ok, mode, device: device.description, target: target.name, outcomes }, null, 1),
      );
    else
      console.log(
        `${mode} on ${device.description} (${target.name}): ${outcomes.length - failed} of ${checks.length} ok, largest relative error ${worst.toExponential(2)}${mode === 'bits' ? `, ${different} different result${different === 1 ? '' : 's'}` : ''}, ${((performance.now() - begin) / 1000).toFixed(0)} s`,
      );
    return ok ? 0 : 1;
  } finally {
    await device.close();
  }
}

const label = (c: Check): string =>
  [c.workload, ...Object.entries({ ...c.flags, ...c.tile }).map(([k, v]) => `${k}=${v}`)].join(' ');

await runScript(main);
