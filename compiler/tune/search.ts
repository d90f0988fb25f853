/**
 * The search. Shapes are lowered in a seeded order, the default first; those that fit are predicted; on a device the best
 * predicted are run by successive halving (Jamieson and Talwalkar 2016): each round gives the better half three times the
 * repetitions, until three are left or the budget is spent. Every result is kept as it comes.
 */
import type { Lowering } from '../cli/lowering.ts';
import { tilesOf } from '../cli/tiles.ts';
import { PatcError } from '../diagnostics/error.ts';
import { Random } from '../ir/numeric.ts';
import type { KernelTemplate, Spec, Tile } from '../program.ts';
import { configure, isRefused, type Configuration } from './configuration.ts';
import type { DeviceDescription } from './devices.ts';
import { budgetOf, refusal, type Budget, type Rejection } from './feasibility.ts';
import type { Isolate, Outcome } from './isolate.ts';
import type { Records, TuneRecord } from './records.ts';

export interface Candidate {
  readonly tile: Tile;
  configuration?: Configuration;
  budget?: Budget;
  rejection?: Rejection;
  /** Of the whole workload in this one shape, microseconds. */
  predictedUs?: number;
  /** `cached`: known from an earlier run; later rounds may have run it longer since. */
  measured?: { us: number; error: number; repeats: number; cached: boolean };
  failure?: { why: string; cached: boolean };
}

/** The default shape, then the others as the seed shuffles them. */
export function shuffledTiles(template: KernelTemplate, seed: number, fixed: Tile = {}): Tile[] {
  const [first, ...rest] = tilesOf(template, fixed);
  const random = new Random(seed);
  for (let i = rest.length - 1; i > 0; i--) {
    const j = random.integer(0, i + 1);
    [rest[i], rest[j]] = [rest[j]!, rest[i]!];
  }
  return first ? [first, ...rest] : [];
}

export interface Surveyed {
  readonly candidates: Candidate[];
  /** Shapes that were not looked at. */
  readonly unseen: number;
}

/**
 * Lowers and predicts up to `most` shapes, until `until` (performance.now). `predict` throws PatcError where the host cannot plan
 * with the shape. The first shape is always looked at.
 */
export function survey(
  tiles: readonly Tile[],
  template: KernelTemplate,
  spec: Spec,
  lowering: Lowering,
  device: DeviceDescription,
  predict: (c: Configuration) => number,
  limits: { most: number; until: number },
): Surveyed {
  const candidates: Candidate[] = [];
  const seen = new Set<object>();
  let looked = 0;
  for (const tile of tiles) {
    if (candidates.length > 0 && (candidates.length >= limits.most || performance.now() > limits.until))
      break;
    looked++;
    const found = configure(lowering, template, spec, tile);
    if (isRefused(found)) {
      candidates.push({ tile, rejection: refusal(found) });
      continue;
    }
    // Shapes that a target cannot tell apart are one configuration.
    if (seen.has(found.kernel)) continue;
    seen.add(found.kernel);
    candidates.push(assess({ tile, configuration: found }, device, predict));
  }
  return { candidates, unseen: tiles.length - looked };
}

export function assess(
  { tile, configuration }: { tile: Tile; configuration: Configuration },
  device: DeviceDescription,
  predict: (c: Configuration) => number,
): Candidate {
  const budget = budgetOf(configuration, device);
  const same = { tile, configuration, budget };
  if (budget.rejection) return { ...same, rejection: budget.rejection };
  try {
    return { ...same, predictedUs: predict(configuration) };
  } catch (error) {
    if (!(error instanceof PatcError)) throw error;
    const d = error.diagnostics[0]!;
    return {
      ...same,
      rejection: {
        reason: 'cannot be planned with',
        arithmetic: d.message,
        fix: d.help ?? 'larger row tiles',
      },
    };
  }
}

export interface MeasureOptions {
  readonly isolate: Isolate;
  readonly records: Records;
  readonly keyOf: (c: Candidate) => string;
  readonly record: (c: Candidate, key: string, outcome: TuneRecord['outcome']) => TuneRecord;
  readonly ask: (c: Candidate, repeats: number, check: boolean) => Parameters<Isolate['run']>[0];
  readonly repeats: number;
  /** performance.now at which no further run starts. */
  readonly until: number;
  /** What one run may take. */
  readonly limitMs: number;
  readonly progress: (line: string) => void;
}

/** Fills in `measured` or `failure`; stops at `until`. What the cache knows is not run again. */
export async function measure(candidates: readonly Candidate[], o: MeasureOptions): Promise<void> {
  for (const c of candidates) recall(c, o);
  let alive = candidates
    .filter((c) => c.predictedUs !== undefined && !c.failure)
    .sort((a, b) => a.predictedUs! - b.predictedUs!);
  let repeats = o.repeats;
  for (let round = 0; alive.length > 0; round++) {
    for (const c of alive) {
      if (c.measured && (round === 0 || c.measured.repeats >= repeats)) continue;
      if (performance.now() > o.until) return;
      const left = Math.max(1000, o.until - performance.now() + 2000);
      const outcome = await o.isolate.run(o.ask(c, repeats, !c.measured), Math.min(o.limitMs, left));
      // The budget ran out: that says nothing about the candidate.
      if (!outcome.ok && left < o.limitMs && performance.now() > o.until) return;
      keep(c, outcome, repeats, o);
    }
    alive = alive.filter((c) => c.measured).sort((a, b) => a.measured!.us - b.measured!.us);
    if (alive.length <= 3) return;
    alive = alive.slice(0, Math.ceil(alive.length / 2));
    repeats *= 3;
  }
}

function recall(c: Candidate, o: MeasureOptions): void {
  if (c.predictedUs === undefined) return;
  const known = o.records.get(o.keyOf(c))?.outcome;
  if (known?.state === 'measured')
    c.measured = { us: known.us, error: known.error, repeats: known.repeats, cached: true };
  if (known?.state === 'failed') c.failure = { why: known.why, cached: true };
}

function keep(c: Candidate, outcome: Outcome, repeats: number, o: MeasureOptions): void {
  const key = o.keyOf(c);
  if (outcome.ok) {
    const error = c.measured?.error ?? outcome.error;
    c.measured = { us: outcome.us, error, repeats, cached: c.measured?.cached ?? false };
    o.records.put(o.record(c, key, { state: 'measured', us: outcome.us, repeats, error }));
    o.progress(`${describe(c.tile)}: ${outcome.us.toFixed(1)} us (predicted ${c.predictedUs!.toFixed(1)})`);
  } else if (!c.measured) {
    c.failure = { why: outcome.why, cached: false };
    o.records.put(o.record(c, key, { state: 'failed', why: outcome.why }));
    o.progress(`${describe(c.tile)}: ${outcome.why}`);
  }
}

const describe = (tile: Tile): string =>
  Object.entries(tile)
    .map(([name, value]) => `${name}=${value}`)
    .join(',');
