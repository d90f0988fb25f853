/** Mistakes planted into lowered kernels, one at a time. */
import {
  add,
  ge,
  ifThen,
  mapStmts,
  rem,
  sub,
  threadId,
  walkStmts,
} from '../../../../compiler/thread/build.ts';
import type { Stmt, ThreadKernel } from '../../../../compiler/thread/nodes.ts';

/** Gives what stands in a statement's place, or undefined where the mistake does not apply to it. */
export type Mistake = (s: Stmt) => readonly Stmt[] | undefined;

export const mistakes: Readonly<Record<string, Mistake>> = {
  'warp barrier removed': (s) => (s.s === 'warpBarrier' ? [] : undefined),
  'barrier removed': (s) => (s.s === 'barrier' ? [] : undefined),
  'wait shortened': (s) => (s.s === 'cpAsyncWait' ? [{ ...s, pending: s.pending + 1 }] : undefined),
  'wait removed': (s) => (s.s === 'cpAsyncWait' ? [] : undefined),
  'arrival removed': (s) =>
    s.s === 'mbarrierArrive' || s.s === 'mbarrierArriveCpAsync' || s.s === 'mbarrierArriveExpect'
      ? []
      : undefined,
  'a row too many expected': (s) =>
    s.s === 'mbarrierArriveExpect' ? [{ ...s, bytes: add(s.bytes, 16) }] : undefined,
  'tensor copy removed': (s) => (s.s === 'tensorCopy' ? [] : undefined),
  'tensor copy misplaced': (s) => (s.s === 'tensorCopy' ? [{ ...s, offset: add(s.offset, 64) }] : undefined),
  'tensor copy by every lane': (s) => {
    if (s.s !== 'tensorCopy' || !s.pred) return undefined;
    const { pred: _, ...rest } = s;
    return [rest as Stmt];
  },
  'mbarrier wait removed': (s) => (s.s === 'mbarrierWait' ? [] : undefined),
  'parity flipped': (s) => (s.s === 'mbarrierWait' ? [{ ...s, parity: sub(1, s.parity) }] : undefined),
  'one arrival too many expected': (s) =>
    s.s === 'mbarrierInit' ? [{ ...s, count: s.count + 1 }] : undefined,
  'copy shifted by a row of 16 B': (s) =>
    s.s === 'cpAsync' ? [{ ...s, offset: add(s.offset, 16) }] : undefined,
  'copy source shifted past the end': (s) =>
    s.s === 'cpAsync' ? [{ ...s, index: add(s.index, 1 << 24) }] : undefined,
  'ldmatrix shifted past the buffer': (s) =>
    s.s === 'ldmatrix' ? [{ ...s, offset: add(s.offset, s.buffer.bytes) }] : undefined,
  'shared store dropped': (s) => (s.s === 'storeShared' || s.s === 'storeSharedHalf' ? [] : undefined),
  'shared store collides': (s) =>
    s.s === 'storeShared' ? [{ ...s, offset: rem(s.offset, 4 * s.values.length) }] : undefined,
  'global store shifted': (s) =>
    s.s === 'storeGlobal' || s.s === 'storeGlobalWords'
      ? [{ ...s, index: add(s.index, 1 << 24) }]
      : undefined,
  'mask of a store dropped': (s) => {
    if ((s.s !== 'storeGlobal' && s.s !== 'storeGlobalWords') || !s.pred) return undefined;
    const { pred: _, ...rest } = s;
    return [rest as Stmt];
  },
};

/** Of products that go on by themselves. */
export const wgmmaMistakes: Readonly<Record<string, Mistake>> = {
  'proxy fence removed': (s) => (s.s === 'proxyFence' ? [] : undefined),
  'wgmma fence removed': (s) => (s.s === 'wgmmaFence' ? [] : undefined),
  'wgmma not committed': (s) => (s.s === 'wgmmaCommit' ? [] : undefined),
  'wgmma wait removed': (s) => (s.s === 'wgmmaWait' ? [] : undefined),
  'operand shifted past the buffer': (s) =>
    s.s === 'wgmma' ? [{ ...s, offset: add(s.offset, s.buffer.bytes) }] : undefined,
  'product left out by a warp': (s) =>
    s.s === 'wgmma' ? ifThen(s.span, ge(threadId(), 32), 'warp', [s]) : undefined,
};

export interface Mutant {
  readonly name: string;
  /** The author's line of the statement that was changed. */
  readonly line: number;
  readonly kernel: ThreadKernel;
}

/** Every mutant of a kernel, one mistake at one statement each. */
export function mutantsOf(kernel: ThreadKernel, only: readonly string[] = Object.keys(mistakes)): Mutant[] {
  const found: Mutant[] = [];
  for (const name of only) {
    const mistake = mistakes[name] ?? wgmmaMistakes[name]!;
    const places: Stmt[] = [];
    walkStmts(kernel.body, (s) => {
      if (mistake(s)) places.push(s);
    });
    for (let n = 0; n < places.length; n++) {
      let seen = 0;
      const body = mapStmts(kernel.body, {
        stmt: (s) => {
          const changed = mistake(s);
          return changed && seen++ === n ? changed : [s];
        },
      });
      // Rewriting visits inner statements first; the order of places is only for the line.
      found.push({ name, line: places[n]!.span.line, kernel: { ...kernel, body } });
    }
  }
  return found;
}
