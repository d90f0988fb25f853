/** patc compile: kernels to CUDA C++ and WGSL files, for given tile shapes, for a workload's, or for all that fit. */
import { join } from 'node:path';
import type { Command } from 'commander';
import { fail } from '../../diagnostics/error.ts';
import { diagnosticJson } from '../../diagnostics/json.ts';
import type { Spec } from '../../program.ts';
import type { Target } from '../../target.ts';
import { loadProgram, type Loaded } from '../loader.ts';
import type { Rejected } from '../lowering.ts';
import { checkTile, parseStages, specOf, parseTargets, parseTile } from '../options.ts';
import { bytes, showTile, table, type Output } from '../output.ts';
import { filesOf, write, type EmittedFile } from '../emission.ts';
import { addProgramFlags, settle, type ProgramFlags } from '../program-flags.ts';
import { resources, withoutSpills, type Measured } from '../resources.ts';
import type { CompileJson } from '../schemas.ts';
import type { Variant } from '../variants.ts';

interface Flags extends ProgramFlags {
  target: string;
  tile?: string;
  emit: string;
  emitAfter?: string;
  traceHtml?: string;
  lines?: boolean;
  nvcc: boolean;
  out: string;
}

export const addCompile = (
  cli: Command,
  action: (work: (out: Output) => Promise<number>) => Promise<void>,
): void => {
  const command = cli
    .command('compile')
    .argument('<program>', 'a shipped program, a .ts or a .tile file')
    .description('emit CUDA C++ and WGSL');
  addProgramFlags(command)
    .option('--target <list>', 'cuda:sm_80, cuda:sm_90a, wgsl, wgsl:f16', 'cuda:sm_80,cuda:sm_90a,wgsl')
    .option('--tile <a=b,...>', 'this tile shape (default: every one that fits, or what the workload uses)')
    .option('--emit <list>', 'tile, thread, code', 'code')
    .option(
      '--emit-after <pass>',
      'tile and thread as they are after this pass (default: traced; all passes)',
    )
    .option('--trace-html <file>', 'write a page with every pass’s before and after, and the lowered kernels')
    .option(
      '--lines',
      'CUDA: #line directives, so that nvcc, profilers and sanitizers name the kernel’s own file',
    )
    .option('--no-nvcc', 'do not ask nvcc for registers and spills, even where it is installed')
    .option('--out <dir>', 'the folder to write to; - prints instead', 'out')
    .action((program: string, extra: string[], flags: Flags) =>
      action((out) => compile(command, program, extra, flags, out)),
    );
};

async function compile(
  command: Command,
  name: string,
  extra: string[],
  flags: Flags,
  out: Output,
): Promise<number> {
  const targets = parseTargets(flags.target);
  const stages = parseStages(flags.emit);
  const tile = flags.tile === undefined ? {} : parseTile(flags.tile);
  if (flags.tile !== undefined && flags.workload !== undefined) {
    fail('PAT0601', '--tile and --workload both say which tile shapes to compile; give one');
  }
  const emitAfter = flags.emitAfter === undefined ? undefined : await passName(flags.emitAfter);
  const loaded = await loadProgram(name);
  checkTile(loaded.kernels, tile);
  // Not at the top: the lowering is most of the program, and `patc --help` should not wait for it.
  const [{ Lowering }, { chooseVariants }, { Traces }] = await Promise.all([
    import('../lowering.ts'),
    import('../variants.ts'),
    import('../traces.ts'),
  ]);
  const settled = settle(command, loaded.program ?? loaded, flags, extra);

  const compiled: Compiled[] = [];
  const traces = new Traces();
  for (const target of targets) {
    const lowering = new Lowering(target, traces);
    const candidates = chooseVariants(loaded, settled, tile, flags.workload, lowering);
    out.progress(`${target.name}: ${candidates.length} kernel${candidates.length === 1 ? '' : 's'}`);
    const measured = flags.nvcc
      ? await resources(loaded.name, candidates, target, out)
      : new Map<string, Measured>();
    const asked = flags.tile !== undefined || flags.workload !== undefined;
    const { variants, spilled } = asked
      ? { variants: candidates, spilled: [] }
      : withoutSpills(candidates, measured);
    const alone = targets.filter((t) => t.family === target.family).length === 1;
    const folder = alone ? '' : target.name.replace(/^cuda:/, '').replace(/\W+/g, '-');
    const files = await filesOf(loaded.name, variants, stages, target, emitAfter, flags.lines);
    compiled.push({
      target,
      variants,
      files,
      folder,
      measured,
      rejected: [...lowering.rejected, ...spilled],
    });
  }
  if (flags.traceHtml !== undefined) await trace(flags.traceHtml, loaded, compiled);
  const document = describeAll(loaded, settled.spec, compiled, flags.out);
  if (flags.out !== '-') {
    for (const { files, folder } of compiled) {
      for (const file of files) write(join(flags.out, folder, file.path), file.text);
    }
  }
  out.result(document, () =>
    flags.out === '-' ? compiled.flatMap((c) => c.files.map((f) => f.text)).join('\n') : summary(document),
  );
  return 0;
}

