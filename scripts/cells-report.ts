/**
 * What measured cells and choices (bench/cells.ts) say:
 *   node scripts/cells-report.ts CELLS.jsonl [--choices CHOICES.jsonl] [--table | --keep] [--json OUT.json]
 * For every (rows, tokens) cell and head configuration: the rank correlation of predicted against measured over all shapes, and
 * how much slower the shape is that the model would choose than the best measured one. `--table` replaces the device's tables of
 * winners in compiler/tune/defaults/tables.json by measured ones; `--keep` leaves them in this machine's cache instead, where they
 * come before shipped ones. `--json` keeps the timings as one document for bench/results.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { showTile } from '../compiler/cli/output.ts';
import type { Tile } from '../compiler/program.ts';
import { keepTable } from '../compiler/tune/defaults.ts';
import type { DeviceDescription } from '../compiler/tune/devices.ts';
import { judgeFit, predictRun, type MeasuredRun } from '../compiler/tune/fit.ts';
import { fitOf } from '../compiler/tune/fits.ts';
import { tableSchema, type TunedTable } from '../compiler/tune/schemas.ts';
import { geometricMean } from '../compiler/tune/statistics.ts';
import { cellTime, makeTable, rowEnds, tokenEnds, type CellTimes } from '../compiler/tune/table.ts';
import { forward, pat } from '../examples/pat/index.ts';
import { jsonLines, readRecorded, runsOf, type MeasuredRow } from './measured-runs.ts';

export interface CellRun {
  readonly row: MeasuredRow;
  readonly run: MeasuredRun;
}

/** [line per cell, summary] */
export function describeCells(cells: readonly CellRun[], family: 'cuda' | 'wgsl'): string[] {
  const k = fitOf(family).coefficients;
  const lines: string[] = [];
  const judged: { heads: string; spearman: number; regret: number }[] = [];
  for (const [, list] of Map.groupBy(cells, (c) => c.run.group)) {
    const { cell, heads } = list[0]!.row;
    const { spearman, regretPercent } = judgeFit(
      list.map((c) => c.run),
      () => k,
    );
    const least = (of: (c: CellRun) => number): CellRun => list.reduce((a, b) => (of(b) < of(a) ? b : a));
    const [best, chosen] = [least((c) => c.run.us), least((c) => predictRun(c.run, k))];
    lines.push(
      `${heads} ${cell!.rows} rows, ${cell!.tokens} tokens: ${list.length} shapes, rank correlation ${spearman}; best ${shape(best)} ${best.run.us.toFixed(1)} us, the model's ${shape(chosen)} ${chosen.run.us.toFixed(1)} us (+${regretPercent} %)`,
    );
    judged.push({ heads, spearman, regret: 1 + regretPercent / 100 });
  }
  const mean = (list: typeof judged): string =>
    `${list.length} cells, rank correlation ${(list.reduce((s, j) => s + j.spearman, 0) / list.length).toFixed(3)} in the mean, the model's choice ${(100 * (geometricMean(list.map((j) => j.regret)) - 1)).toFixed(1)} % slower than the best (geometric mean)`;
  for (const [heads, list] of Map.groupBy(judged, (j) => j.heads)) lines.push(`${heads}: ${mean(list)}`);
  lines.push(`all: ${mean(judged)}`);
  const off = judgeFit(
    cells.map((c) => c.run),
    () => k,
  );
  lines.push(`predicted times of all ${cells.length} runs: ${off.rmsPercent} % off (root mean square)`);
  return lines;
}

const shape = (c: CellRun): string => Object.values(c.row.tile).join('x');

/** Winners of one head configuration: measured where it was measured, between the cells the model scaled by the nearest one. */
export function measuredTable(cells: readonly CellRun[], device: DeviceDescription): TunedTable {
  const { row } = cells[0]!;
  const [q, kv] = row.heads.split('/').map(Number) as [number, number];
  const shapes = [...Map.groupBy(cells, shape).values()];
  // As the kernel names its numbers; the fit's own have what the lowering reads besides.
  const configurations = shapes.map((list) => ({
    ...list[0]!.run.launches[0]!.configuration,
    tile: list[0]!.row.tile,
  }));
  const places = [...new Map(cells.map((c) => [c.run.group, c.row.cell!])).entries()];
  const distance = (cell: { rows: number; tokens: number }, rows: number, tokens: number): number =>
    Math.abs(Math.log2(cell.rows / rows)) + Math.abs(Math.log2(cell.tokens / tokens));
  const times = (rows: number, tokens: number): number[] => {
    const [group, cell] = places.reduce((a, b) =>
      distance(b[1], rows, tokens) < distance(a[1], rows, tokens) ? b : a,
    );
    return shapes.map((list, i) => {
      const near = list.find((c) => c.run.group === group);
      // Not measured there: no winner.
      if (!near) return Infinity;
      const time = (r: number, t: number): number => cellTime(configurations[i]!, device, r, t);
      return (near.run.us * time(rows, tokens)) / time(cell.rows, cell.tokens);
    });
  };
  const all: CellTimes[] = rowEnds.flatMap((rows) =>
    tokenEnds.map((tokens) => ({ rows, tokens, times: times(rows, tokens) })),
  );
  const facts = {
    program: pat.name,
    kernel: forward.name,
    target: row.target,
    device: device.id,
    from: 'measured',
    spec: { headDim: row.headDim, group: q / kv, kvHeads: kv, page: row.page, dtype: row.dtype },
  } as const;
  return makeTable(facts, all, configurations);
}

