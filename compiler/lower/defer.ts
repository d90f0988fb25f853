/**
 * Lets the one group of wgmmas of a loop's step go on into the next step: the tensor cores then have work while the next step's
 * operands are waited for. Its accumulators must be the loop's own and nothing else in the step may touch them. (A step with
 * more groups is left as it is: ptxas then orders every instruction after the one before, C7515.)
 */
import { stmtsUseVar, walkStmts } from '../thread/walk.ts';
import type { Stmt, Var } from '../thread/nodes.ts';

export interface Deferred {
  /** The step's statements; the step before is known to be done after the first `waited` of them. */
  readonly stmts: readonly Stmt[];
  readonly waited: number;
  /** Accumulators that are on their way between steps. */
  readonly registers: readonly Var[];
}

const isGroup = (s: Stmt): boolean => s.s === 'wgmma' || s.s === 'wgmmaFence' || s.s === 'wgmmaCommit';

/** `stmts`: one step, without the release of what it reads. */
export function deferGroup(stmts: readonly Stmt[]): Deferred | undefined {
  const at = stmts.findIndex((s) => s.s === 'wgmmaWait');
  const wait = stmts[at];
  if (wait?.s !== 'wgmmaWait' || wait.pending !== 0) return undefined;
  // A group is the fence, its instructions and the commit, one after the other, before its wait.
  let begin = at;
  while (begin > 0 && isGroup(stmts[begin - 1]!)) begin--;
  const group = stmts.slice(begin, at);
  const others = [...stmts.slice(0, begin), ...stmts.slice(at + 1)];
  let alone = true;
  walkStmts(others, (s) => void (alone &&= !isGroup(s) && s.s !== 'wgmmaWait'));
  // Left operands in registers would change under way.
  const shared = group.every((s) => s.s !== 'wgmma' || s.left !== undefined);
  const { registers } = wait;
  if (!alone || !shared || registers.some((v) => stmtsUseVar(others, v))) return undefined;
  const kept = stmts.map((s, i): Stmt => (i === at ? { ...wait, pending: 1 } : s));
  return { stmts: kept, waited: at + 1, registers };
}
