/**
 * Chooses, before anything is emitted, how each dot runs (matrix instruction or multiply-add) and how many threads the
 * block has. Warps are laid along rows only where the rows of one dot are reduced, or feed another dot: then softmax-like
 * chains stay inside a warp and a dot's result is the next dot's operand without leaving registers.
 */
import { fail } from '../diagnostics/error.ts';
import type { DotOp, Kernel, Op, Region, Value } from '../ir/nodes.ts';
import { regionsOf } from '../ir/nodes.ts';
import type { Target } from '../target.ts';
import type { Analysis } from './analysis.ts';
import { gridLayout, mmaLayout, type Layout } from './layout.ts';
import { fitsPanels } from './shared-layout.ts';

export interface DotPlan {
  readonly kind: 'mma' | 'wgmma' | 'fma';
  readonly layout: Layout;
  /** wgmma reads the left operand from shared memory too. */
  readonly leftShared?: boolean;
}

export interface BlockPlan {
  readonly threads: number;
  readonly dots: ReadonlyMap<DotOp, DotPlan>;
  /** Dot operands, as stored, that lie in panels: what wgmma reads. */
  readonly panels: ReadonlySet<Value>;
}

/** Registers that loop-invariant fragments may occupy; beyond this they are read again from shared memory. */
export const fragmentBudget = 48;

const powerOfTwoPart = (n: number): number => n & -n;

function allDots(region: Region, into: DotOp[] = []): DotOp[] {
  for (const op of region.ops) {
    if (op.op === 'dot') into.push(op);
    for (const r of regionsOf(op)) allDots(r, into);
  }
  return into;
}

/** Whether rows of a dot's result are needed whole: reduced along columns, carried by a rows region, or a dot operand. */
function rowsStayTogether(analysis: Analysis, dots: readonly DotOp[]): boolean {
  const seen = new Set<number>();
  const visit = (v: Value): boolean => {
    if (seen.has(v.id)) return false;
    seen.add(v.id);
    return analysis.usesOf(v).some(({ op, role }) => {
      if (op.op === 'reduce' || op.op === 'rows' || role === 'dotA' || role === 'dotB') return true;
      if (role === 'yield') return regionResults(op).some(visit);
      return 'result' in op ? visit((op as { result: Value }).result) : regionResults(op).some(visit);
    });
  };
  return dots.some((d) => visit(d.result));
}

const regionResults = (op: Op): readonly Value[] => ('results' in op ? op.results : []);

/** Splits `warps` over m16 x n8 tiles so that a warp's block is as square as it gets. */
function warpGrid(m: number, n: number, warps: number): [number, number] {
  let best: [number, number] | undefined;
  let cost = Infinity;
  for (let wm = 1; wm <= warps; wm *= 2) {
    const wn = warps / wm;
    if (m % (16 * wm) !== 0 || n % (8 * wn) !== 0) continue;
    const c = m / wm + n / wn;
    if (c < cost) [best, cost] = [[wm, wn], c];
  }
  return best ?? [0, 0];
}

const usesMma = (d: DotOp, target: Target): boolean => {
  const [m, k] = d.a.type.shape as [number, number];
  const n = d.b.type.shape[1]!;
  const half = d.a.type.element === 'f16' || d.a.type.element === 'bf16';
  return target.features.mma && half && m % 16 === 0 && n % 8 === 0 && k % 16 === 0;
};

