/** Why one configuration fits or not, what would, and what the model says of it. */
import type { Lowering } from '../cli/lowering.ts';
import { showTile } from '../cli/output.ts';
import type { KernelTemplate, Spec, Tile } from '../program.ts';
import { configure, isRefused, type Configuration } from './configuration.ts';
import type { DeviceDescription } from './devices.ts';
import { budgetOf, refusal } from './feasibility.ts';
import { fitOf } from './fits.ts';
import { blockTime, termsOf } from './model.ts';
import { askNvcc } from './nvcc.ts';
import type { ExplainJson } from './schemas.ts';

type Explained = ExplainJson['explained'][number];

export interface ExplainOptions {
  readonly device: DeviceDescription;
  readonly lowering: Lowering;
  readonly template: KernelTemplate;
  readonly spec: Spec;
  readonly tile: Tile;
  readonly nvcc: boolean;
}

/** The work that model terms are shown for. */
const shownTokens = 1024;

export async function explainTile(options: ExplainOptions): Promise<Explained> {
  const { device, lowering, template, spec, tile } = options;
  const found = configure(lowering, template, spec, tile);
  const same = {
    target: lowering.target.name,
    device: device.name,
    kernel: template.name,
    tile: { ...tile },
  };
  if (isRefused(found)) {
    const rejection = refusal(found);
    return {
      ...same,
      fits: false,
      rejection,
      binding: rejection.reason,
      blocksPerUnit: 0,
      residencyBound: rejection.reason,
      budget: refusedLines(found.diagnostic.notes ?? [], lowering.target.sharedBytes),
      neighbours: neighbours(options, undefined),
    };
  }
  const configuration = options.nvcc ? (await askNvcc([found]))[0]! : found;
  const budget = budgetOf(configuration, device);
  const { coefficients } = fitOf(device.family);
  const terms = termsOf(configuration, device, coefficients);
  const us = (seconds: number): number => Number((seconds * 1e6).toPrecision(4));
  const block = { rows: configuration.work.rows, tokens: shownTokens };
  return {
    ...same,
    fits: budget.rejection === undefined,
    ...(budget.rejection ? { rejection: budget.rejection } : {}),
    binding: budget.binding,
    blocksPerUnit: budget.blocksPerUnit,
    residencyBound: budget.residencyBound,
    budget: [...budget.lines],
    neighbours: neighbours(options, configuration),
    model: {
      issuePerStep: us(terms.issue),
      matrixPerStep: us(terms.matrix),
      busyPerStep: us(terms.busy),
      chainPerStep: us(terms.chain),
      fixedPerPiece: us(terms.piece),
      fixedPerBlock: us(terms.pack),
      launch: terms.startUs,
      blockOf1024: us(blockTime(configuration, device, coefficients, block)),
    },
  };
}

/** The lowering's notes say the bytes of every buffer. */
function refusedLines(notes: readonly { text: string }[], limit: number): Explained['budget'] {
  return notes.flatMap(({ text }) => {
    const match = /^(\S+): (.*) = ([\d,]+) B$/.exec(text);
    if (!match) return [];
    const need = Number(match[3]!.replaceAll(',', ''));
    return [
      {
        name: `shared: ${match[1]}`,
        need,
        limit,
        unit: 'B',
        ok: need <= limit,
        hard: true,
        arithmetic: match[2]!,
      },
    ];
  });
}

/** Shapes that differ in one number, one step of its candidates away, and fit; the ones predicted fastest first. */
function neighbours(options: ExplainOptions, own: Configuration | undefined): Explained['neighbours'] {
  const { lowering, template, spec, tile, device } = options;
  const { coefficients } = fitOf(device.family);
  const rows = own?.work.rows ?? 64;
  const found: { tile: Tile; changed: string; us: number }[] = [];
  const look = (candidate: Tile): boolean => {
    const c = configure(lowering, template, spec, candidate);
    if (isRefused(c) || budgetOf(c, device).rejection) return false;
    const seconds = blockTime(c, device, coefficients, { rows, tokens: shownTokens });
    const changed = Object.fromEntries(Object.entries(candidate).filter(([name, v]) => tile[name] !== v));
    found.push({ tile: candidate, changed: showTile(changed), us: Number((seconds * 1e6).toPrecision(4)) });
    return true;
  };
  for (const [name, candidates] of Object.entries(template.tile)) {
    const sorted = [...new Set([...candidates, tile[name]!])].sort((a, b) => a - b);
    const at = sorted.indexOf(tile[name]!);
    // On each side the nearest that fits.
    for (const side of [sorted.slice(0, at).reverse(), sorted.slice(at + 1)])
      side.some((value) => look({ ...tile, [name]: value }));
  }
  if (found.length === 0) {
    const sizes = Object.entries(template.tile).map(
      ([name, c]) => [name, [...c].sort((a, b) => b - a)] as const,
    );
    let candidate = { ...tile };
    // Nothing fits one number away: shrink the number that is largest against its least value, again and again.
    for (let tries = 0; tries < 16; tries++) {
      const smaller = sizes
        .map(([name, c]) => [name, c.find((v) => v < candidate[name]! && v > 0)] as const)
        .filter((x): x is readonly [string, number] => x[1] !== undefined)
        .sort((a, b) => candidate[b[0]]! - candidate[a[0]]!);
      if (smaller.length === 0) break;
      candidate = { ...candidate, [smaller[0]![0]]: smaller[0]![1] };
      if (look(candidate)) break;
    }
  }
  return found
    .sort((a, b) => a.us - b.us)
    .slice(0, 6)
    .map((f) => ({ tile: { ...f.tile }, changed: f.changed, us: f.us }));
}