const passName = async (name: string): Promise<string> => (await import('../stages.ts')).findPass(name).name;

/** One shape of every kernel: the first that is compiled, lowered for the targets that compile it. */
async function trace(file: string, loaded: Loaded, compiled: readonly Compiled[]): Promise<void> {
  const [{ writeTrace }, { pipeline }] = await Promise.all([
    import('../trace/index.ts'),
    import('../../passes/index.ts'),
  ]);
  const traced = loaded.kernels.flatMap((template) => {
    const first = compiled.flatMap((c) => c.variants).find((v) => v.template === template);
    if (!first) return [];
    const kernel = template.trace(specOf(template, first.spec), first.tile);
    return [{ kernel, targets: compiled.map((c) => c.target) }];
  });
  writeTrace(file, loaded.name, traced, pipeline);
}

interface Compiled {
  readonly target: Target;
  readonly variants: readonly Variant[];
  readonly files: readonly EmittedFile[];
  /** Below `--out`: targets of one family would write the same names. */
  readonly folder: string;
  readonly measured: ReadonlyMap<string, Measured>;
  readonly rejected: readonly Rejected[];
}

function describeAll(loaded: Loaded, spec: Spec, compiled: readonly Compiled[], out: string): CompileJson {
  const printed = out === '-';
  const place = (folder: string, file: EmittedFile): string => (printed ? '-' : join(out, folder, file.path));
  const specs = [
    ...loaded.kernels.map((k) => k.spec),
    spec,
    ...compiled.flatMap((c) => c.variants.map((v) => v.spec)),
  ];
  return {
    ok: true,
    program: loaded.name,
    spec: Object.assign({}, ...specs) as CompileJson['spec'],
    out: printed ? null : out,
    artifacts: compiled.flatMap(({ target, variants, files, folder, measured }) =>
      files.flatMap((file) =>
        variants
          .filter((v) => file.source && file.kernels.includes(v.kernel.name))
          .map((v) => ({
            target: target.name,
            path: place(folder, file),
            kernel: v.template.name,
            symbol: v.kernel.name,
            tile: { ...v.tile },
            threads: v.kernel.threads,
            sharedBytes: v.kernel.sharedBytes,
            ...measured.get(v.kernel.name),
          })),
      ),
    ),
    files: printed ? [] : compiled.flatMap(({ files, folder }) => files.map((f) => place(folder, f))),
    rejected: compiled.flatMap(({ target, rejected }) =>
      rejected.map((r) => ({
        target: target.name,
        kernel: r.kernel,
        tile: { ...r.tile },
        diagnostic: diagnosticJson(r.diagnostic),
      })),
    ),
  };
}

const shownRows = 40;

function summary(d: CompileJson): string {
  const measured = d.artifacts.some((a) => a.registers !== undefined);
  const head = [
    'target',
    'kernel',
    'tile',
    'threads',
    'shared',
    ...(measured ? ['registers', 'spills'] : []),
    'file',
  ];
  const rows = d.artifacts.map((a) => [
    a.target,
    a.kernel,
    showTile(a.tile),
    String(a.threads),
    bytes(a.sharedBytes),
    ...(measured ? [String(a.registers ?? ''), a.spillBytes === undefined ? '' : bytes(a.spillBytes)] : []),
    a.path,
  ]);
  const lines = rows.length ? [table([head, ...rows.slice(0, shownRows)], '')] : [];
  if (rows.length > shownRows) lines.push(`… and ${rows.length - shownRows} more kernels (--json lists all)`);
  const extra = d.files.filter((f) => !d.artifacts.some((a) => a.path === f));
  if (extra.length) lines.push(`also written: ${extra.join(', ')}`);
  if (d.rejected.length) {
    lines.push(`${d.rejected.length} tile shapes do not fit (--json lists why)`);
  }
  return lines.join('\n');
}
