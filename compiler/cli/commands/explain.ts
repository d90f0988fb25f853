/** patc explain: whether one tile shape fits a target, line by line, what binds, what would fit, what the model says. */
import type { Command } from 'commander';
import type { KernelTemplate, Tile } from '../../program.ts';
import type { ExplainJson } from '../../tune/schemas.ts';
import { loadProgram } from '../loader.ts';
import { checkTile, parseTargets, parseTile } from '../options.ts';
import { bytes, showTile, table, type Output } from '../output.ts';
import { addProgramFlags, settle, type ProgramFlags } from '../program-flags.ts';

interface Flags extends ProgramFlags {
  target?: string;
  device?: string;
  tile?: string;
  nvcc: boolean;
}

export const addExplain = (
  cli: Command,
  action: (work: (out: Output) => Promise<number>) => Promise<void>,
): void => {
  const command = cli
    .command('explain')
    .argument('<program>', 'a shipped program, a .ts or a .tile file')
    .description('why a tile shape fits or not, and what would');
  addProgramFlags(command)
    .option('--tile <a=b,...>', 'the tile shape (default: the first candidate of every number)')
    .option('--target <list>', 'cuda:sm_80, cuda:sm_90a, wgsl, wgsl:f16 (default: cuda:sm_90a)')
    .option('--device <id>', 'of `patc devices` (default: the usual card of the target)')
    .option('--no-nvcc', 'estimate registers even where nvcc is installed')
    .action((program: string, extra: string[], flags: Flags) =>
      action((out) => explain(command, program, extra, flags, out)),
    );
};

async function explain(
  command: Command,
  name: string,
  extra: string[],
  flags: Flags,
  out: Output,
): Promise<number> {
  const { findDevice, targetOn, usualDevice } = await import('../../tune/devices.ts');
  const given = flags.tile === undefined ? {} : parseTile(flags.tile);
  const device = flags.device === undefined ? undefined : findDevice(flags.device);
  const targets = parseTargets(flags.target ?? device?.targets[0] ?? 'cuda:sm_90a');
  const loaded = await loadProgram(name);
  checkTile(loaded.kernels, given);
  const { spec, flags: words } = settle(command, loaded.program ?? loaded, flags, extra);
  const [{ Lowering }, { explainTile }] = await Promise.all([
    import('../lowering.ts'),
    import('../../tune/explain.ts'),
  ]);
  const explained: ExplainJson['explained'] = [];
  for (const target of targets) {
    const on = device ?? usualDevice(target);
    const lowering = new Lowering(targetOn(on, target.name));
    for (const template of concerned(loaded.kernels, given)) {
      const facts = { ...factsOf(words, template), ...spec };
      const tile = tileOf(template, given);
      explained.push(
        await explainTile({ device: on, lowering, template, spec: facts, tile, nvcc: flags.nvcc }),
      );
    }
  }
  const document: ExplainJson = { ok: true, program: loaded.name, explained };
  out.result(document, () => explained.map(text).join('\n\n'));
  return 0;
}

/** Kernels that have one of the numbers given; all where none is. */
const concerned = (kernels: readonly KernelTemplate[], given: Tile): readonly KernelTemplate[] => {
  const names = Object.keys(given);
  const found = kernels.filter((k) => names.some((n) => n in k.tile));
  return names.length > 0 && found.length > 0 ? found : kernels;
};

const tileOf = (template: KernelTemplate, given: Tile): Tile =>
  Object.fromEntries(Object.entries(template.tile).map(([name, [first]]) => [name, given[name] ?? first!]));

/** `--heads 32/8` is the spec numbers group and kvHeads, where a kernel has them. */
export function factsOf(
  words: Readonly<Record<string, string>>,
  template: KernelTemplate,
): Record<string, number> {
  const match = /^(\d+)\/(\d+)$/.exec(words['heads'] ?? '');
  if (!match || !('group' in template.spec)) return {};
  const [q, kv] = [Number(match[1]), Number(match[2])];
  return Number.isInteger(q / kv) ? { group: q / kv, kvHeads: kv } : {};
}

const amount = (value: number, unit: string): string =>
  unit === 'B'
    ? bytes(Math.round(value))
    : `${value >= 1000 ? Math.round(value) : Number(value.toPrecision(4))}${unit && ` ${unit}`}`;

function text(e: ExplainJson['explained'][number]): string {
  const head = `${e.kernel} ${showTile(e.tile)} on ${e.target} (${e.device}): ${e.fits ? 'fits' : 'does not fit'}`;
  const lines = [head];
  if (e.rejection) lines.push(`  because: ${e.rejection.arithmetic}`, `  would fit: ${e.rejection.fix}`);
  if (e.budget.length > 0) {
    const rows = e.budget.map((l) => [
      l.ok ? 'ok' : l.hard ? 'OVER' : 'slow',
      l.name,
      l.name === 'bytes in flight'
        ? `${amount(l.limit, l.unit)}, needs ${amount(l.need, l.unit)}`
        : `${amount(l.need, l.unit)} of ${amount(l.limit, l.unit)}`,
      l.arithmetic.length > 110 ? `${l.arithmetic.slice(0, 107)}...` : l.arithmetic,
    ]);
    lines.push(table(rows));
  }
  if (e.fits) lines.push(`  ${e.blocksPerUnit} blocks a unit, held there by ${e.residencyBound}`);
  lines.push(`  binding: ${e.binding}`);
  if (e.neighbours.length > 0) {
    lines.push('  nearest that fit (time of a block of the same rows and 1024 tokens):');
    lines.push(
      table(
        e.neighbours.map((n) => [n.changed, n.us === undefined ? '' : `${n.us} us`]),
        '    ',
      ),
    );
  }
  if (e.model) {
    lines.push('  model, us:');
    lines.push(
      table(
        Object.entries(e.model).map(([name, us]) => [name, String(us)]),
        '    ',
      ),
    );
  }
  return lines.join('\n');
}
