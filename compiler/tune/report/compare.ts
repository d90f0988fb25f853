/** Two tuning runs side by side. */
import { showTile } from '../../cli/output.ts';
import type { ReportJson, TuneJson } from '../schemas.ts';
import { lookUp } from '../table.ts';

const headline = (d: TuneJson): string =>
  `${d.program} ${d.workload ?? ''} on ${d.device.name}, ${d.target}, --on ${d.on}`;

const best = (d: TuneJson): number => d.best.measuredUs ?? d.best.predictedUs;

export function compareReports(a: TuneJson, b: TuneJson): ReportJson {
  const [first, second] = [a.table, b.table];
  const movedCells = (first?.rows ?? []).flatMap((rows) =>
    (first?.tokens ?? []).flatMap((tokens) => {
      if (!first || !second) return [];
      const [x, y] = [showTile(lookUp(first, rows, tokens)), showTile(lookUp(second, rows, tokens))];
      return x === y ? [] : [{ rows, tokens, a: x, b: y }];
    }),
  );
  const timeOf = (d: TuneJson, key: string): number | null => {
    const found = d.configurations.find((c) => `${c.kernel} ${showTile(c.tile)}` === key);
    return found?.measuredUs ?? found?.predictedUs ?? null;
  };
  const keys = new Map(
    [...a.configurations, ...b.configurations].map((c) => [`${c.kernel} ${showTile(c.tile)}`, c]),
  );
  return {
    ok: true,
    a: headline(a),
    b: headline(b),
    bestUs: { a: best(a), b: best(b), ratio: best(b) / best(a) },
    sameTable: movedCells.length === 0,
    movedCells,
    configurations: [...keys].map(([key, c]) => ({
      kernel: c.kernel,
      tile: c.tile,
      a: timeOf(a, key),
      b: timeOf(b, key),
    })),
  };
}
