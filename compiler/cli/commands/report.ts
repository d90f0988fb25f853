/** patc report: two tuning runs side by side, or the page of one again. */
import { readFileSync, writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { fail } from '../../diagnostics/error.ts';
import type { ReportJson, TuneJson } from '../../tune/schemas.ts';
import { showTile, table, type Output } from '../output.ts';

interface Flags {
  compare?: boolean;
  out?: string;
}

export const addReport = (
  cli: Command,
  action: (work: (out: Output) => Promise<number>) => Promise<void>,
): void => {
  cli
    .command('report')
    .description('compare two tuning reports, or make the page of one')
    .argument('<files...>', 'report.json as `patc tune --report` or `--json` writes it')
    .option('--compare', 'two reports')
    .option('--out <file.html>', 'the page of one report')
    .action((files: string[], flags: Flags) => action((out) => report(files, flags, out)));
};

async function report(files: string[], flags: Flags, out: Output): Promise<number> {
  if (!flags.compare) {
    if (files.length !== 1 || flags.out === undefined)
      fail('PAT0601', 'report takes --compare A B, or one report and --out FILE.html');
    const { reportPage } = await import('../../tune/report/page.ts');
    const page = await reportPage(await read(files[0]!));
    try {
      writeFileSync(flags.out, page);
    } catch (error) {
      fail('PAT0605', `cannot write ${flags.out}`, { notes: [{ text: (error as Error).message }] });
    }
    out.result({ ok: true, out: flags.out }, () => `wrote ${flags.out}`);
    return 0;
  }
  if (files.length !== 2) fail('PAT0601', `--compare takes two reports, not ${files.length}`);
  const [a, b] = [await read(files[0]!), await read(files[1]!)];
  const { compareReports } = await import('../../tune/report/compare.ts');
  const document = compareReports(a, b);
  out.result(document, () => text(document));
  return 0;
}

async function read(file: string): Promise<TuneJson> {
  let content: string;
  try {
    content = readFileSync(file, 'utf8');
  } catch (error) {
    return fail('PAT0604', `cannot read ${file}`, { notes: [{ text: (error as Error).message }] });
  }
  const [{ z }, { tune }] = await Promise.all([import('zod'), import('../../tune/schemas.ts')]);
  try {
    return tune.parse(JSON.parse(content));
  } catch (error) {
    const why =
      error instanceof z.ZodError ? z.prettifyError(error).split('\n').slice(0, 3) : [String(error)];
    return fail('PAT0601', `${file} is not a tuning report`, { notes: why.map((line) => ({ text: line })) });
  }
}

function text(d: ReportJson): string {
  const lines = [
    `A ${d.a}`,
    `B ${d.b}`,
    `best: ${d.bestUs.a.toFixed(1)} us and ${d.bestUs.b.toFixed(1)} us, B/A ${d.bestUs.ratio.toFixed(3)}`,
    d.sameTable ? 'the tables of winners are the same' : `${d.movedCells.length} cells have another winner:`,
    ...d.movedCells.slice(0, 8).map((c) => `  rows ${c.rows}, tokens ${c.tokens}: ${c.a} -> ${c.b}`),
  ];
  const moved = d.configurations
    .filter((c) => c.a !== null && c.b !== null)
    .sort((x, y) => Math.abs(Math.log(y.b! / y.a!)) - Math.abs(Math.log(x.b! / x.a!)))
    .slice(0, 8);
  if (moved.length > 0) {
    const rows = moved.map((c) => [
      showTile(c.tile),
      c.a!.toFixed(1),
      c.b!.toFixed(1),
      `${(((c.b! - c.a!) / c.a!) * 100).toFixed(1)} %`,
    ]);
    lines.push('shapes that changed most:', table([['tile', 'A us', 'B us', 'change'], ...rows]));
  }
  return lines.join('\n');
}
