/** patc opt: runs named passes on textual Tile IR, in the order given, and prints what comes out. */
import { existsSync, readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { closest } from '../../diagnostics/closest.ts';
import { fail } from '../../diagnostics/error.ts';
import type { Output } from '../output.ts';
import type { OptJson } from '../schemas.ts';

export const addOpt = (
  cli: Command,
  action: (work: (out: Output) => Promise<number>) => Promise<void>,
): void => {
  cli
    .command('opt')
    .argument('<file>', 'textual Tile IR')
    .description('run passes on textual IR')
    .option('--passes <a,b,...>', 'passes by name, in this order (default: the whole pipeline)')
    .action((file: string, flags: { passes?: string }) => action((out) => opt(file, flags.passes, out)));
};

async function opt(file: string, names: string | undefined, out: Output): Promise<number> {
  if (!existsSync(file)) fail('PAT0604', `${file} does not exist`);
  const [{ parseKernel }, { printKernel }, { verifyKernel }, { passes, pipeline }] = await Promise.all([
    import('../../ir/parse.ts'),
    import('../../ir/print.ts'),
    import('../../ir/verify.ts'),
    import('../../passes/index.ts'),
  ]);
  const chosen = names === undefined ? pipeline : names.split(',').filter(Boolean).map(find);
  let kernel = parseKernel(readFileSync(file, 'utf8'), file);
  verifyKernel(kernel);
  for (const pass of chosen) {
    kernel = pass.run(kernel);
    verifyKernel(kernel);
  }
  const text = printKernel(kernel);
  const document: OptJson = { ok: true, kernel: kernel.name, passes: chosen.map((p) => p.name), text };
  out.result(document, () => text);
  return 0;

  function find(name: string) {
    const pass = passes.get(name.trim());
    if (pass) return pass;
    const known = [...passes.keys()];
    const near = closest(name, known);
    return fail('PAT0203', `there is no pass '${name}'`, {
      notes: [{ text: `passes: ${known.join(', ')}` }],
      ...(near ? { help: `did you mean '${near}'?` } : {}),
    });
  }
}
