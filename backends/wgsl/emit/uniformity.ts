/**
 * Which values WGSL's uniformity analysis will accept as the same in the whole workgroup. It is stricter than Thread IR's:
 * whatever is read from workgroup memory or from writable storage counts as different in every invocation.
 * Control flow around a barrier is uniform by the rules of Thread IR; where this analysis cannot show it, the emitter
 * passes the condition through workgroupUniformLoad, so such flow counts as uniform here.
 */
import { childrenOf, writesOf } from '../../../compiler/thread/build.ts';
import { bodiesOf, type Expr, type Stmt, type Var } from '../../../compiler/thread/nodes.ts';

export const hasBarrier = (body: readonly Stmt[]): boolean =>
  body.some((s) => s.s === 'barrier' || bodiesOf(s).some(hasBarrier));

export class Uniformity {
  private readonly varying = new Set<Var>();
  private changed = true;

  constructor(body: readonly Stmt[]) {
    while (this.changed) {
      this.changed = false;
      this.block(body, true);
    }
  }

  of(e: Expr): boolean {
    if (e.e === 'threadId') return false;
    if ((e.e === 'var' || e.e === 'element') && this.varying.has(e.var)) return false;
    if (e.e === 'loadGlobal' && e.buffer.access !== 'read') return false;
    return childrenOf(e).every((x) => this.of(x));
  }

  private block(body: readonly Stmt[], flow: boolean): void {
    for (const s of body) this.stmt(s, flow);
  }

  private stmt(s: Stmt, flow: boolean): void {
    for (const to of writesOf(s)) {
      if (this.varying.has(to.var)) continue;
      if (flow && (!to.index || this.of(to.index)) && this.uniformWrite(s)) continue;
      this.varying.add(to.var);
      this.changed = true;
    }
    const inner = flow && (bodiesOf(s).some(hasBarrier) || this.uniformFlow(s));
    for (const b of bodiesOf(s)) this.block(b, inner);
  }

  private uniformWrite(s: Stmt): boolean {
    switch (s.s) {
      case 'declare':
        return s.init === undefined || this.of(s.init);
      case 'assign':
        return this.of(s.value);
      case 'for':
        return hasBarrier(s.body) || this.uniformFlow(s);
      case 'loadGlobalWords':
        return s.buffer.access === 'read' && this.of(s.index) && (!s.pred || this.of(s.pred));
      default:
        return false;
    }
  }

  private uniformFlow(s: Stmt): boolean {
    if (s.s === 'for') return this.of(s.lo) && this.of(s.hi);
    return s.s === 'if' || s.s === 'while' ? this.of(s.cond) : true;
  }
}
