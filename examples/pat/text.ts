/** `patc plan` in a terminal: which packs read which tokens for whom, bytes against the minimum, load per unit. */
import { entryInts } from './packlist.ts';
import type { Plan } from './plan.ts';
import { forestNodes } from './packers/nodes.ts';
import { predict } from './predict.ts';
import { summarise } from './summary.ts';
import { packInts, packRows, type PlanTables } from './tables.ts';

const shownPacks = 40;
const shownEntries = 6;
const shownNodes = 24;

export function planText(plan: Plan, planUs: number): string {
  const { batch, tables } = plan;
  const s = summarise(plan, planUs);
  const heads = `${batch.qHeads}/${batch.kvHeads} heads, head dim ${batch.headDim}, page ${batch.page}, ${batch.dtype}`;
  const lines = [`batch: ${batch.lengths.length} sequences, ${heads}`, '', ...forestText(plan), ''];
  const shapes = tables.shapes
    .map((r) => `${r.packCount} of ${r.tile.m} rows x ${r.tile.n} tokens`)
    .join(', ');
  lines.push(
    `packs: ${s.packs} (${shapes || 'none'}), packing ${plan.packing}; ${tables.slots} partial slots for ${tables.merges.length / 3} sequences`,
  );
  for (let p = 0; p < Math.min(shownPacks, packRows(tables)); p++) lines.push(packText(tables, p));
  if (packRows(tables) > shownPacks) lines.push(`  … ${packRows(tables) - shownPacks} more`);
  const ratio = (bytes: number) => (s.uniqueKvBytes > 0 ? `${(bytes / s.uniqueKvBytes).toFixed(2)}x` : '-');
  lines.push(
    '',
    `KV bytes   minimum ${size(s.uniqueKvBytes)}   this plan ${size(s.readKvBytes)} (${ratio(s.readKvBytes)})   one query per block ${size(s.separateKvBytes)} (${ratio(s.separateKvBytes)})`,
    ...loadText(plan),
    `predicted  ${s.predictedUs.toFixed(1)} us on ${plan.costs.units} units; planned in ${planUs.toFixed(0)} us; coverage exact`,
  );
  return lines.join('\n');
}

export function size(bytes: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB'];
  let i = 0;
  while (bytes >= 1000 && i < units.length - 1) {
    bytes /= 1000;
    i++;
  }
  return `${i === 0 ? bytes : bytes.toFixed(1)} ${units[i]}`;
}

/** Shared nodes as an indented tree; private tails in one line per parent. */
function forestText({ batch, forest }: Plan): string[] {
  const nodes = forestNodes(batch, forest);
  const depth: number[] = [];
  const tails = new Map<number, { count: number; tokens: number; longest: number }>();
  const lines: { at: number; text: string }[] = [];
  nodes.forEach((n, i) => {
    depth[i] = n.parent < 0 ? 0 : depth[n.parent]! + 1;
    const tokens = n.to - n.from;
    if (n.end - n.begin > 1) {
      const ends = n.ending > 0 ? `, ${n.ending} end here` : '';
      lines.push({
        at: i,
        text: `${'  '.repeat(depth[i]! + 1)}${tokens} tokens shared by ${n.end - n.begin}${ends}`,
      });
      return;
    }
    const t = tails.get(n.parent) ?? { count: 0, tokens: 0, longest: 0 };
    tails.set(n.parent, {
      count: t.count + 1,
      tokens: t.tokens + tokens,
      longest: Math.max(t.longest, tokens),
    });
  });
  const tail = (parent: number): string[] => {
    const t = tails.get(parent);
    if (!t) return [];
    const indent = '  '.repeat(parent < 0 ? 1 : depth[parent]! + 2);
    return [`${indent}${t.count} private, ${t.tokens} tokens in all, the longest ${t.longest}`];
  };
  const shown = lines.slice(0, shownNodes).flatMap((l) => [l.text, ...tail(l.at)]);
  const more = lines.length > shownNodes ? [`  … ${lines.length - shownNodes} more shared nodes`] : [];
  return [`forest: ${nodes.length} nodes, ${lines.length} shared`, ...shown, ...tail(-1), ...more];
}

function packText(t: PlanTables, p: number): string {
  const [begin, count, from, to] = t.packs.subarray(p * packInts, (p + 1) * packInts) as unknown as [
    number,
    number,
    number,
    number,
  ];
  const tile = t.shapes.find((s) => p < s.packBase + s.packCount)!.tile;
  const entries: string[] = [];
  for (let e = from; e < Math.min(to, from + shownEntries); e++) {
    const [, low, high, first, rows] = t.entries.subarray(e * entryInts, (e + 1) * entryInts) as unknown as [
      number,
      number,
      number,
      number,
      number,
    ];
    // A lane that has nothing to read.
    if (rows === 0) continue;
    const who =
      rows === count
        ? 'all'
        : rows === 1
          ? `#${t.packSequences[begin + first]}`
          : `${rows} from #${t.packSequences[begin + first]}`;
    entries.push(`[${low},${high}) ${who}`);
  }
  if (to - from > shownEntries) entries.push(`… ${to - from - shownEntries} more`);
  const partials = t.packSlots.subarray(begin, begin + count).filter((s) => s >= 0).length;
  return `  ${String(p).padStart(4)}  ${`${tile.m}x${tile.n}`.padEnd(7)} ${count} sequence${count === 1 ? '' : 's'}${partials ? `, ${partials} partial` : ''}: ${entries.join('  ')}`;
}

/** Units by load, as a histogram of at most ten lines. */
function loadText(plan: Plan): string[] {
  const load = [...predict(plan).load].sort((a, b) => b - a);
  if (load.length === 0 || load[0] === 0) return [];
  const most = load[0]!;
  const mean = load.reduce((a, b) => a + b, 0) / load.length;
  const bar = (x: number) => '#'.repeat(Math.max(0, Math.round((x / most) * 30)));
  const lines = [`load       heaviest unit ${(most / mean).toFixed(2)}x the mean`];
  const rows = Math.min(8, load.length);
  for (let i = 0; i < rows; i++) {
    const lo = Math.floor((i * load.length) / rows);
    const hi = Math.floor(((i + 1) * load.length) / rows);
    const part = load.slice(lo, hi);
    const average = part.reduce((a, b) => a + b, 0) / part.length;
    lines.push(
      `           ${String(part.length).padStart(4)} units ${bar(average).padEnd(30)} ${(average / 1e6).toFixed(1)} us`,
    );
  }
  return lines;
}
