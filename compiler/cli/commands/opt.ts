/** patc opt: runs named passes on textual Tile IR, in the order given, and prints what comes out. */
import { existsSync, readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { fail } from '../../diagnostics/error.ts';
import type { Output } from '../output.ts';
import type { OptJson } from '../schemas.ts';

interface Flags {
  passes?: string;
  traceHtml?: string;
}

export const addOpt = (
  cli: Command,
  action: (work: (out: Output) => Promise<number>) => Promise<void>,
): void => {
  cli
    .command('opt')
    .argument('<file>', 'textual Tile IR')
    .description('run passes on textual IR')
    .option('--passes <a,b,...>', 'passes by name, in this order (default: the whole pipeline)')
    .option('--trace-html <file>', 'write a page with every pass’s before and after')
    .action((file: string, flags: Flags) => action((out) => opt(file, flags, out)));
};

async function opt(file: string, { passes: names, traceHtml }: Flags, out: Output): Promise<number> {
  if (!existsSync(file)) fail('PAT0604', `${file} does not exist`);
  const [{ parseKernel }, { printKernel }, { verifyKernel }, { pipeline }, { findPass }] = await Promise.all([
    import('../../ir/parse.ts'),
    import('../../ir/print.ts'),
    import('../../ir/verify.ts'),
    import('../../passes/index.ts'),
    import('../stages.ts'),
  ]);
  const chosen = names === undefined ? pipeline : names.split(',').filter(Boolean).map(findPass);
  let kernel = parseKernel(readFileSync(file, 'utf8'), file);
  verifyKernel(kernel);
  if (traceHtml !== undefined) {
    const { writeTrace } = await import('../trace/index.ts');
    writeTrace(traceHtml, kernel.name, [{ kernel, targets: [] }], chosen);
  }
  for (const pass of chosen) {
    kernel = pass.run(kernel);
    verifyKernel(kernel);
  }
  const text = printKernel(kernel);
  const document: OptJson = { ok: true, kernel: kernel.name, passes: chosen.map((p) => p.name), text };
  out.result(document, () => text);
  return 0;
}
