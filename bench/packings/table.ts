/** The comparison as text: microseconds of `auto`, the others as multiples of it, geometric means last. */
import { packings, type Packing } from '../../examples/pat/index.ts';
import { geometricMean } from '../peers.ts';

export interface PackingRow {
  readonly kind: string;
  readonly tree: string;
  readonly heads: string;
  readonly page: number;
  readonly packing: Packing;
  readonly packs: number;
  readonly splits: number;
  readonly tiles: readonly string[];
  readonly predictedUs: number;
  /** Median around one graph replay; null where nothing was timed. */
  readonly graphUs: number | null;
  readonly verified: boolean | null;
}

export function packingTable(title: string, rows: readonly PackingRow[]): string {
  const timed = rows.some((r) => r.graphUs !== null);
  const usOf = (r: PackingRow): number => (timed ? (r.graphUs ?? NaN) : r.predictedUs);
  const cases = [...Map.groupBy(rows, (r) => `${r.tree} ${r.heads}`).values()];
  const others = packings.slice(1);
  const ratio = (of: readonly PackingRow[], packing: Packing): number => {
    const [auto, other] = [of.find((r) => r.packing === 'auto')!, of.find((r) => r.packing === packing)!];
    return usOf(other) / usOf(auto);
  };
  const head = ['case', 'auto us', 'predicted', ...others.map((p) => `${p}/auto`), ''];
  const lines = cases.map((of) => {
    const auto = of.find((r) => r.packing === 'auto')!;
    return [
      `${auto.tree} ${auto.heads}`,
      usOf(auto).toFixed(1),
      auto.predictedUs.toFixed(1),
      ...others.map((p) => ratio(of, p).toFixed(2)),
      of.every((r) => r.verified !== false) ? '' : 'NOT VERIFIED',
    ];
  });
  const kinds = [...new Set(rows.map((r) => r.kind)), 'all'];
  const means = kinds.map((kind) => {
    const of = cases.filter((c) => kind === 'all' || c[0]!.kind === kind);
    const summary = others.map((p) => {
      const ratios = of.map((c) => ratio(c, p));
      return `${p} ${geometricMean(ratios)?.toFixed(2) ?? '-'} (faster in ${ratios.filter((x) => x < 1).length})`;
    });
    return `${kind}, ${of.length} cases, ${timed ? 'measured' : 'predicted'} time over auto's, geometric mean: ${summary.join(', ')}`;
  });
  const widths = head.map((h, i) => Math.max(h.length, ...lines.map((l) => l[i]!.length)));
  const show = (line: readonly string[]): string =>
    line
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join('  ')
      .trimEnd();
  const checked = rows.filter((r) => r.verified !== null);
  const verified =
    checked.length > 0
      ? [`${checked.filter((r) => r.verified).length} of ${checked.length} runs verified`]
      : [];
  return [title, show(head), ...lines.map(show), '', ...means, ...verified].join('\n');
}
