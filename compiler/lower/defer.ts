/**
 * Lets the last group of wgmmas of a loop's step go on into the next step: the tensor cores then have work while the step's
 * operands are waited for. The group is waited for with the first one of the next step: by leaving just that one outstanding
 * where they are the same statements, by waiting for both where they are not. It is left alone where something needs what it
 * accumulates, or changes what it reads, any earlier.
 */
import { exprUsesVar, stmtsUseVar, walkStmts } from '../thread/walk.ts';
import { bodiesOf, type Stmt, type Var } from '../thread/nodes.ts';

export interface Deferred {
  /** The step's statements; the step before has been waited for after the first `waited` of them. */
  readonly stmts: readonly Stmt[];
  readonly waited: number;
  /** Accumulators that are on their way between steps. */
  readonly registers: readonly Var[];
}

type Wait = Extract<Stmt, { s: 'wgmmaWait' }>;

const isGroup = (s: Stmt): boolean => s.s === 'wgmma' || s.s === 'wgmmaFence' || s.s === 'wgmmaCommit';

/** Arrays that a group's instructions read their left operands from. */
function operandsOf(group: readonly Stmt[], declared: readonly Var[]): Var[] {
  return declared.filter((v) =>
    group.some((s) => s.s === 'wgmma' && s.a.some((e) => exprUsesVar(e, v))),
  );
}

function declaredIn(stmts: readonly Stmt[]): Set<Var> {
  const found = new Set<Var>();
  walkStmts(stmts, (s) => {
    if (s.s === 'declare') found.add(s.var);
  });
  return found;
}

/** Statements of one step, without the release of what it reads. */
export function deferLastGroup(stmts: readonly Stmt[]): Deferred | undefined {
  const waits = stmts.flatMap((s, i) => (s.s === 'wgmmaWait' ? [i] : []));
  const [first, last] = [waits[0], waits.at(-1)];
  if (first === undefined || last === undefined) return undefined;
  let nested = false;
  for (const s of stmts)
    for (const body of bodiesOf(s)) walkStmts(body, (x) => void (nested ||= isGroup(x) || x.s === 'wgmmaWait'));
  if (nested) return undefined;
  // A group is the fence, its instructions and the commit, one after the other, before its wait.
  let begin = last;
  while (begin > 0 && isGroup(stmts[begin - 1]!)) begin--;
  const group = stmts.slice(begin, last);
  const wait = stmts[last] as Wait;
  const { registers } = wait;
  const declared = declaredIn(stmts);
  if (group.length === 0 || wait.pending !== 0 || registers.some((v) => declared.has(v))) return undefined;
  const read = operandsOf(group, [...declared]);
  const touched = (part: readonly Stmt[]): boolean =>
    [...registers, ...read].some((v) => stmtsUseVar(part.filter((s) => s.s !== 'declare'), v));
  const same = first === last;
  if (touched(stmts.slice(last + 1)) || touched(stmts.slice(0, same ? begin : first))) return undefined;
  // What is left of the step's own operands in registers would change under way.
  if (same && read.length > 0) return undefined;
  const kept = stmts.map((s, i): Stmt => {
    if (i !== first) return s;
    const own = s as Wait;
    return same ? { ...own, pending: 1 } : { ...own, registers: [...own.registers, ...registers] };
  });
  return {
    stmts: same ? kept : kept.filter((_, i) => i !== last),
    waited: first + 1,
    registers,
  };
}
