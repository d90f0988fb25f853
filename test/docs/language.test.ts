import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { verifyKernel } from '../../compiler/ir/verify.ts';
import { lintProgram } from '../../compiler/lint/index.ts';
import type { KernelTemplate } from '../../compiler/program.ts';
import { KernelContext, Tensor, Tile } from '../../dsl/index.ts';

const root = join(import.meta.dirname, '../..');
const page = readFileSync(join(root, 'docs/language.md'), 'utf8');
const blocks = [...page.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code]) => code!);

const folder = mkdtempSync(join(tmpdir(), 'patc-language-'));
writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
const files = blocks.map((code, i) => {
  const file = join(folder, `block${i}.ts`);
  writeFileSync(file, code.replaceAll("'patc/dsl'", JSON.stringify(join(root, 'dsl/index.ts'))));
  return file;
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('the language page', () => {
  let program: ts.Program;
  beforeAll(() => {
    const config = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile).config as {
      compilerOptions: object;
    };
    const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, root);
    program = ts.createProgram(files, options);
  });

  it('has code', () => {
    expect(blocks.length).toBeGreaterThan(4);
  });

  it.each(files.map((file, i) => [i, file] as const))('block %i passes tsc and traces', async (_, file) => {
    const found = program.getSemanticDiagnostics(program.getSourceFile(file));
    expect(found.map((d) => ts.flattenDiagnosticMessageText(d.messageText, '\n'))).toEqual([]);
    const module = (await import(file)) as Record<string, KernelTemplate>;
    for (const template of Object.values(module)) verifyKernel(template.trace({}, {}));
  });

  it('has no traced value as a condition', () => {
    expect(lintProgram(files)).toEqual([]);
  });

  it('names every method', () => {
    for (const type of [KernelContext, Tensor, Tile])
      for (const name of Object.getOwnPropertyNames(type.prototype))
        if (name !== 'constructor' && type !== Tensor) expect(page).toMatch(new RegExp(`\\b${name}\\b`));
  });
});
