/** The simulator is silent on every shipped kernel, and what the kernels compute there is right. */
import { describe, expect, it } from 'vitest';
import { simulateRequest, type SimulationResult } from '../../../../backends/cpu/simulator/index.ts';
import { lowerKernel } from '../../../../compiler/lower/index.ts';
import { PatcError } from '../../../../compiler/diagnostics/error.ts';
import type { Instance, KernelTemplate, Program, Spec, Tile } from '../../../../compiler/program.ts';
import { findTarget } from '../../../../compiler/target.ts';
import { printThread } from '../../../../compiler/thread/print.ts';
import type { ThreadKernel } from '../../../../compiler/thread/nodes.ts';
import { shipped } from '../../../../examples/registry.ts';
import { mutantsOf, wgmmaMistakes } from './mutate.ts';

interface Small {
  readonly spec?: Spec;
  readonly flags?: Record<string, string>;
  readonly workload?: string;
  readonly tile?: Tile;
  /** Numbers that the lowering reads from the tile, whether or not the kernel leaves them to the tuner. */
  readonly lowering?: Tile;
}

/** Small instances: edges that do not divide, several blocks, several trips of every loop. */
const cases: Readonly<Record<string, readonly Small[]>> = {
  softmax: [{ flags: { rows: '9' } }, { flags: { rows: '5' }, spec: { dtype: 'f16', columns: 200 } }],
  rmsnorm: [{ flags: { rows: '5' } }],
  gemm: [
    { flags: { rows: '70' }, spec: { columns: 128, depth: 160 }, lowering: { producers: 2 } },
    { flags: { rows: '70' }, spec: { columns: 128, depth: 160 } },
    { flags: { rows: '20' }, spec: { columns: 72, depth: 40, dtype: 'bf16' } },
  ],
  prefill: [
    { flags: { lengths: '37,1,20' }, spec: { headDim: 64, group: 3 }, tile: { m: 32, n: 16 } },
    { flags: { lengths: '18,35' }, spec: { group: 1, dtype: 'bf16' }, tile: { m: 16, n: 32 } },
  ],
  reduction: [
    { flags: { elements: '9001' }, tile: { width: 512, steps: 4 } },
    { flags: { elements: '700' }, spec: { dtype: 'f16' } },
  ],
  pat: [
    {
      workload: '1,2,4_48,23,40',
      flags: { heads: '8/2', headDim: '64' },
      tile: { m: 32, n: 16, stages: 2 },
      lowering: { producers: 2 },
    },
    { workload: '1,2,4_48,23,40', flags: { heads: '8/2', headDim: '64' }, tile: { m: 16, n: 16 } },
    {
      workload: '1,3_33,9',
      flags: { heads: '7/1', headDim: '80', dtype: 'bf16', packing: 'node' },
      tile: { m: 16, n: 16 },
    },
    {
      workload: '1,2_20,17',
      flags: { heads: '4/2', headDim: '64', dtype: 'f32', page: '8' },
      tile: { m: 8, n: 16 },
    },
  ],
};

interface Launched {
  readonly kernels: ThreadKernel[];
  readonly instance: Instance;
  run(kernels: readonly ThreadKernel[], maxStatements?: number): SimulationResult;
}

async function launch(name: string, small: Small, targetName: string): Promise<Launched> {
  const module = await shipped[name]!();
  const program = Object.values(module).find(
    (x): x is Program => typeof (x as Program | undefined)?.instantiate === 'function',
  )!;
  const target = findTarget(targetName)!;
  const lowered = new Map<string, ThreadKernel | undefined>();
  const lower = (t: KernelTemplate, spec: Spec, tile: Tile): ThreadKernel | undefined => {
    const own = Object.fromEntries(Object.entries(spec).filter(([key]) => key in t.spec));
    const key = JSON.stringify([t.name, own, tile]);
    if (!lowered.has(key))
      lowered.set(
        key,
        tryLower(() => {
          const kernel = t.trace({ ...t.spec, ...own }, tile);
          return lowerKernel({ ...kernel, tile: { ...kernel.tile, ...small.lowering } }, target);
        }),
      );
    return lowered.get(key);
  };
  const tilesOf = (t: KernelTemplate): Tile[] => {
    let tiles: Record<string, number>[] = [{}];
    for (const [key, values] of Object.entries(t.tile)) {
      const fixed = small.tile?.[key];
      const chosen = fixed === undefined ? values : [fixed];
      tiles = tiles.flatMap((tile) => chosen.map((value) => ({ ...tile, [key]: value })));
    }
    return tiles;
  };
  const instance = program.instantiate({
    seed: 11,
    spec: small.spec ?? {},
    flags: small.flags ?? {},
    verify: true,
    ...(small.workload ? { workload: small.workload } : {}),
    device: {
      family: target.family,
      units: 4,
      feasible: (t, spec) => {
        const first = tilesOf(t).find((tile) => lower(t, spec, tile));
        return first ? [first] : [];
      },
    },
  });
  const kernels: ThreadKernel[] = [];
  const launches = instance.launches.map((l) => {
    const kernel = lower(l.template, instance.spec, l.tile)!;
    if (!kernels.includes(kernel)) kernels.push(kernel);
    return { kernel: kernels.indexOf(kernel), grid: l.grid, buffers: l.buffers, scalars: l.scalars };
  });
  const run = (ks: readonly ThreadKernel[], maxStatements = 50_000_000): SimulationResult =>
    simulateRequest({ kernels: ks, buffers: instance.buffers, launches, repeats: 0 }, { maxStatements });
  return { kernels, instance, run };
}

