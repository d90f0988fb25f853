/** docs/mistakes.md, made of the programs in this folder and what `patc check` prints about them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { format } from 'prettier';
import { session, type Ran } from '../cli/spawn.ts';
import { mistakes, type Mistake } from './mistakes.ts';

const programs = join(import.meta.dirname, 'programs');

const argvOf = (m: Mistake): string[] => ['check', `${m.name}.ts`, '--target', 'wgsl', ...(m.flags ?? [])];

/** One process for all of them. */
export const checkAll = (): readonly Ran[] => session(mistakes.map(argvOf), programs);

/** What the terminal shows, without the progress lines. */
export const outputOf = ({ stdout, stderr }: Ran): string =>
  `${stderr.replace(/^\S+: simulating .*\n/gm, '')}${stdout}`.trimEnd();

const sourceOf = (m: Mistake): string =>
  readFileSync(join(programs, `${m.name}.ts`), 'utf8')
    .replace('../../../dsl/index.ts', 'patc/dsl')
    .trimEnd();

const fence = (language: string, text: string): string => `\`\`\`${language}\n${text}\n\`\`\``;
const anchor = (m: Mistake, i: number): string =>
  `${i + 1}-${m.title
    .toLowerCase()
    .replace(/[^\w ]/g, '')
    .replaceAll(' ', '-')}`;

export async function mistakesPage(ran: readonly Ran[]): Promise<string> {
  const rows = mistakes.map(
    (m, i) => `| [${i + 1}](#${anchor(m, i)}) | ${m.title} | ${m.elsewhere} | \`${m.code}\` ${m.says} |`,
  );
  const sections = mistakes.map((m, i) =>
    [
      `## ${i + 1} ${m.title}`,
      m.text,
      fence('ts', sourceOf(m)),
      fence('text', `$ patc ${argvOf(m).join(' ')}\n${outputOf(ran[i]!)}`),
    ].join('\n\n'),
  );
  const page = `# Ten mistakes, and what patc says

The mistakes that authors of GPU kernels make most, each as a small program, with what \`patc check\` prints about it. None
of this needs a GPU: shapes and types are found while the kernel is traced, conditions by a lint with the types of the
program, budgets when it is lowered, the rest by the [simulator](simulator.md). The tests run every program of this page;
\`node scripts/mistakes-doc.ts\` rewrites it. [Errors](errors.md) explains every code.

| # | mistake | how it shows elsewhere | patc |
| --- | --- | --- | --- |
${rows.join('\n')}

${sections.join('\n\n')}
`;
  return format(page, {
    parser: 'markdown',
    printWidth: 120,
    proseWrap: 'preserve',
    embeddedLanguageFormatting: 'off',
  });
}
