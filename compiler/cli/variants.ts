/** Which kernels at which tile shapes `patc compile` writes: a workload's, the ones given, or all that fit the target. */
import { fail, PatcError } from '../diagnostics/error.ts';
import type { KernelTemplate, Spec, Tile } from '../program.ts';
import type { ThreadKernel } from '../thread/nodes.ts';
import type { Loaded } from './loader.ts';
import type { Lowering } from './lowering.ts';
import { showTile } from './output.ts';
import type { Settled } from './program-flags.ts';
import { tilesOf } from './tiles.ts';
import { planningShape } from './units.ts';

/** One kernel at one tile shape, as it is written to a file. */
export interface Variant {
  readonly template: KernelTemplate;
  readonly spec: Spec;
  readonly tile: Tile;
  readonly kernel: ThreadKernel;
}

/** @throws PatcError PAT0306 where no tile shape of a kernel fits the target; the single given shape's own error otherwise */
export function chooseVariants(
  loaded: Loaded,
  { spec, flags }: Settled,
  tile: Tile,
  workload: string | undefined,
  lowering: Lowering,
): Variant[] {
  const chosen: { template: KernelTemplate; tile: Tile; spec: Spec }[] = [];
  if (workload !== undefined) {
    const program =
      loaded.program ?? fail('PAT0601', `${loaded.name} is no program: its kernels take no workload`);
    const device = planningShape(lowering);
    const options = { workload, seed: 1, spec, flags, verify: false, device };
    const instance = program.instantiate(options);
    for (const { template, tile } of instance.launches) {
      const known = chosen.some((c) => c.template === template && showTile(c.tile) === showTile(tile));
      if (!known) chosen.push({ template, tile, spec: instance.spec });
    }
  } else {
    const word = Object.keys(flags).find((name) => !loaded.kernels.some((k) => name in k.spec));
    if (word !== undefined) {
      fail('PAT0601', `'${word}' says something about a batch, and there is none`, {
        help: 'compile the shapes of a batch with --workload, or give the facts of the model with --spec',
      });
    }
    for (const template of loaded.kernels) {
      const own = Object.fromEntries(Object.entries(tile).filter(([n]) => n in template.tile));
      const fitting = lowering.feasible(template, spec, own);
      if (fitting.length === 0) nothingFits(template, tilesOf(template, own), spec, lowering);
      chosen.push(...fitting.map((t) => ({ template, tile: t, spec })));
    }
  }
  return chosen.map(({ template, tile, spec }) => {
    const kernel = lowering.lower(template, spec, tile);
    const alone = chosen.filter((c) => c.template === template).length === 1;
    // Several shapes of a kernel live in one file, so their names say which is which.
    return { template, spec, tile, kernel: alone ? kernel : { ...kernel, name: kernel.name + suffix(tile) } };
  });
}

const suffix = (tile: Tile): string =>
  Object.entries(tile)
    .map(([name, value]) => `_${name}${value}`)
    .join('');

function nothingFits(
  template: KernelTemplate,
  candidates: readonly Tile[],
  spec: Spec,
  lowering: Lowering,
): never {
  const first = candidates[0] ?? {};
  try {
    lowering.lower(template, spec, first);
  } catch (error) {
    if (!(error instanceof PatcError) || candidates.length === 1) throw error;
    const d = error.diagnostics[0]!;
    fail('PAT0306', `no tile shape of ${template.name} fits ${lowering.target.name}`, {
      ...(d.span ? { span: d.span } : {}),
      notes: [
        { text: `${candidates.length} shapes were tried; ${showTile(first)}: ${d.message}` },
        ...(d.notes ?? []),
      ],
      ...(d.help ? { help: d.help } : {}),
    });
  }
  throw new Error(`${template.name} fits after all`);
}