const choiceRow = z.object({
  tree: z.string(),
  heads: z.string(),
  choice: z.enum(['fixed', 'tuned', 'planned', 'paper']),
  tile: z.record(z.string(), z.number()),
  graphUs: z.number(),
  verified: z.boolean(),
});

/** How the ways to choose shapes compare, over the trees that all of them were measured on. */
export function describeChoices(text: string): string[] {
  const rows = jsonLines(text)
    .map((line) => choiceRow.parse(line))
    .filter((r) => r.verified);
  const name = (r: (typeof rows)[number]): string =>
    r.choice === 'fixed' ? `${showTile(r.tile as Tile)} alone` : r.choice;
  const lines: string[] = [];
  for (const [heads, list] of [...Map.groupBy(rows, (r) => r.heads), ['all', rows] as const]) {
    const names = [...new Set(list.map(name))];
    const cases = [...Map.groupBy(list, (r) => `${r.tree} ${r.heads}`).values()]
      .map((of) => new Map(of.map((r) => [name(r), r.graphUs])))
      .filter((of) => names.every((n) => of.has(n)));
    if (cases.length === 0) continue;
    const mean = (n: string): number => geometricMean(cases.map((c) => c.get(n)!));
    const base = names.includes('tuned') ? 'tuned' : 'planned';
    const fixed = names.filter((n) => n.endsWith('alone'));
    const single = fixed.reduce<string | undefined>(
      (a, b) => (a === undefined || mean(b) < mean(a) ? b : a),
      undefined,
    );
    const each = (n: string): string => `${n} ${(mean(n) / mean(base)).toFixed(3)}`;
    lines.push(
      `${heads}, ${cases.length} trees, time over '${base}' (geometric mean): ${names
        .sort((a, b) => mean(a) - mean(b))
        .map(each)
        .join(', ')}${single ? `; the best single fixed shape is ${single}` : ''}`,
    );
  }
  return lines;
}

function ship(made: readonly TunedTable[]): void {
  const file = new URL('../compiler/tune/defaults/tables.json', import.meta.url);
  const old = z.array(tableSchema).parse(JSON.parse(readFileSync(file, 'utf8')));
  const replaced = (t: TunedTable): boolean =>
    made.some(
      (m) => m.device === t.device && m.target === t.target && m.spec['headDim'] === t.spec['headDim'],
    );
  const all = [...made, ...old.filter((t) => !replaced(t))];
  writeFileSync(file, `[\n${all.map((t) => JSON.stringify(t)).join(',\n')}\n]\n`);
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      choices: { type: 'string' },
      table: { type: 'boolean', default: false },
      keep: { type: 'boolean', default: false },
      json: { type: 'string' },
    },
  });
  if (positionals[0] !== undefined) {
    const recorded = readRecorded(positionals[0]);
    const rows = recorded.rows.filter((r) => r.cell !== undefined);
    const { runs, device, family } = runsOf({ ...recorded, rows });
    const cells = rows.map((row, i): CellRun => ({ row, run: runs[i]! }));
    for (const line of describeCells(cells, family)) console.log(line);
    if (values.table || values.keep) {
      const made = [...Map.groupBy(cells, (c) => c.row.heads).values()].map((c) => measuredTable(c, device));
      if (values.keep) made.forEach(keepTable);
      else ship(made);
      for (const t of made)
        console.log(
          `table of ${t.device} ${t.target}, group ${t.spec['group']}: ${t.tiles.map(showTile).join('  ')}`,
        );
    }
    if (values.json !== undefined) {
      const { device, commit, command } = recorded;
      const head = JSON.stringify({ schema: 1, device, commit, command }, null, 2).slice(0, -2);
      const lines = rows.map((r) => `    ${JSON.stringify(r)}`).join(',\n');
      writeFileSync(values.json, `${head},\n  "rows": [\n${lines}\n  ]\n}\n`);
    }
  }
  if (values.choices !== undefined)
    for (const line of describeChoices(readFileSync(values.choices, 'utf8'))) console.log(line);
}