export function planDots(kernel: Kernel, target: Target, analysis: Analysis): BlockPlan {
  const dots = allDots(kernel.body);
  const asked = kernel.tile.warps || undefined;
  // Like producers, it says nothing to targets and kernels without what it is about.
  if (target.features.hopper && dots.length > 0 && kernel.tile.wgmma)
    return planWgmma(kernel, dots, analysis, asked);
  const panels = new Set<Value>();
  if (dots.length === 0) {
    const threads = asked ? asked * 32 : 128;
    return { threads, dots: new Map(), panels };
  }
  const plans = new Map<DotOp, DotPlan>();
  if (dots.every((d) => usesMma(d, target))) {
    const together = rowsStayTogether(analysis, dots);
    const rows = Math.min(...dots.map((d) => d.result.type.shape[0]!));
    const area = Math.max(...dots.map((d) => d.result.type.shape[0]! * d.result.type.shape[1]!));
    const natural = together ? Math.min(8, rows / 16) : area >= 128 * 128 ? 8 : area >= 64 * 64 ? 4 : 1;
    const warps = asked ?? powerOfTwoPart(natural);
    for (const d of dots) {
      const [m, n] = d.result.type.shape as [number, number];
      const [wm, wn] = together ? [m % (16 * warps) === 0 ? warps : 0, 1] : warpGrid(m, n, warps);
      if (!wm || !wn)
        fail('PAT0302', `a ${m}x${n} dot cannot be split over ${warps} warps of 16x8 tiles`, {
          span: d.span,
          help: `choose a row count that is a multiple of ${16 * warps}, or fewer warps`,
        });
      plans.set(d, { kind: 'mma', layout: mmaLayout(m, n, wm, wn) });
    }
    return { threads: warps * 32, dots: plans, panels };
  }
  const threads = asked ? asked * 32 : fmaThreads(dots, target);
  const columns = dots.map((d) => Math.max(1, powerOfTwoPart(d.result.type.shape[1]!) / 2));
  // One row grid for all dots of a row count, so that row statistics of one fit the other.
  for (const d of dots) {
    const [m, n] = d.result.type.shape as [number, number];
    const columnThreads = Math.min(8, ...columns, Math.max(1, threads));
    const rowThreads = Math.min(powerOfTwoPart(m), Math.max(1, threads / columnThreads));
    const copies = threads / (columnThreads * rowThreads);
    plans.set(d, { kind: 'fma', layout: gridLayout(m, n, rowThreads, columnThreads, copies) });
  }
  return { threads, dots: plans, panels };
}

/**
 * Every dot by wgmma, as the tile number asks: warps stacked along the rows, 16 rows each, in groups of four. PAT0302 where a
 * dot does not fit.
 */
function planWgmma(
  kernel: Kernel,
  dots: readonly DotOp[],
  analysis: Analysis,
  asked: number | undefined,
): BlockPlan {
  const refuse = (d: DotOp, why: string): never =>
    fail('PAT0302', `${kernel.name} cannot use wgmma: ${why}`, {
      span: d.span,
      help: 'choose another tile, or leave the tile number wgmma out',
    });
  const warps = asked ?? Math.max(4, dots[0]!.result.type.shape[0]! / 16);
  const plans = new Map<DotOp, DotPlan>();
  const panels = new Set<Value>();
  for (const d of dots) {
    const [m, n] = d.result.type.shape as [number, number];
    const k = d.a.type.shape[1]!;
    const { element } = d.a.type;
    if (element !== 'f16' && element !== 'bf16')
      refuse(d, `its instructions multiply f16 or bf16, not ${element}`);
    if (m % 64 !== 0 || m !== 16 * warps)
      refuse(d, `a dot of ${m} rows is not 64 for each of ${warps / 4} groups of four warps`);
    if (n % 8 !== 0 || n > 256) refuse(d, `a dot of ${n} columns is no multiple of 8 up to 256`);
    if (k % 16 !== 0) refuse(d, `its instructions add up 16 products, of which ${k} is no multiple`);
    const { op } = analysis.definition(d.b);
    const stored = op?.op === 'transpose' && !analysis.anchored.has(d.b.id) ? op.a : d.b;
    const [rows, columns] = stored.type.shape as [number, number];
    if (!fitsPanels(element as 'f16', rows, columns))
      refuse(
        d,
        `its right operand, ${rows} x ${columns} in memory, does not lie in rows of 128 bytes, 8 at a time`,
      );
    panels.add(stored);
    // A left operand that changes with every step, or has more than registers to spare, is read by the instruction.
    const { op: def, region } = analysis.definition(d.a);
    const fits = def?.op !== 'transpose' && fitsPanels(element as 'f16', m, k);
    // Where another product's left operand is as large, ptxas 13.0 gives it the registers of the loop's invariant fragments,
    // which destroys them in the first iteration.
    const alike = dots.some((x) => x !== d && x.a.type.shape[1] === k && analysis.anchored.has(x.a.id));
    const held = k / 4 > fragmentBudget || alike;
    const leftShared = !analysis.anchored.has(d.a.id) && fits && (region !== kernel.body || held);
    if (leftShared) panels.add(d.a);
    plans.set(d, { kind: 'wgmma', layout: mmaLayout(m, n, warps, 1), leftShared });
  }
  return { threads: warps * 32, dots: plans, panels };
}

/** Enough threads that one holds at most about 64 accumulators of the largest dot. */
function fmaThreads(dots: readonly DotOp[], target: Target): number {
  const area = Math.max(...dots.map((d) => d.result.type.shape[0]! * d.result.type.shape[1]!));
  let threads = 64;
  while (threads < 256 && threads < target.maxThreads && area / threads > 32) threads *= 2;
  return threads;
}
