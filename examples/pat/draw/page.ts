/** A plan as one self-contained page, and what a run of it gave. No script, nothing from the network. */
import { legend, paletteOf, type Palette } from './colour.ts';
import { segmentsOf, tokensRead, tokensServed, type PlanJson } from './picture.ts';
import { timelinePicture, timelineText } from './timeline.ts';
import type { Prediction } from '../predict.ts';

export interface Ran {
  readonly device: string;
  readonly launches: number;
  readonly took: string;
  readonly ok: boolean;
  readonly relError: number;
  readonly tolerance: number;
}

export interface PlanPage {
  readonly workload: string;
  readonly flags: Readonly<Record<string, string>>;
  /** Query heads per KV head: rows of a pack per sequence. */
  readonly group: number;
  readonly plan: PlanJson;
  /** Sequences in forest order. */
  readonly order: Int32Array;
  /** Who does what when, by the cost model. */
  readonly prediction?: Prediction;
  readonly emitted?: readonly { path: string; lines: number; text: string }[];
  readonly ran?: Ran;
}

const escape = (text: string): string =>
  text.replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c]!);
const number = (n: number): string => n.toLocaleString('en');
const mib = (n: number): string => `${(n / 2 ** 20).toFixed(1)} MiB`;

const style = `
:root { color-scheme: light dark; --ink: light-dark(#1d2430, #e6e9ef); --dim: light-dark(#5c6675, #9aa4b2);
  --line: light-dark(#dfe3e9, #2e3642); --panel: light-dark(#f7f8fa, #1a1f27); --back: light-dark(#fff, #12161c); }
body { margin: 0 auto; max-width: 68rem; padding: 2.5rem 1.5rem 4rem; background: var(--back); color: var(--ink);
  font: 16px/1.55 system-ui, sans-serif; }
h1 { font-size: 1.9rem; margin: 0 0 .3rem; } h2 { font-size: 1.2rem; margin: 2.6rem 0 .4rem; }
p { margin: .3rem 0 .9rem; color: var(--dim); max-width: 46rem; }
svg { display: block; width: 100%; height: auto; } svg text { fill: var(--ink); font: 12px system-ui, sans-serif; }
svg .dim { fill: var(--dim); } svg .grid { stroke: var(--line); } svg .seg:hover { stroke: var(--ink); stroke-width: 1.5; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .8rem; margin: 1.4rem 0; }
.facts div { background: var(--panel); border: 1px solid var(--line); border-radius: 10px; padding: .7rem .9rem; }
.facts b { display: block; font-size: 1.35rem; font-variant-numeric: tabular-nums; } .facts b + span { color: var(--dim); font-size: .85rem; }
details { border: 1px solid var(--line); border-radius: 10px; margin: .6rem 0; background: var(--panel); }
summary { cursor: pointer; padding: .6rem .9rem; font-family: ui-monospace, monospace; font-size: .9rem; }
pre { overflow: auto; max-height: 34rem; margin: 0; padding: .9rem; border-top: 1px solid var(--line); font: 12px/1.45 ui-monospace, monospace; }
.key::before { content: ''; display: inline-block; width: .8em; height: .8em; margin: 0 .35em 0 .6em; border-radius: 3px; background: var(--key); }
.ok { color: light-dark(#15803d, #4ade80); } .bad { color: light-dark(#b91c1c, #f87171); }
`;

