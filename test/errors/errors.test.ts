import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { catalogue, type Code } from '../../compiler/diagnostics/catalogue.ts';
import { diagnosticsJson } from '../../compiler/diagnostics/json.ts';
import { diagnosticsSchema } from '../../compiler/diagnostics/schema.ts';
import { errorExample, exampleCodes } from './examples.ts';
import { withExamples } from './manual.ts';

const manual = readFileSync(fileURLToPath(new URL('../../docs/errors.md', import.meta.url)), 'utf8');

describe('the error manual', () => {
  it('has one section for every code, in order, under its name', () => {
    const sections = [...manual.matchAll(/^### (PAT\d{4}) (\S+)$/gm)].map(([, code, name]) => [code, name]);
    expect(sections).toEqual(Object.entries(catalogue).map(([code, { name }]) => [code, name]));
  });

  it('says something about each', () => {
    for (const section of manual.split(/^### /m).slice(1))
      expect(section.split('\n\n')[1]!.length).toBeGreaterThan(40);
  });

  // node scripts/errors-doc.ts rewrites the examples.
  const ofLanguage = exampleCodes.filter((code) => /^PAT0[12]/.test(code));
  it('shows what patc prints', async () => {
    expect(await withExamples(manual, ofLanguage)).toBe(manual);
  });

  it('shows the codes and places that lowering and running give; their sums may move with the compiler', async () => {
    const fixed = (text: string): string[] =>
      text.split('\n').filter((line) => /^error\[\w+|^ +-->/.test(line));
    const essence = (text: string): string[] => fixed(text).map((line) => line.replace(/\]: .*/, ']'));
    expect(essence(await withExamples(manual))).toEqual(essence(manual));
  });
});

describe('examples of errors', () => {
  it('there is one for every code of the language and of textual Tile IR', () => {
    const codes = Object.keys(catalogue).filter((code) => /^PAT0(1|20[12])/.test(code));
    expect(exampleCodes).toEqual(expect.arrayContaining(codes));
  });

  it.each(exampleCodes)(
    '%s is raised once per mistake, at its line, with the words of the manual',
    async (code: Code) => {
      const { diagnostics, output, source } = await errorExample(code);
      expect(diagnostics.map((d) => d.code)).toEqual(diagnostics.map(() => code));
      expect(diagnostics).toHaveLength(code === 'PAT0201' ? 2 : 1);
      for (const { span } of diagnostics) {
        const line = source.split('\n')[span!.line - 1]!;
        expect(line).toBeDefined();
        expect(output).toContain(line.trim());
      }
      expect(() =>
        diagnosticsSchema.parse(JSON.parse(JSON.stringify(diagnosticsJson(diagnostics)))),
      ).not.toThrow();
    },
  );
});
