/** The report for a terminal: the story in about twenty lines. */
import { showTile, table } from '../../cli/output.ts';
import type { TuneJson } from '../schemas.ts';

export const micro = (us: number): string =>
  us >= 10_000 ? `${(us / 1000).toFixed(1)} ms` : us >= 100 ? `${us.toFixed(0)} us` : `${us.toFixed(1)} us`;

export function summary(d: TuneJson, page: string | undefined): string {
  const count = (state: string): number => d.configurations.filter((c) => c.state === state).length;
  const rejected = count('rejected');
  const best = d.best.measuredUs ?? d.best.predictedUs;
  const how = d.best.measuredUs === undefined ? 'predicted' : 'measured';
  const lines = [
    `${d.program} on ${d.device.name}, ${d.target}: ${d.kernel}, workload ${d.workload ?? 'of the program'}`,
    `shapes: ${count('modelled') + count('measured')} fit, ${count('measured')} measured, ${rejected} rejected, ${count('failed')} failed, ${d.unseen} not looked at, in ${d.elapsedSeconds.toFixed(1)} s`,
    `best:   ${showTile(d.best.tile)}, ${how} ${micro(best)}; floor ${micro(d.floorUs)} (${(best / d.floorUs).toFixed(2)}x)`,
    ...d.comparisons.map((c) => `        ${c.name}: ${c.measured ? 'measured' : 'predicted'} ${micro(c.us)}`),
  ];
  if (d.table) lines.push('', ...winnerMap(d.table));
  const reasons = Map.groupBy(
    d.configurations.filter((c) => c.rejection),
    (c) => c.rejection!.reason,
  );
  if (reasons.size > 0) {
    const shown = [...reasons].sort((a, b) => b[1].length - a[1].length).slice(0, 3);
    lines.push('', `rejected: ${shown.map(([reason, list]) => `${list.length} for ${reason}`).join(', ')}`);
  }
  const { model: m } = d;
  lines.push(
    m.here
      ? `model:  here ${m.here.rmsPercent.toFixed(0)} % off over ${m.here.runs} shapes, rank correlation ${m.here.spearman?.toFixed(2) ?? 'undefined (the model tells no shape from another)'}`
      : m.runs === 0
        ? 'model:  not fitted on this family of devices: trust the order no further than the arithmetic behind it'
        : `model:  ${m.rmsPercent} % off where it was fitted (${m.heldOutRmsPercent} % on workloads held out), rank correlation ${m.spearman}; ${m.source}`,
  );
  if (page !== undefined) lines.push(`report: ${page}`);
  return lines.join('\n');
}

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';

/** Rows downwards, tokens to the right, a letter per shape. */
function winnerMap(t: NonNullable<TuneJson['table']>): string[] {
  const mark = (i: number): string => letters[i] ?? '*';
  const head = ['rows \\ tokens', ...t.tokens.map(String)];
  const body = t.rows.map((r, i) => [`up to ${r}`, ...t.winner[i]!.map(mark)]);
  const legend = t.tiles.map((tile, i) => `${mark(i)} ${showTile(tile)}`);
  return [table([head, ...body]), `  ${legend.join('   ')}`];
}
