/** The C++ planner from tests and scripts: compiled with g++ where that is, fed through files. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Batch } from '../../../../examples/pat/batch.ts';
import { shapeOf, type PlanCosts, type TileShape } from '../../../../examples/pat/cost.ts';
import type { Capacity } from '../../../../examples/pat/fixed.ts';
import type { PlanTables } from '../../../../examples/pat/tables.ts';

export interface Step {
  readonly batch: Batch;
  readonly repair: boolean;
  /** patc_grow. */
  readonly grow?: boolean;
  /** Also write tables of fixed capacity. */
  readonly fixed?: Capacity;
}

export interface Case {
  readonly costs: PlanCosts;
  readonly span: number;
  /** Batches that one planner sees one after another. */
  readonly steps: readonly Step[];
}

export interface Outcome {
  /** PATC_OK, PATC_REPAIRED, PATC_GROWN or an error. */
  readonly result: number;
  readonly tables?: PlanTables;
  readonly streams?: boolean;
  /** Result of patc_write_fixed, and its tables one after another. */
  readonly fixed?: { readonly result: number; readonly tables: Int32Array };
}

const host = join(import.meta.dirname, '../../../../examples/pat/host');

export const hasCompiler = (() => {
  try {
    execFileSync('g++', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

export class HostPlanner {
  private readonly folder = mkdtempSync(join(tmpdir(), 'patc-host-'));
  private readonly program = join(this.folder, 'driver');

  constructor(flags: readonly string[] = ['-O2']) {
    const warnings = ['-Wall', '-Wextra', '-Werror'];
    const sources = [join(import.meta.dirname, 'driver.cpp'), join(host, 'patc_plan.cpp')];
    execFileSync('g++', ['-std=c++17', ...flags, ...warnings, '-I', host, ...sources, '-o', this.program]);
  }

  /** One outcome per step of every case. */
  run(cases: readonly Case[]): Outcome[][] {
    const [input, output] = [join(this.folder, 'in'), join(this.folder, 'out')];
    writeFileSync(input, Float64Array.from(encode(cases)));
    execFileSync(this.program, [input, output]);
    const bytes = readFileSync(output);
    const values = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
    let at = 0;
    const take = (n: number) => values.slice(at, (at += n));
    return cases.map((c) => c.steps.map((step) => ({ ...decode(take), ...decodeFixed(take, c, step) })));
  }

  /** patc_costs_h100 through the driver. */
  h100(headDim: number, bytes: number, units: number, shapes: readonly TileShape[]): PlanCosts {
    const numbers = [
      units,
      headDim,
      bytes,
      ...shapes.flatMap((t) => [t.m, t.n, t.stages, t.variant ?? 0]),
    ].map(String);
    const [c, ...tiles] = execFileSync(this.program, ['h100', ...numbers], { encoding: 'utf8' })
      .trim()
      .split('\n')
      .map((line) => line.split(' ').map(Number));
    const [memoryToken, cacheToken, partialRow, launch, cachedTokens, cached] = c as [
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    return {
      units,
      tiles: tiles.map((t) => {
        const [m, n, stages, variant, token, alone, warp, pack, start, wMax, wMin] = t as [
          number,
          number,
          number,
          number,
          number,
          number,
          number,
          number,
          number,
          number,
          number,
        ];
        return { ...shapeOf({ m, n, stages, variant }), token, alone, warp, pack, start, wMax, wMin };
      }),
      memoryToken,
      cacheToken,
      partialRow,
      launch,
      cachedTokens,
      cached,
    };
  }

  close(): void {
    rmSync(this.folder, { recursive: true });
  }
}

function encode(cases: readonly Case[]): number[] {
  const out: number[] = [cases.length];
  for (const { costs, span, steps } of cases) {
    out.push(costs.tiles.length);
    for (const t of costs.tiles)
      out.push(t.m, t.n, t.stages, t.variant ?? 0, t.token, t.alone, t.warp, t.pack, t.start, t.wMax, t.wMin);
    out.push(
      costs.units,
      costs.memoryToken,
      costs.cacheToken,
      costs.partialRow,
      costs.launch,
      costs.cachedTokens,
      costs.cached,
      span,
    );
    out.push(steps.length);
    for (const { batch: b, repair, grow, fixed: f } of steps) {
      out.push(grow ? 2 : repair ? 1 : 0, b.lengths.length, b.page, b.qHeads, b.kvHeads);
      for (const list of [b.lengths, b.tableBegin]) for (const x of list) out.push(x);
      out.push(b.pages.length);
      for (const x of b.pages) out.push(x);
      out.push(f?.packs ?? 0, f?.rows ?? 0, f?.entries ?? 0, f?.merges ?? 0, f?.slots ?? 0);
    }
  }
  return out;
}

function decodeFixed(
  take: (n: number) => Int32Array,
  { costs }: Case,
  { fixed: f }: Step,
): Pick<Outcome, 'fixed'> {
  if (!f) return {};
  const result = take(1)[0]!;
  return {
    fixed: {
      result,
      tables: take(4 * (costs.tiles.length * f.packs + 1) + 2 * f.rows + 5 * f.entries + 3 * f.merges),
    },
  };
}

function decode(take: (n: number) => Int32Array): Outcome {
  const result = take(1)[0]!;
  if (result < 0) return { result };
  const [packs, rows, entries, merges, slots, shapes, streams] = take(7) as unknown as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const tables = {
    packs: take(4 * (packs + 1)),
    packSequences: take(rows),
    packSlots: take(rows),
    entries: take(5 * entries),
    merges: take(3 * merges),
    slots,
    shapes: Array.from({ length: shapes }, () => {
      const [m, n, stages, variant, packBase, packCount] = take(6) as unknown as [
        number,
        number,
        number,
        number,
        number,
        number,
      ];
      return { tile: shapeOf({ m, n, stages, variant }), packBase, packCount };
    }),
  };
  return { result, tables, streams: streams === 1 };
}
