/** patc check: shapes, budgets, races, bank conflicts and numbers of a program's kernels, with no GPU. */
import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { PatcError, type Diagnostic } from '../../diagnostics/error.ts';
import { diagnosticJson } from '../../diagnostics/json.ts';
import type { Checked } from '../checking.ts';
import { checkText } from '../check-text.ts';
import { loadProgram } from '../loader.ts';
import { checkTile, parseCount, parseTargets, parseTile } from '../options.ts';
import type { Output } from '../output.ts';
import { addProgramFlags, settle, type ProgramFlags } from '../program-flags.ts';
import type { CheckJson } from '../schemas.ts';

interface Flags extends ProgramFlags {
  target: string;
  tile?: string;
  seed: string;
  everyTile?: boolean;
  watch?: boolean;
}

export const addCheck = (
  cli: Command,
  action: (work: (out: Output) => Promise<number>) => Promise<void>,
): void => {
  const command = cli
    .command('check')
    .argument('<program>', 'a shipped program, a .ts or a .tile file')
    .description('budgets, races, bank conflicts and numbers, on the simulator');
  addProgramFlags(command)
    .option('--target <list>', 'cuda:sm_80, cuda:sm_90a, wgsl, wgsl:f16', 'cuda:sm_80,wgsl')
    .option('--tile <a=b,...>', 'this tile shape')
    .option('--every-tile', 'simulate every tile shape that fits')
    .option('--seed <n>', 'of the random inputs', '1')
    .option('--watch', 'check again whenever a file beside the program changes')
    .action((program: string, extra: string[], flags: Flags) =>
      action((out) => check(command, program, extra, flags, out)),
    );
};

async function check(
  command: Command,
  name: string,
  extra: string[],
  flags: Flags,
  out: Output,
): Promise<number> {
  if (flags.watch) {
    const { rerunOnChange } = await import('../watch.ts');
    return rerunOnChange(
      name,
      process.argv.slice(2).filter((a) => a !== '--watch'),
    );
  }
  const targets = parseTargets(flags.target);
  const tile = flags.tile === undefined ? {} : parseTile(flags.tile);
  const seed = parseCount('--seed', flags.seed, 0, 2 ** 32 - 1);
  const { kernels, program, name: programName } = await loadProgram(name);
  checkTile(kernels, tile);
  const settled = settle(command, program ?? { name: programName, kernels }, flags, extra);
  const lint = await lintOf(name, out);
  const { checkTarget } = await import('../checking.ts');
  const everyTile = flags.everyTile ?? false;
  const options = { workload: flags.workload, settled, tile, seed, everyTile };
  const checked = targets.map((t) => checkTarget(kernels, program, t, options, (line) => out.progress(line)));
  const document = describeAll(programName, lint, checked);
  out.result(document, () => checkText(document.ok, lint, checked));
  return document.ok ? 0 : 1;
}

/** The lint needs the author's file and typescript; without either there is none. */
async function lintOf(name: string, out: Output): Promise<readonly Diagnostic[]> {
  if (!/\.[mc]?ts$/.test(name) || !existsSync(name)) return [];
  const { lintProgram } = await import('../../lint/index.ts');
  try {
    return lintProgram([name]);
  } catch (error) {
    if (!(error instanceof PatcError) || error.code !== 'PAT0709') throw error;
    out.progress(`not linted: ${error.diagnostics[0]!.message}`);
    return [];
  }
}

const describeAll = (
  program: string,
  lint: readonly Diagnostic[],
  checked: readonly Checked[],
): CheckJson => ({
  ok: lint.length === 0 && checked.every((c) => c.simulated.every((s) => s.ok)),
  program,
  lint: lint.map(diagnosticJson),
  targets: checked.map(({ target, budgets, refused, simulated }) => ({
    target: target.name,
    sharedLimit: target.sharedBytes,
    kernels: budgets.map((b) => ({
      ...b,
      tile: { ...b.tile },
      buffers: b.buffers.map(({ name, bytes, note, span: { file, line, column } }) => ({
        name,
        bytes,
        note,
        span: { file, line, column },
      })),
    })),
    refused: refused.map(({ kernel, tile, error, fits }) => ({
      kernel,
      tile: { ...tile },
      diagnostic: diagnosticJson(error.diagnostics[0]!),
      fits: { ...fits },
    })),
    simulated: simulated.map((s) => ({
      ...s,
      accesses: s.accesses.map(({ span: { file, line, column }, ...rest }) => ({
        ...rest,
        span: { file, line, column },
      })),
      errors: s.errors.map((f) => ({ ...diagnosticJson(f), count: f.count })),
      warnings: s.warnings.map((f) => ({
        ...diagnosticJson(f),
        severity: 'warning' as const,
        count: f.count,
      })),
    })),
  })),
});