export function planPage(d: PlanPage): string {
  const { plan, ran, prediction, emitted = [] } = d;
  const palette = paletteOf(plan.packs);
  const times = (n: number): string => `${(n / Math.max(1, plan.plan.uniqueKvBytes)).toFixed(2)}×`;
  const facts: [string, string][] = [
    [String(d.order.length), 'sequences'],
    [String(plan.packs.length), 'packs'],
    [String(plan.plan.splits), 'partial results to merge'],
    [times(plan.plan.readKvBytes), 'of the least KV bytes read'],
    [times(plan.plan.separateKvBytes), 'with one query per block'],
    ...(ran
      ? [
          [
            `<span class="${ran.ok ? 'ok' : 'bad'}">${ran.ok ? 'verified' : 'wrong'}</span>`,
            'against float64',
          ] as [string, string],
        ]
      : []),
  ];
  const words = (name: string): string => name.replace(/[A-Z]/g, (c) => ` ${c.toLowerCase()}`);
  const given = Object.entries(d.flags).map(([name, value]) => `${words(name)} ${value}`);
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>patc: ${escape(d.workload)}</title><style>${style}</style>
<h1>Attention over a forest of shared prefixes</h1>
<p>Workload <code>${escape(d.workload)}</code>: ${escape(given.join(', '))}.${ran ? escape(ranText(ran)) : ''}</p>
<div class="facts">${facts.map(([value, name]) => `<div><b>${value}</b><span>${name}</span></div>`).join('')}</div>
<h2>The forest, and the packs that read it</h2>
<p>A line per sequence, tokens to the right; sequences with a common prefix lie next to each other. A shade is a pack, a
colour its tile shape. Full colour: tokens that the pack reads once for several sequences. Pale: a sequence's own tokens.</p>
<p>${legend(palette)}</p>
${forestPicture(plan, d.order, palette)}
<h2>Packs</h2>
<p>Solid: tokens that a pack reads. Outline: tokens that its sequences would read one by one. The tile shape is query rows × tokens per
step.</p>
${packsPicture(plan, d.group, palette)}
${prediction ? `<h2>Predicted timeline</h2>\n<p>${timelineText(prediction)}</p>\n${timelinePicture(prediction, palette)}` : ''}
<h2>KV bytes read</h2>
${bytesPicture(plan)}
${emitted.length ? '<h2>Emitted code</h2><p>What the compiler wrote for this batch.</p>' : ''}
${emitted
  .map(
    (f) =>
      `<details><summary>${escape(f.path)} · ${f.lines} lines</summary><pre>${escape(f.text)}</pre></details>`,
  )
  .join('\n')}
</html>
`;
}

const ranText = (r: Ran): string =>
  ` Ran on ${r.device} in ${r.launches} launch${r.launches === 1 ? '' : 'es'}; relative error ${r.relError.toExponential(2)}, at most ${r.tolerance}.`;

function forestPicture(plan: PlanJson, order: Int32Array, palette: Palette): string {
  const segments = segmentsOf(plan.packs, order.length);
  const longest = segments.reduce((most, list) => Math.max(most, list.at(-1)?.to ?? 0), 1);
  // As high as a screen or two, whatever the number of sequences.
  const [left, width, row, top] = [44, 940, Math.max(0.5, Math.min(9, 1300 / order.length)), 22];
  const gap = row > 3 ? 1 : 0;
  const x = (token: number): number => left + (token / longest) * width;
  const parts: string[] = [];
  const step = tickStep(longest);
  const bottom = top + order.length * row;
  for (let t = 0; t <= longest; t += step) {
    parts.push(`<line class="grid" x1="${x(t)}" x2="${x(t)}" y1="${top - 4}" y2="${bottom}"/>`);
    parts.push(`<text class="dim" x="${x(t)}" y="${top - 8}" text-anchor="middle">${number(t)}</text>`);
  }
  // What one entry reads for neighbours is one rectangle, so that sharing is seen as sharing.
  for (const { s, y, height, g } of rectangles(segments, order)) {
    const who = height > 1 ? `${height} sequences from #${s}` : `#${s}`;
    parts.push(
      `<rect class="seg" x="${x(g.from).toFixed(1)}" y="${(top + y * row).toFixed(1)}" width="${Math.max(0.8, x(g.to) - x(g.from) - 0.6).toFixed(1)}" height="${(height * row - gap).toFixed(1)}" rx="${gap ? 1.5 : 0}" fill="${palette.of(g.pack, g.readers > 1)}"><title>pack ${g.pack}: tokens ${g.from}–${g.to} of ${who}</title></rect>`,
    );
  }
  return `<svg viewBox="0 0 ${left + width + 16} ${bottom + 6}" role="img" aria-label="The forest">${parts.join('')}</svg>`;
}

