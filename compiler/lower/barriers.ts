/**
 * Inserts block barriers where one thread may touch shared or global bytes that another has touched since the last
 * barrier, one of them writing, and nowhere else. Accesses are taken per buffer (per arena range for shared ones), so
 * buffers that share bytes are ordered too. Stage rings order their own accesses (pipeline.ts) and are compared only with others.
 */
import { barrier, exprsOf, walkExpr } from '../thread/build.ts';
import { bodiesOf, type SharedBuffer, type Stmt } from '../thread/nodes.ts';

interface Access {
  readonly space: 'shared' | 'global';
  readonly name: string;
  readonly lo: number;
  readonly hi: number;
  readonly write: boolean;
}

const sharedWrites = new Set(['storeShared', 'storeSharedHalf', 'cpAsync']);
const globalWrites = new Set(['storeGlobal', 'storeGlobalWords', 'atomicGlobal']);

/** Of several accesses to one place, one says it all. */
function collect(seen: Map<string, Access>, accesses: readonly Access[]): void {
  for (const x of accesses) seen.set(`${x.space}${x.name}${x.write}`, x);
}

export function insertBarriers(
  body: readonly Stmt[],
  managed: ReadonlySet<SharedBuffer>,
  exchanged: ReadonlySet<string>,
): Stmt[] {
  const ring = new Set([...managed].map((b) => `${b.id}`));

  const own = (s: Stmt): Access[] => {
    const out: Access[] = [];
    if ('buffer' in s && 'offset' in s) {
      const b = s.buffer;
      out.push({
        space: 'shared',
        name: `${b.id}`,
        lo: b.offset,
        hi: b.offset + b.bytes,
        write: sharedWrites.has(s.s),
      });
      if (s.s === 'wgmma' && s.left) {
        const { id, offset: lo, bytes } = s.left.buffer;
        out.push({ space: 'shared', name: `${id}`, lo, hi: lo + bytes, write: false });
      }
    } else if ('buffer' in s && exchanged.has(s.buffer.name))
      out.push({ space: 'global', name: s.buffer.name, lo: 0, hi: 1, write: globalWrites.has(s.s) });
    if (exchanged.size > 0)
      for (const e of exprsOf(s))
        walkExpr(e, (x) => {
          if (x.e === 'loadGlobal' && exchanged.has(x.buffer.name))
            out.push({ space: 'global', name: x.buffer.name, lo: 0, hi: 1, write: false });
        });
    return out;
  };
  // Every loop asks for what its body touches, and runs over it more than once.
  const summaries = new Map<Stmt, readonly Access[]>();
  const summary = (s: Stmt): readonly Access[] => {
    let known = summaries.get(s);
    if (!known) {
      const seen = new Map<string, Access>();
      collect(seen, own(s));
      for (const body of bodiesOf(s)) for (const inner of body) collect(seen, summary(inner));
      summaries.set(s, (known = [...seen.values()]));
    }
    return known;
  };

  const conflict = (pending: readonly Access[], next: readonly Access[]): boolean =>
    next.some((n) =>
      pending.some((p) => {
        if (p.space !== n.space || !(p.write || n.write)) return false;
        if (p.name === n.name) return !ring.has(p.name) && !(p.write && n.write && p.space === 'shared');
        return p.space === 'shared' && p.lo < n.hi && n.lo < p.hi;
      }),
    );

  const merge = (a: readonly Access[], b: readonly Access[]): Access[] => {
    if (b.length === 0) return [...a];
    const seen = new Map<string, Access>();
    collect(seen, a);
    collect(seen, b);
    return [...seen.values()];
  };

  const run = (stmts: readonly Stmt[], entry: readonly Access[]): { out: Stmt[]; state: Access[] } => {
    const out: Stmt[] = [];
    let state: Access[] = [...entry];
    for (const s of stmts) {
      if (s.s === 'barrier') {
        state = [];
        out.push(s);
        continue;
      }
      const touched = summary(s);
      if (conflict(state, touched)) {
        out.push(barrier(s.span));
        state = [];
      }
      if (s.s === 'while' || (s.s === 'for' && !s.unroll)) {
        let first = run(s.body, state);
        for (;;) {
          const again = run(s.body, merge(state, first.state));
          const same = again.out.length === first.out.length && again.state.length === first.state.length;
          first = again;
          if (same) break;
        }
        out.push({ ...s, body: first.out });
        state = merge(state, first.state);
      } else if (s.s === 'if' && s.uniform === 'block') {
        const [a, b] = [run(s.then, state), run(s.else, state)];
        out.push({ ...s, then: a.out, else: b.out });
        state = merge(a.state, b.state);
      } else {
        out.push(s);
        state = merge(state, touched);
      }
    }
    return { out, state };
  };
  return run(body, []).out;
}