function tryLower(make: () => ThreadKernel): ThreadKernel | undefined {
  try {
    return make();
  } catch (error) {
    if (error instanceof PatcError && error.code.startsWith('PAT03')) return undefined;
    throw error;
  }
}

describe('shipped kernels', () => {
  it('covers every shipped program', () =>
    expect(Object.keys(cases).sort()).toEqual(Object.keys(shipped).sort()));

  for (const [name, instances] of Object.entries(cases))
    for (const target of ['cuda:sm_80', 'cuda:sm_90a', 'wgsl', 'wgsl:f16'])
      instances.forEach((small, n) =>
        it(`${name} ${n} on ${target}`, async () => {
          const { kernels, instance, run } = await launch(name, small, target);
          const result = run(kernels);
          expect(result.reports.flatMap((r) => r.errors)).toEqual([]);
          expect(instance.verify(result.outputs)).toMatchObject({ ok: true, unwritten: 0 });
        }),
      );
});

describe('mistakes planted into shipped kernels', () => {
  const short: Small = {
    workload: '1,2_20,25',
    flags: { heads: '4/2', headDim: '64' },
    tile: { m: 16, n: 16 },
  };

  /** Which mistakes at which lines the simulator does not report, for all mutants of the first kernel. */
  async function missed(
    name: string,
    small: Small,
    target: string,
    only?: readonly string[],
  ): Promise<{ mutants: number; missed: string[] }> {
    const { kernels, instance, run } = await launch(name, small, target);
    if (small.lowering?.producers) expect(printThread(kernels[0]!)).toContain('mbarrier.wait');
    const mutants = mutantsOf(kernels[0]!, only);
    const silent = mutants.filter((m) => {
      const result = run([m.kernel, ...kernels.slice(1)], 2_000_000);
      if (result.reports.some((r) => r.errors.length > 0)) return false;
      // What changes no behaviour is no mistake; but then the result must be right.
      expect(instance.verify(result.outputs).ok).toBe(true);
      return true;
    });
    return { mutants: mutants.length, missed: silent.map((m) => m.name) };
  }

  it('finds them in a kernel with copies and matrix instructions', async () => {
    const { mutants, missed: silent } = await missed('pat', short, 'cuda:sm_80');
    expect(mutants).toBeGreaterThan(30);
    // The last wait covers no copy that anyone reads; path packs write no partials here.
    expect([...new Set(silent)].sort()).toEqual(['global store shifted', 'wait removed', 'wait shortened']);
  });

  it.each([0, 1])('finds them in a kernel with a producer warp and a ring (bulk=%i)', async (bulk) => {
    // Enough steps that every slot is used again, and more sequences than units, so that packs share the root.
    const workload = '1,4_84,25';
    const lowering = { producers: 1, bulk };
    const ring: Small = { ...short, workload, tile: { m: 32, n: 16, stages: 2 }, lowering };
    const { mutants, missed: silent } = await missed('pat', ring, 'cuda:sm_90a');
    expect(mutants).toBeGreaterThan(25);
    // Path packs write no partials here. Masked rows that keep a former step's finite values count 0 times. The producer's
    // last wait covers copies that consumers wait for.
    const harmless = ['wait removed', 'wait shortened'];
    expect([...new Set(silent)].sort()).toEqual(['global store shifted', ...harmless]);
  });

  it.each([0, 1])('finds them in a kernel of warpgroups (producers=%i)', async (producers) => {
    const tile = { m: 64, n: 16, stages: 2 };
    const flags = { heads: '8/1', headDim: '64' };
    // Enough steps that every slot is used again, and more sequences than units, so that packs share the root.
    const groups: Small = { workload: '1,2_84,25', flags, tile, lowering: { wgmma: 1, producers } };
    const only = [...Object.keys(wgmmaMistakes), 'barrier removed', 'mbarrier wait removed'];
    const { mutants, missed: silent } = await missed('pat', groups, 'cuda:sm_90a', only);
    expect(mutants).toBeGreaterThan(15);
    // An mbarrier's own bytes are no data here: nobody misses the fence after it is initialised.
    expect(silent).toEqual(producers > 0 ? ['proxy fence removed'] : []);
  });

  it('finds them in a kernel that hands tiles through shared memory', async () => {
    const { mutants, missed: silent } = await missed('pat', short, 'wgsl', [
      'barrier removed',
      'shared store collides',
    ]);
    expect(mutants).toBeGreaterThan(15);
    // The last barrier of the loop orders nothing that follows.
    expect(silent).toEqual(['barrier removed']);
  });
});
