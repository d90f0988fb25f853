/** patc compile: kernels to CUDA C++ and WGSL files, for given tile shapes, for a workload's, or for all that fit. */
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import { fail } from '../../diagnostics/error.ts';
import type { Spec } from '../../program.ts';
import type { Target } from '../../target.ts';
import { backendOf } from '../backends.ts';
import { loadProgram } from '../loader.ts';
import { checkTile, parseStages, parseTargets, parseTile, specOf, type Stage } from '../options.ts';
import { bytes, diagnosticJson, showTile, table, type Output } from '../output.ts';
import { makeFolder } from '../folders.ts';
import { addProgramFlags, settle, type ProgramFlags } from '../program-flags.ts';
import type { CompileJson } from '../schemas.ts';
import type { Variant } from '../variants.ts';

interface Flags extends ProgramFlags {
  target: string;
  tile?: string;
  emit: string;
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
  const loaded = await loadProgram(name);
  checkTile(loaded.kernels, tile);
  // Not at the top: the lowering is most of the program, and `patc --help` should not wait for it.
  const [{ Lowering }, { chooseVariants }] = await Promise.all([
    import('../lowering.ts'),
    import('../variants.ts'),
  ]);
  const settled = settle(command, loaded.program ?? loaded, flags, extra);
  const { spec } = settled;

  const document: CompileJson = {
    ok: true,
    program: loaded.name,
    spec: { ...spec },
    out: null,
    artifacts: [],
    files: [],
    rejected: [],
  };
  const printed: string[] = [];
  for (const target of targets) {
    const lowering = new Lowering(target);
    const variants = chooseVariants(loaded, settled, tile, flags.workload, lowering);
    out.progress(`${target.name}: ${variants.length} kernel${variants.length === 1 ? '' : 's'}`);
    for (const file of await filesOf(loaded.name, variants, stages, spec, target)) {
      const path = flags.out === '-' ? file.path : join(flags.out, file.path);
      if (flags.out === '-') printed.push(file.text);
      else {
        write(path, file.text);
        document.files.push(path);
      }
      if (!file.source) continue;
      const measured = undefined as Map<string, object> | undefined;
      for (const v of variants.filter((v) => file.kernels.includes(v.kernel.name))) {
        document.artifacts.push({
          target: target.name,
          path,
          kernel: v.template.name,
          symbol: v.kernel.name,
          tile: { ...v.tile },
          threads: v.kernel.threads,
          sharedBytes: v.kernel.sharedBytes,
          ...measured?.get(v.kernel.name),
        });
      }
    }
    for (const r of lowering.rejected) {
      document.rejected.push({
        target: target.name,
        kernel: r.kernel,
        tile: { ...r.tile },
        diagnostic: diagnosticJson(r.diagnostic),
      });
    }
  }
  if (flags.out !== '-') document.out = flags.out;
  out.result(document, () => (flags.out === '-' ? printed.join('\n') : summary(document)));
  return 0;
}

interface EmittedFile {
  readonly path: string;
  readonly text: string;
  readonly kernels: readonly string[];
  /** Whether the file defines its kernels for a target (a header, say, does not). */
  readonly source: boolean;
}

async function filesOf(
  program: string,
  variants: readonly Variant[],
  stages: readonly Stage[],
  spec: Spec,
  target: Target,
): Promise<EmittedFile[]> {
  const files: EmittedFile[] = [];
  for (const { template, tile, kernel } of variants) {
    const text = { kernels: [kernel.name], source: false };
    if (stages.includes('tile')) {
      const { printKernel } = await import('../../ir/print.ts');
      const traced = template.trace(specOf(template, spec), tile);
      files.push({ ...text, path: `${kernel.name}.tile`, text: printKernel(traced) });
    }
    if (stages.includes('thread')) {
      const { printThread } = await import('../../thread/print.ts');
      const path = `${kernel.name}.${target.name.replace(/\W+/g, '_')}.thread`;
      files.push({ ...text, path, text: printThread(kernel) });
    }
  }
  if (stages.includes('code')) {
    const emitted = (await backendOf(target.family)).emit(
      program,
      variants.map((v) => v.kernel),
      target,
    );
    files.push(...emitted.map((a) => ({ ...a, source: /\.(cu|wgsl)$/.test(a.path) })));
  }
  return files;
}

function write(path: string, text: string): void {
  makeFolder(dirname(path));
  try {
    writeFileSync(path, text);
  } catch (error) {
    fail('PAT0605', `cannot write ${path}`, { notes: [{ text: (error as Error).message }] });
  }
}

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
  const lines = rows.length ? [table([head, ...rows], '')] : [];
  const extra = d.files.filter((f) => !d.artifacts.some((a) => a.path === f));
  if (extra.length) lines.push(`also written: ${extra.join(', ')}`);
  if (d.rejected.length) {
    lines.push(`${d.rejected.length} tile shapes do not fit (--json lists why)`);
  }
  return lines.join('\n');
}
