/**
 * PROGRAM on the command line -> kernels and, where there is one, the program around them. A PROGRAM is the name of a
 * shipped example, a `.ts` file (imported as it is, no build step) or a `.tile` file (textual Tile IR).
 */
import { existsSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { extname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { fail } from '../diagnostics/error.ts';
import type { Kernel } from '../ir/nodes.ts';
import type { KernelTemplate, Program } from '../program.ts';
import { shipped } from '../../examples/registry.ts';
import { importFailure, refuseWrongModuleType } from './loader-errors.ts';
import { resolveOwnPackage } from './loader-hooks.ts';
import { closest } from '../diagnostics/closest.ts';

export interface Loaded {
  readonly name: string;
  readonly kernels: readonly KernelTemplate[];
  /** Absent when the file has kernels alone: they compile, but there is nothing that says how to launch them. */
  readonly program?: Program;
}

const isTemplate = (x: unknown): x is KernelTemplate =>
  typeof x === 'object' &&
  x !== null &&
  typeof (x as KernelTemplate).trace === 'function' &&
  typeof (x as KernelTemplate).name === 'string' &&
  typeof (x as KernelTemplate).tile === 'object';

const isProgram = (x: unknown): x is Program =>
  typeof x === 'object' &&
  x !== null &&
  typeof (x as Program).instantiate === 'function' &&
  typeof (x as Program).name === 'string' &&
  Array.isArray((x as Program).kernels) &&
  (x as Program).kernels.every(isTemplate);

const extensions = ['.ts', '.mts', '.js', '.mjs'];

/** @throws PatcError PAT0601 for a name that is neither, PAT0604 for a missing file, PAT0603 for one that does not load */
export async function loadProgram(text: string): Promise<Loaded> {
  const open = shipped[text];
  if (open) return fromModule(text, text, await open());
  const extension = extname(text);
  if (extension !== '.tile' && !extensions.includes(extension)) {
    const near = closest(text, Object.keys(shipped));
    if (existsSync(text)) {
      fail('PAT0603', `${text} is neither a .ts nor a .tile file`, {
        help: `a program is a TypeScript module (${extensions.join(', ')}) or textual IR (.tile)`,
      });
    }
    fail('PAT0601', `there is no shipped program '${text}'`, {
      notes: [{ text: `shipped: ${Object.keys(shipped).join(', ')}` }],
      help: near ? `did you mean '${near}'?` : "give one of these, or a file: './kernel.ts', './kernel.tile'",
    });
  }
  const file = resolve(text);
  if (!existsSync(file))
    fail('PAT0604', `${text} does not exist`, { notes: [{ text: `looked at ${file}` }] });
  if (!statSync(file).isFile()) fail('PAT0604', `${text} is not a file`);
  return extension === '.tile' ? loadTile(text, file) : loadModule(text, realpathSync(file));
}

/** One kernel, already specialised: it has the one tile that it was written with. */
async function loadTile(shown: string, file: string): Promise<Loaded> {
  const [{ parseKernel }, { verifyKernel }] = await Promise.all([
    import('../ir/parse.ts'),
    import('../ir/verify.ts'),
  ]);
  const kernel = parseKernel(readFileSync(file, 'utf8'), shown);
  verifyKernel(kernel);
  return { name: kernel.name, kernels: [fixedTemplate(kernel)] };
}

const fixedTemplate = (kernel: Kernel): KernelTemplate => ({
  name: kernel.name,
  spec: kernel.spec,
  tile: Object.fromEntries(Object.entries(kernel.tile).map(([name, value]) => [name, [value]])),
  trace: () => kernel,
});

async function loadModule(shown: string, file: string): Promise<Loaded> {
  refuseWrongModuleType(shown, file);
  resolveOwnPackage();
  let module: Record<string, unknown>;
  try {
    module = (await import(pathToFileURL(file).href)) as Record<string, unknown>;
  } catch (error) {
    throw importFailure(shown, file, error);
  }
  const name = file.replace(/^.*[\\/]/, '').replace(/\.\w+$/, '');
  return fromModule(name, shown, module);
}

function fromModule(name: string, shown: string, module: Record<string, unknown>): Loaded {
  const exported = [...new Set([module['default'], module['program'], ...Object.values(module)])];
  const program = exported.find(isProgram);
  if (program) return { name: program.name, kernels: program.kernels, program };
  // An array or a record of kernels counts too: generated families of kernels are exported that way.
  const kernels = [...new Set(exported.flatMap(members).filter(isTemplate))];
  if (kernels.length > 0) return { name: kernels.length === 1 ? kernels[0]!.name : name, kernels };
  const names = Object.keys(module);
  fail('PAT0603', `${shown} exports no kernel and no program`, {
    notes: [{ text: names.length ? `it exports ${names.join(', ')}` : 'it exports nothing' }],
    help: "export what kernel() returns: `export const mine = kernel('mine', …)`, or a program as `default`",
  });
}

const members = (x: unknown): unknown[] =>
  isTemplate(x)
    ? [x]
    : Array.isArray(x)
      ? x
      : typeof x === 'object' && x !== null && Object.getPrototypeOf(x) === Object.prototype
        ? Object.values(x)
        : [];

/** @throws PatcError PAT0603 for a file that has kernels and no program */
export async function loadRunnable(text: string): Promise<Program> {
  const { program, kernels } = await loadProgram(text);
  if (program) return program;
  fail('PAT0603', `${text} has kernels (${kernels.map((k) => k.name).join(', ')}) and no program`, {
    help: 'to run it, export a program as `default`: program(…) of patc/dsl makes inputs and launches (docs/tutorial.md)',
  });
}
