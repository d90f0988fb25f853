/**
 * Moves the wait for a group of wgmmas down to what needs it: what comes after the group and has nothing to do with it (row sums,
 * the loop's next step) then runs while the tensor cores work. A wait that reaches the end of a conditional goes on behind it.
 */
import { bodiesOf, type Stmt, type Var } from '../thread/nodes.ts';
import { stmtsUseVar } from '../thread/walk.ts';

type Wait = Extract<Stmt, { s: 'wgmmaWait' }>;

/** A wait on its way down, and the registers that the group works on or reads. */
interface Pending {
  readonly wait: Wait;
  readonly registers: readonly Var[];
}

/** Neither orders memory nor writes to it, so nothing that a wgmma reads can change. */
const harmless = new Set<Stmt['s']>([
  'comment',
  'declare',
  'assign',
  'for',
  'while',
  'if',
  'loadGlobalWords',
  'shuffleXor',
  'warpAny',
]);

const lets = (s: Stmt, p: Pending): boolean => {
  const all = (x: Stmt): boolean => harmless.has(x.s) && bodiesOf(x).every((b) => b.every(all));
  return all(s) && !p.registers.some((v) => stmtsUseVar([s], v));
};

/** Whether the registers that a wait names are known in these statements alone. */
const declares = (stmts: readonly Stmt[], p: Pending | undefined): boolean =>
  stmts.some((s) => s.s === 'declare' && p?.wait.registers.includes(s.var));

interface Moved {
  readonly stmts: Stmt[];
  /** Reached the end. */
  readonly left: Pending | undefined;
}

function move(stmts: readonly Stmt[]): Moved {
  const out: Stmt[] = [];
  let pending: Pending | undefined;
  let fence: readonly Var[] | undefined;
  const settle = (): void => {
    if (pending) out.push(pending.wait);
    pending = undefined;
  };
  for (const s of stmts) {
    if (pending && !lets(s, pending)) settle();
    if (s.s === 'wgmmaFence') fence = s.registers;
    if (s.s === 'wgmmaWait') {
      // A group that began elsewhere, or that is to stay under way, is not known here.
      if (s.pending === 0 && fence) pending = { wait: s, registers: [...fence, ...s.registers] };
      else out.push(s);
      fence = undefined;
    } else if (s.s === 'if') {
      const then = move(s.then);
      const free = s.else.length === 0 && !declares(s.then, then.left) ? then.left : undefined;
      const kept = then.left && !free ? [...then.stmts, then.left.wait] : then.stmts;
      out.push({ ...s, then: kept, else: lateWaits(s.else) });
      pending = free ?? pending;
    } else if (s.s === 'for' || s.s === 'while') out.push({ ...s, body: lateWaits(s.body) });
    else out.push(s);
  }
  return { stmts: out, left: pending };
}

/** Statements of a kernel, once their barriers are in place. */
export function lateWaits(stmts: readonly Stmt[]): Stmt[] {
  const { stmts: moved, left } = move(stmts);
  return left ? [...moved, left.wait] : moved;
}
