/** Places shared buffers in the block's arena: buffers whose lifetimes do not meet may share bytes (largest first, first fit). */
import { bodiesOf, type SharedBuffer, type Stmt } from '../thread/nodes.ts';

interface Lifetime {
  readonly buffer: SharedBuffer;
  first: number;
  last: number;
  /** Loops around each access. */
  readonly loops: (readonly Loop[])[];
}

interface Loop {
  start: number;
  end: number;
}

/** Sets `offset` of every buffer and returns the arena's bytes. Pinned buffers live throughout. */
export function allocateShared(
  buffers: readonly SharedBuffer[],
  body: readonly Stmt[],
  pinned: ReadonlySet<SharedBuffer> = new Set(),
): number {
  const lives = new Map<SharedBuffer, Lifetime>();
  let clock = 0;
  const tick = (still: boolean): void => void (still || clock++);
  // No barrier can come between the accesses inside an unrolled loop or a branch that parts threads: time stands still there.
  const visit = (stmts: readonly Stmt[], loops: readonly Loop[], still: boolean): void => {
    for (const s of stmts) {
      tick(still);
      if ('buffer' in s && 'offset' in s) touch(s.buffer, loops);
      if (s.s === 'wgmma' && s.left) touch(s.left.buffer, loops);
      const rolled = s.s === 'while' || (s.s === 'for' && !s.unroll);
      const apart = still || (!rolled && !(s.s === 'if' && s.uniform === 'block'));
      const loop: Loop = { start: clock, end: clock };
      for (const b of bodiesOf(s)) visit(b, rolled ? [...loops, loop] : loops, apart);
      tick(still);
      loop.end = clock;
    }
  };
  const touch = (buffer: SharedBuffer, loops: readonly Loop[]): void => {
    const known = lives.get(buffer);
    if (!known) lives.set(buffer, { buffer, first: clock, last: clock, loops: [loops] });
    else {
      known.last = clock;
      known.loops.push(loops);
    }
  };
  visit(body, [], false);
  for (const l of lives.values()) spanLoops(l);
  for (const b of pinned) lives.set(b, { buffer: b, first: 0, last: clock + 1, loops: [] });
  return place(buffers, lives);
}

/** What is used inside a loop and also outside it must live through all of the loop. */
function spanLoops(l: Lifetime): void {
  const all = l.loops;
  for (const path of all)
    for (const loop of path)
      if (!all.every((other) => other.includes(loop))) {
        l.first = Math.min(l.first, loop.start);
        l.last = Math.max(l.last, loop.end);
      }
}

function place(buffers: readonly SharedBuffer[], lives: ReadonlyMap<SharedBuffer, Lifetime>): number {
  const placed: Lifetime[] = [];
  let total = 0;
  for (const b of [...buffers].sort((x, y) => y.bytes - x.bytes || x.id - y.id)) {
    const life = lives.get(b);
    if (!life) continue;
    const busy = placed
      .filter((p) => p.first <= life.last && life.first <= p.last)
      .map((p) => [p.buffer.offset, p.buffer.offset + p.buffer.bytes] as const)
      .sort((x, y) => x[0] - y[0]);
    const align = b.align ?? 128;
    let at = 0;
    for (const [lo, hi] of busy) if (at + b.bytes > lo && at < hi) at = Math.ceil(hi / align) * align;
    b.offset = at;
    placed.push(life);
    total = Math.max(total, at + b.bytes);
  }
  return total;
}
