/**
 * The flags that belong to a program: the batch flags that every command lists, and any that the program declares
 * (`Program.flags`). A flag is a fact of the model (a spec number of a kernel) or a word that the program understands;
 * which, its name says.
 */
import type { Command } from 'commander';
import { closest } from '../diagnostics/closest.ts';
import { fail } from '../diagnostics/error.ts';
import type { KernelTemplate, Program, Spec, SpecValue } from '../program.ts';
import { checkSpec, parseCount, parseSpec } from './options.ts';

export interface ProgramFlags {
  workload?: string;
  heads?: string;
  headDim?: string;
  page?: string;
  dtype?: string;
  kvDtype?: string;
  packing?: string;
  spec?: string;
}

const batchFlags = ['heads', 'headDim', 'page', 'dtype', 'kvDtype', 'packing'] as const;

/** The command also takes what it does not know: the program may (see `settle`). */
export const addProgramFlags = (command: Command): Command =>
  command
    .argument('[flags...]', "the program's own flags, as --name value")
    .allowUnknownOption()
    .option('--spec <a=b,...>', 'facts of the model, by name')
    .option(
      '--workload <text>',
      'tree notation, FILE.work, trace:FILE,at=S,batch=N, random:SEED,batch=N, batch:FILE.json',
    )
    .option('--heads <q/kv>', 'query heads / KV heads')
    .option('--head-dim <n>', 'elements per head')
    .option('--page <n>', 'tokens per KV page')
    .option('--dtype <type>', 'f16 or bf16')
    .option('--kv-dtype <type>', 'element type of the stored keys and values')
    .option('--packing <name>', 'auto, pat, node or none');

export interface Settled {
  readonly spec: Spec;
  readonly flags: Record<string, string>;
}

const kebab = (name: string): string => `--${name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}`;
const camel = (flag: string): string =>
  flag.replace(/^--/, '').replace(/-(\w)/g, (_, c: string) => c.toUpperCase());

/**
 * @throws PatcError PAT0601 for a flag that neither the command nor the program takes, PAT0105 and PAT0106 for spec numbers
 *   that the kernels lack
 */
export function settle(
  command: Command,
  program: Pick<Program, 'name' | 'kernels' | 'flags'>,
  given: ProgramFlags,
  extra: readonly string[],
): Settled {
  const spec: Record<string, SpecValue> = { ...parseSpec(given.spec ?? '') };
  const flags: Record<string, string> = {};
  const words: [string, string][] = batchFlags.flatMap((name): [string, string][] =>
    given[name] === undefined ? [] : [[name, given[name]]],
  );
  for (const [name, text] of [...words, ...pairs(command, program, extra)]) {
    const taken = name in (program.flags ?? {});
    const template = program.kernels.find((k) => name in k.spec);
    if (!taken && !template) refuse(command, program, name);
    if (taken) flags[name] = text;
    if (template) put(spec, name, specValue(template, name, text));
  }
  checkSpec(program.kernels, spec);
  return { spec, flags };
}

/** `--rows 100 --seed=3` -> [['rows', '100'], …]. */
function pairs(
  command: Command,
  program: Pick<Program, 'name' | 'flags'>,
  extra: readonly string[],
): [string, string][] {
  const found: [string, string][] = [];
  for (let i = 0; i < extra.length; i++) {
    const match = /^--([A-Za-z][\w-]*)(?:=(.*))?$/s.exec(extra[i]!);
    if (!match)
      fail('PAT0601', `unexpected argument '${extra[i]}'`, { help: 'flags are written --name value' });
    const name = camel(match[1]!);
    if (!(name in (program.flags ?? {}))) refuse(command, program, name);
    const value = match[2] ?? extra[++i];
    if (value === undefined) fail('PAT0601', `${kebab(name)} needs a value`);
    found.push([name, value]);
  }
  return found;
}

function refuse(command: Command, program: Pick<Program, 'name' | 'flags'>, name: string): never {
  const flag = kebab(name);
  const own = Object.keys(program.flags ?? {}).map(kebab);
  const near = closest(
    flag,
    [...own, ...command.options.map((o) => o.long ?? '')].filter((k) => k !== flag),
  );
  fail('PAT0601', `'${program.name}' takes no ${flag}`, {
    notes: [{ text: own.length ? `its own flags: ${own.join(', ')}` : 'it has no flags of its own' }],
    help: near ? `did you mean '${near}'?` : '`--help` lists the flags of the command',
  });
}

function put(spec: Record<string, SpecValue>, name: string, value: SpecValue): void {
  if (name in spec && spec[name] !== value) {
    fail('PAT0601', `${kebab(name)} says ${value}, --spec says ${name}=${spec[name]}`);
  }
  spec[name] = value;
}

const specValue = (template: KernelTemplate, name: string, text: string): SpecValue =>
  typeof template.spec[name] === 'number' ? parseCount(kebab(name), text, 1) : text;
