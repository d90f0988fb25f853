/** The plan in a terminal. Two sequences share a line where there is colour: upper and lower half of a block. */
import { stripVTControlCharacters } from 'node:util';
import pc from 'picocolors';
import {
  hueOf,
  segmentsOf,
  tokensRead,
  tokensServed,
  type PackJson,
  type PlanJson,
} from '../../examples/pat/draw/picture.ts';

const plotWidth = 76;

/** HSL to the escape of a 24-bit colour. */
function rgb(hue: number, lightness: number): string {
  const channel = (n: number): number => {
    const k = (n + hue / 30) % 12;
    const a = 0.62 * Math.min(lightness, 1 - lightness);
    return Math.round(255 * (lightness - a * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
  };
  return `2;${channel(0)};${channel(8)};${channel(4)}`;
}

interface Cell {
  readonly pack: number;
  readonly shared: boolean;
}

/** One row of the chart per sequence, in forest order. */
function rowsOf(plan: PlanJson, order: Int32Array): (Cell | undefined)[][] {
  const segments = segmentsOf(plan.packs, order.length);
  const longest = Math.max(1, ...segments.map((list) => list.at(-1)?.to ?? 0));
  return Array.from(order, (s) =>
    Array.from({ length: plotWidth }, (_, x) => {
      const token = ((x + 0.5) / plotWidth) * longest;
      const found = segments[s]!.find((g) => token >= g.from && token < g.to);
      return found && { pack: found.pack, shared: found.readers > 1 };
    }),
  );
}

const paint = (c: Cell): string => rgb(hueOf(c.pack), c.shared ? 0.6 : 0.3);

function coloured(upper: readonly (Cell | undefined)[], lower: readonly (Cell | undefined)[] = []): string {
  let line = '';
  for (let x = 0; x < plotWidth; x++) {
    const [a, b] = [upper[x], lower[x]];
    if (a && b) line += `\x1b[38;${paint(a)};48;${paint(b)}m▀\x1b[0m`;
    else if (a) line += `\x1b[38;${paint(a)}m▀\x1b[0m`;
    else if (b) line += `\x1b[38;${paint(b)}m▄\x1b[0m`;
    else line += ' ';
  }
  return line.trimEnd();
}

const plain = (row: readonly (Cell | undefined)[]): string =>
  row
    .map((c) => (c ? (c.shared ? '█' : '▒') : ' '))
    .join('')
    .trimEnd();

export function drawForest(plan: PlanJson, order: Int32Array): string {
  const rows = rowsOf(plan, order);
  const lines: string[] = [];
  if (pc.isColorSupported)
    for (let i = 0; i < rows.length; i += 2) lines.push(coloured(rows[i]!, rows[i + 1]));
  else lines.push(...rows.map(plain));
  const key = pc.isColorSupported
    ? 'one colour per pack; bright: read once for several sequences; dark: for one'
    : '█ read once for several sequences, ▒ for one';
  return [
    ...lines.map((l) => `  ${l}`),
    pc.dim(`  ${'tokens →'.padEnd(plotWidth - key.length + 9)}`),
    pc.dim(`  ${key}`),
  ].join('\n');
}

const sideBySide = (cells: readonly string[], widths: readonly number[]): string =>
  cells
    .map((c, i) => ' '.repeat(Math.max(0, widths[i]! - stripVTControlCharacters(c).length)) + c)
    .join('  ');

export function drawPacks(packs: readonly PackJson[], group: number, most = 16): string {
  const widths = [4, 10, 9, 12, 11, 10];
  const head = ['pack', 'sequences', 'rows', 'tile', 'tokens read', 'for', ''];
  const biggest = Math.max(1, ...packs.map(tokensServed));
  const line = (pack: PackJson, p: number): string => {
    const [read, served] = [tokensRead(pack), tokensServed(pack)];
    const bar = (n: number): string => '█'.repeat(Math.round((n / biggest) * 24));
    const colour = (s: string): string =>
      pc.isColorSupported ? `\x1b[38;${rgb(hueOf(p), 0.55)}m${s}\x1b[0m` : s;
    const { m, n } = pack.tile;
    const cells = [
      String(p),
      String(pack.sequences.length),
      String(pack.sequences.length * group),
      `${m} x ${n}`,
      String(read),
      String(served),
      colour(bar(read)) + pc.dim('░'.repeat(Math.max(0, bar(served).length - bar(read).length))),
    ];
    return `  ${sideBySide(cells, widths)}`;
  };
  const lines = packs.slice(0, most).map(line);
  if (packs.length > most) lines.push(pc.dim(`  … ${packs.length - most} more`));
  return [pc.dim(`  ${sideBySide(head, widths)}`), ...lines].join('\n');
}

export function drawBytes({ plan }: PlanJson): string {
  const rows: [string, number, (s: string) => string][] = [
    ['every byte once (minimum)', plan.uniqueKvBytes, pc.green],
    ['this plan', plan.readKvBytes, pc.cyan],
    ['one query per block', plan.separateKvBytes, pc.red],
  ];
  const most = Math.max(1, ...rows.map(([, n]) => n));
  return rows
    .map(([name, n, colour]) => {
      const bar = colour('█'.repeat(Math.max(1, Math.round((n / most) * 36))));
      const times = plan.uniqueKvBytes > 0 ? `${(n / plan.uniqueKvBytes).toFixed(2)}x` : '';
      return `  ${name.padEnd(27)}${(n / 2 ** 20).toFixed(1).padStart(7)} MiB ${times.padStart(7)}  ${bar}`;
    })
    .join('\n');
}
