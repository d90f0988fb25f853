/**
 * What the warps of a block issue in one trip of the kernel's main loop, counted on Thread IR: the loop with the most matrix
 * work, or the longest where there is none. Against the assembler's code it is near, not exact: invariant addresses are taken
 * as free, and nothing is merged that is written twice.
 */
import { bodiesOf, type Expr, type Stmt, type ThreadKernel } from '../thread/nodes.ts';
import { childrenOf, writesOf } from '../thread/walk.ts';

/** Of one warp. */
export interface Issue {
  /** Instructions, matrix instructions among them. */
  readonly instructions: number;
  readonly matrix: number;
  /** Bytes between shared memory and registers. */
  readonly sharedBytes: number;
}

export interface LoopIssue {
  /** What every warp does in a trip: waiting, copying, control. */
  readonly always: Issue;
  /** What a warp does in the trips that it takes part in: stands under a condition that is uniform over a warp, not the block. */
  readonly partaking: Issue;
}

interface Tally {
  instructions: number;
  matrix: number;
  sharedBytes: number;
}

const warp = 32;
/** Those that a quarter of the lanes can start at a time. */
const slow = new Set(['exp', 'exp2', 'log', 'log2', 'sqrt', 'rsqrt', 'tanh', 'erf', 'sin', 'cos']);
const matrixStatements = new Set(['mma', 'wgmma']);

export function issueOf(kernel: ThreadKernel): LoopIssue {
  const body = mainLoop(kernel.body);
  const [always, partaking] = [empty(), empty()];
  if (body) tally(body, always, partaking, 1);
  return { always, partaking };
}

const empty = (): Tally => ({ instructions: 0, matrix: 0, sharedBytes: 0 });

function mainLoop(stmts: readonly Stmt[]): readonly Stmt[] | undefined {
  let best: readonly Stmt[] | undefined;
  let most = 0;
  const visit = (list: readonly Stmt[]): void => {
    for (const s of list) {
      if (s.s === 'while' || (s.s === 'for' && !s.unroll)) {
        const [own, rest] = [empty(), empty()];
        tally(s.body, own, rest, 1);
        const weight = 1e6 * (own.matrix + rest.matrix) + own.instructions + rest.instructions;
        // An inner loop with all the work of an outer one is the main one.
        if (weight > most || (weight > 0 && weight >= most)) [best, most] = [s.body, weight];
      }
      bodiesOf(s).forEach(visit);
    }
  };
  visit(stmts);
  return best;
}

function tally(stmts: readonly Stmt[], always: Tally, partaking: Tally, times: number): void {
  for (const s of stmts) {
    if (s.s === 'for') {
      const trips = tripsOf(s.lo, s.hi, s.step);
      tally(s.body, always, partaking, times * trips);
    } else if (s.s === 'while') {
      // A loop inside the main one runs now and then: its test counts.
      always.instructions += times;
    } else if (s.s === 'if') {
      always.instructions += times * (1 + operations(s.cond));
      if (s.rare) continue;
      const own = s.uniform === 'warp' ? partaking : always;
      // Of two branches a warp takes one.
      const branches = [s.then, s.else].map((branch) => {
        const sums: [Tally, Tally] = [empty(), empty()];
        tally(branch, ...sums, times);
        return sums;
      });
      const [a, b] = branches.sort((x, y) => total(y) - total(x))[0]!;
      add(own, a);
      add(partaking, b);
    } else count(s, always, times);
  }
}

const total = (sums: readonly Tally[]): number => sums.reduce((n, t) => n + t.instructions, 0);

function add(to: Tally, from: Tally): void {
  to.instructions += from.instructions;
  to.matrix += from.matrix;
  to.sharedBytes += from.sharedBytes;
}

function tripsOf(lo: Expr, hi: Expr, step: number): number {
  const [a, b] = [lo, hi].map((e) => (e.e === 'const' ? Number(e.value) : NaN)) as [number, number];
  // Bounds that only the run knows: once.
  return Number.isNaN(a + b) ? 1 : Math.max(0, Math.ceil((b - a) / step));
}

function count(s: Stmt, to: Tally, times: number): void {
  if (s.s === 'comment' || s.s === 'for' || s.s === 'while' || s.s === 'if') return;
  if (s.s === 'declare' || s.s === 'assign') {
    const value = s.s === 'assign' ? s.value : s.init;
    // Copies and constants are renamed away.
    to.instructions += times * (value ? operations(value) : 0);
    return;
  }
  to.instructions += times;
  if (matrixStatements.has(s.s)) to.matrix += times;
  if (s.s === 'ldmatrix') to.sharedBytes += times * writesOf(s).length * 8 * 16;
  if (s.s === 'loadShared') to.sharedBytes += times * s.dst.length * 4 * warp;
  if (s.s === 'storeShared' || s.s === 'storeGlobalWords')
    to.instructions += times * s.values.reduce((n, e) => n + operations(e), 0);
  if (s.s === 'storeShared') to.sharedBytes += times * s.values.length * 4 * warp;
  if (s.s === 'storeSharedHalf') to.sharedBytes += times * 4 * warp;
  // The address of an access outside the block is a few additions of its own.
  if (/Global|cpAsync$|bulkRows/.test(s.s)) to.instructions += 2 * times;
}

function operations(e: Expr): number {
  const own =
    e.e === 'unary'
      ? slow.has(e.fn)
        ? 2
        : 1
      : e.e === 'loadGlobal'
        ? 3
        : ['binary', 'compare', 'select', 'fma', 'convert', 'round', 'pack', 'guard', 'unpack'].includes(e.e)
          ? 1
          : 0;
  const inner = e.e === 'element' || e.e === 'loadGlobal' ? [] : childrenOf(e);
  return inner.reduce((n, x) => n + operations(x), own);
}
