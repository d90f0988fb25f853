/**
 * Whether a configuration can be good on a device: each resource it needs against what is there, in the order in which they
 * fail hardest. A configuration that misses a hard line cannot run; one that misses a soft line runs, and is predicted to run badly.
 */
import { showTile } from '../cli/output.ts';
import { diagnosticJson } from '../diagnostics/json.ts';
import type { Configuration, Refused } from './configuration.ts';
import { residency } from './configuration.ts';
import { figureOf, matrixRate, type DeviceDescription } from './devices.ts';

export interface BudgetLine {
  readonly name: string;
  readonly need: number;
  readonly limit: number;
  readonly unit: string;
  readonly ok: boolean;
  /** A hard line cannot be crossed; a soft one costs time. */
  readonly hard: boolean;
  readonly arithmetic: string;
}

export interface Rejection {
  /** What rejected configurations are grouped by. */
  readonly reason: string;
  readonly arithmetic: string;
  readonly fix: string;
}

export interface Budget {
  readonly lines: readonly BudgetLine[];
  readonly blocksPerUnit: number;
  /** What limits the number of resident blocks. */
  readonly residencyBound: string;
  readonly bytesInFlight: number;
  /** The hard line that it misses, if one. */
  readonly rejection?: Rejection;
  /** The soft or hard line with the least room. */
  readonly binding: string;
}

const n = (x: number): string => Math.round(x).toLocaleString('en');

export function budgetOf(c: Configuration, device: DeviceDescription): Budget {
  const { blocks, bound } = residency(c, device);
  const { work } = c;
  const registersPerThread = figureOf(device, 'registersPerThread');
  const used = Math.min(c.registers.perThread, registersPerThread);
  const units = figureOf(device, 'units');
  // Without asynchronous copies a step's loads are on their way once per step, for about half of the time.
  const flying = blocks * units * work.streamBytes * (c.ahead > 0 ? c.ahead : 0.5);
  const wanted = figureOf(device, 'bandwidth') * figureOf(device, 'latencyNs') * 1e-9;
  const roof = c.matrix === 'none' ? figureOf(device, 'vectorFlops') : matrixRate(device, c.matrix);
  const perByte = work.streamBytes > 0 ? work.matrixFlops / work.streamBytes : 0;
  const demand = perByte * figureOf(device, 'bandwidth');
  const lines: BudgetLine[] = [
    line('threads a block', c.threads, figureOf(device, 'threadsPerBlock'), '', true, `${c.threads} threads`),
    line(
      'shared memory a block',
      c.sharedBytes,
      figureOf(device, 'sharedPerBlock'),
      'B',
      true,
      [...c.kernel.shared]
        .sort((a, b) => b.bytes - a.bytes)
        .slice(0, 4)
        .map((b) => `${b.name} ${n(b.bytes)} B (${b.note})`)
        .join(', ') || 'none',
    ),
    line(
      'registers a thread',
      c.registers.perThread,
      registersPerThread,
      '',
      c.registers.from === 'nvcc' && c.registers.spillBytes > 0,
      c.registers.from === 'nvcc'
        ? `nvcc: ${c.registers.perThread}, ${c.registers.spillBytes} B spilled`
        : `estimated from what is alive at once; nvcc decides`,
      c.registers.from === 'nvcc' ? c.registers.spillBytes === 0 : undefined,
    ),
    line(
      'registers a unit',
      used * c.threads,
      figureOf(device, 'registersPerUnit'),
      '',
      true,
      `${used} * ${c.threads} threads`,
    ),
  ];
  for (const p of c.matrix !== 'none' ? work.products : []) {
    const ok = p.k % 16 === 0 && p.n % 8 === 0;
    lines.push({
      ...line('matrix instruction', 0, 0, '', false, `${p.m} x ${p.n} x ${p.k} in steps of 16 x 8 x 16`),
      ok,
      need: p.k,
      limit: 16,
    });
  }
  if (work.streamBytes > 0) {
    const stages = c.ahead > 0 ? `${c.ahead} of ${c.ahead + 1} stages` : 'half a step';
    lines.push({
      name: 'bytes in flight',
      need: wanted,
      limit: flying,
      unit: 'B',
      ok: flying >= wanted,
      hard: false,
      arithmetic: `Little: ${(figureOf(device, 'bandwidth') / 1e12).toFixed(2)} TB/s * ${figureOf(device, 'latencyNs')} ns = ${n(wanted)} B; ${units} units * ${blocks} blocks * ${n(work.streamBytes)} B * ${stages} = ${n(flying)} B`,
    });
  }
  if (work.matrixFlops > 0 && work.streamBytes > 0) {
    lines.push({
      name: 'compute roof',
      need: demand / 1e12,
      limit: roof / 1e12,
      unit: 'TFLOP/s',
      ok: demand <= roof,
      hard: false,
      arithmetic: `${perByte.toFixed(1)} FLOP/B at full bandwidth = ${(demand / 1e12).toPrecision(3)} TFLOP/s of ${(roof / 1e12).toPrecision(3)}`,
    });
  }
  const failed = lines.find((l) => l.hard && !l.ok);
  const tightest = lines
    .filter((l) => l.limit > 0 && l.name !== 'matrix instruction')
    .reduce((a, b) => (b.need / b.limit > a.need / a.limit ? b : a));
  return {
    lines,
    blocksPerUnit: blocks,
    residencyBound: bound,
    bytesInFlight: flying,
    binding: failed?.name ?? tightest.name,
    ...(failed ? { rejection: rejectionOf(failed, c) } : {}),
  };
}

const line = (
  name: string,
  need: number,
  limit: number,
  unit: string,
  hard: boolean,
  arithmetic: string,
  ok = need <= limit,
): BudgetLine => ({ name, need, limit, unit, ok, hard, arithmetic });

function rejectionOf(l: BudgetLine, c: Configuration): Rejection {
  const over = `${n(l.need)}${l.unit && ` ${l.unit}`} of ${n(l.limit)}${l.unit && ` ${l.unit}`}`;
  if (l.name === 'registers a thread') {
    return {
      reason: 'register spill',
      arithmetic: l.arithmetic,
      fix: 'fewer rows or tokens a block, or more warps over the same rows',
    };
  }
  return {
    reason: l.name,
    arithmetic: `${showTile(c.tile)} needs ${over}: ${l.arithmetic}`,
    fix: `${(100 - (100 * l.limit) / l.need).toFixed(0)} % less of ${l.name} would fit: smaller tile numbers`,
  };
}

const reasons: Readonly<Record<string, string>> = {
  PAT0301: 'shared memory',
  PAT0302: 'matrix instruction',
  PAT0303: 'cannot be lowered',
  PAT0304: 'threads a block',
  PAT0307: 'too many buffers',
};

/** The lowering's own refusal as a rejection. */
export function refusal({ diagnostic: d }: Refused): Rejection {
  const shown = diagnosticJson(d);
  const notes = shown.notes.slice(0, 3).map((note) => note.text);
  return {
    reason: reasons[d.code] ?? shown.name,
    arithmetic: [d.message, ...notes].join('; '),
    fix: d.help ?? 'smaller tile numbers',
  };
}