type Segments = ReturnType<typeof segmentsOf>;

/** Segments of one entry, joined where its sequences are neighbours in forest order. */
function rectangles(segments: Segments, order: Int32Array) {
  const open = new Map<string, { s: number; y: number; height: number; g: Segments[number][number] }>();
  const done: { s: number; y: number; height: number; g: Segments[number][number] }[] = [];
  order.forEach((s, y) => {
    for (const g of segments[s]!) {
      const key = `${g.pack} ${g.entry}`;
      const last = open.get(key);
      if (last && last.y + last.height === y) last.height++;
      else {
        const fresh = { s, y, height: 1, g };
        open.set(key, fresh);
        done.push(fresh);
      }
    }
  });
  return done;
}

const tickStep = (most: number): number => {
  const power = 10 ** Math.floor(Math.log10(most / 4));
  return [1, 2, 5, 10].map((f) => f * power).find((s) => most / s <= 8) ?? power * 10;
};

function packsPicture({ packs }: PlanJson, group: number, palette: Palette): string {
  const shown = packs.slice(0, 48);
  const most = Math.max(1, ...shown.map(tokensServed));
  const [left, width, row] = [250, 600, 20];
  const bar = (n: number): string => ((n / most) * width).toFixed(1);
  const lines = shown.map((pack, p) => {
    const y = p * row;
    const [read, served] = [tokensRead(pack), tokensServed(pack)];
    const rows = pack.sequences.length * group;
    const label = `pack ${p}: ${pack.sequences.length} seq, ${rows} of ${pack.tile['m']} rows × ${pack.tile['n']}`;
    return `<text x="0" y="${y + 14}">${label}</text><rect x="${left}" y="${y + 3}" width="${bar(served)}" height="14" rx="2" fill="none" class="grid" stroke-dasharray="3 2"/><rect x="${left}" y="${y + 3}" width="${bar(read)}" height="14" rx="2" fill="${palette.of(p, true)}"/><text class="dim" x="${left + Number(bar(served)) + 8}" y="${y + 14}">${number(read)} for ${number(served)}</text>`;
  });
  const more = packs.length - shown.length;
  const rest =
    more > 0 ? `<text class="dim" x="0" y="${shown.length * row + 14}">… and ${more} more</text>` : '';
  return `<svg viewBox="0 0 1000 ${(shown.length + (more > 0 ? 1 : 0)) * row + 4}" role="img" aria-label="Packs">${lines.join('')}${rest}</svg>`;
}

function bytesPicture({ plan }: PlanJson): string {
  const rows: [string, number, string][] = [
    ['every byte once (minimum)', plan.uniqueKvBytes, 'hsl(145 45% 45%)'],
    ['this plan', plan.readKvBytes, 'hsl(200 65% 48%)'],
    ['one query per block', plan.separateKvBytes, 'hsl(5 60% 55%)'],
  ];
  const most = Math.max(1, ...rows.map(([, n]) => n));
  const lines = rows.map(([name, n, colour], i) => {
    const width = (n / most) * 600;
    const label = `${mib(n)} · ${(n / Math.max(1, plan.uniqueKvBytes)).toFixed(2)}×`;
    return `<text x="0" y="${i * 32 + 20}">${name}</text><rect x="200" y="${i * 32 + 4}" width="${width.toFixed(1)}" height="24" rx="4" fill="${colour}"/><text x="${210 + width}" y="${i * 32 + 20}">${label}</text>`;
  });
  return `<svg viewBox="0 0 1000 ${rows.length * 32}" role="img" aria-label="KV bytes read">${lines.join('')}</svg>`;
}
