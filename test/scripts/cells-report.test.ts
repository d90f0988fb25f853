import { describe, expect, it } from 'vitest';
import { predictRun } from '../../compiler/tune/fit.ts';
import { fitOf } from '../../compiler/tune/fits.ts';
import { findDevice } from '../../compiler/tune/devices.ts';
import { tableSchema } from '../../compiler/tune/schemas.ts';
import { lookUp } from '../../compiler/tune/table.ts';
import { winnersThatFit } from '../../compiler/tune/defaults.ts';
import { forward } from '../../examples/pat/index.ts';
import { describeCells, describeChoices, measuredTable, type CellRun } from '../../scripts/cells-report.ts';
import { runsOf, type MeasuredRow } from '../../scripts/measured-runs.ts';

const shapes = [
  { m: 16, n: 32, stages: 3, producers: 0, wgmma: 0 },
  { m: 64, n: 64, stages: 3, producers: 0, wgmma: 0 },
  { m: 64, n: 16, stages: 3, producers: 0, wgmma: 0 },
];
const cellRows: MeasuredRow[] = [
  [8, 256],
  [64, 1024],
].flatMap(([rows, tokens]) =>
  shapes.map((tile): MeasuredRow => ({
    tree: `cell ${rows} ${tokens}`,
    heads: '32/8',
    headDim: 128,
    page: 32,
    dtype: 'f16',
    target: 'cuda:sm_90a',
    tile,
    producers: 0,
    graphUs: 1,
    cell: { rows: rows!, tokens: tokens! },
    launches: [
      {
        kernel: forward.name,
        bytes: 264 * tokens! * 512,
        blocks: [{ rows: Math.min(rows!, tile.m), tokens: tokens!, count: 264 * Math.ceil(rows! / tile.m) }],
      },
    ],
  })),
);
const predicted = runsOf({ device: 'NVIDIA H100 80GB HBM3', rows: cellRows }).runs;
const k = fitOf('cuda').coefficients;
/** Runs that take what `us` makes of the prediction. */
const cells = (us: (p: number, row: MeasuredRow) => number): CellRun[] =>
  cellRows.map((row, i) => {
    const graphUs = us(predictRun(predicted[i]!, k), row);
    return { row: { ...row, graphUs }, run: { ...predicted[i]!, us: graphUs } };
  });

describe('the report on measured cells', () => {
  it('finds no fault with a model that was right, and says so of one that was not', () => {
    const right = describeCells(
      cells((p) => 1.5 * p),
      'cuda',
    );
    expect(right.find((l) => l.startsWith('all:'))).toContain(
      "2 cells, rank correlation 1.000 in the mean, the model's choice 0.0 %",
    );
    const wrong = describeCells(
      cells((p) => 100 / p),
      'cuda',
    );
    expect(wrong.find((l) => l.startsWith('all:'))).toContain('rank correlation -1.000');
  });

  it("makes a table of winners that planners take: the measured best in its cell, of the kernel's own shapes", () => {
    const favoured = cells((p, { cell, tile }) => (cell!.rows === 8 && tile['n'] === 16 ? p / 10 : p));
    const table = tableSchema.parse(measuredTable(favoured, findDevice('h100')));
    expect(table).toMatchObject({ from: 'measured', device: 'h100', spec: { group: 4, headDim: 128 } });
    expect(lookUp(table, 8, 256)).toEqual(shapes[2]);
    expect(winnersThatFit(table, forward, () => true)).toEqual(table.tiles);
  });

  it('compares choices over the trees that all were measured on, wrong results left out', () => {
    const row = (tree: string, choice: string, graphUs: number, tile = {}, verified = true): string =>
      JSON.stringify({ tree, heads: '32/8', choice, tile, graphUs, verified });
    const lines = describeChoices(
      [
        row('a', 'tuned', 10),
        row('a', 'paper', 20),
        row('a', 'fixed', 15, shapes[1]),
        row('a', 'fixed', 1, shapes[0], false),
        row('b', 'tuned', 10),
      ].join('\n'),
    );
    expect(lines[0]).toBe(
      "32/8, 1 trees, time over 'tuned' (geometric mean): tuned 1.000, m=64,n=64,stages=3,producers=0,wgmma=0 alone 1.500, paper 2.000; the best single fixed shape is m=64,n=64,stages=3,producers=0,wgmma=0 alone",
    );
  });
});
