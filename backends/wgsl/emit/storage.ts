/** How buffers lie in WGSL: element type and vector width of each storage binding and of each workgroup variable. */
import { exprsOf, walkExpr, walkStmts } from '../../../compiler/thread/build.ts';
import type {
  GlobalBuffer,
  HalfType,
  SharedBuffer,
  Stmt,
  ThreadKernel,
} from '../../../compiler/thread/nodes.ts';

export type Word = 'f32' | 'i32' | 'u32';

/** A module variable: `words` of type `type`, `width` of them to an array element. */
export interface Layout {
  readonly name: string;
  /** `f16` only for buffers of single halves where the target has shader-f16. */
  readonly type: Word | 'f16';
  readonly width: 1 | 2 | 4;
  readonly atomic: boolean;
}

export interface SharedLayout extends Layout {
  /** Byte offset of the variable in the kernel's arena. */
  readonly offset: number;
  readonly bytes: number;
  readonly buffers: readonly SharedBuffer[];
}

export const isHalf = (e: string): e is HalfType => e === 'f16' || e === 'bf16';

interface Use {
  /** Widths of loads and stores of whole words. */
  loads: number[];
  stores: number[];
  /** A single half is stored. */
  halfStore: boolean;
  /** A single element is read or written. */
  single: boolean;
  atomic: boolean;
}

function usesOf(body: readonly Stmt[]): {
  global: (b: GlobalBuffer) => Use;
  shared: (b: SharedBuffer) => number[];
} {
  const uses = new Map<GlobalBuffer, Use>();
  const widths = new Map<SharedBuffer, number[]>();
  const global = (b: GlobalBuffer): Use => {
    let u = uses.get(b);
    if (!u) uses.set(b, (u = { loads: [], stores: [], halfStore: false, single: false, atomic: false }));
    return u;
  };
  const shared = (b: SharedBuffer): number[] => {
    let w = widths.get(b);
    if (!w) widths.set(b, (w = []));
    return w;
  };
  walkStmts(body, (s) => {
    for (const e of exprsOf(s))
      walkExpr(e, (x) => void (x.e === 'loadGlobal' && (global(x.buffer).single = true)));
    if (s.s === 'loadGlobalWords') global(s.buffer).loads.push(s.dst.length);
    if (s.s === 'storeGlobalWords') global(s.buffer).stores.push(s.values.length);
    if (s.s === 'storeGlobal') {
      const u = global(s.buffer);
      u.single = true;
      if (isHalf(s.buffer.element)) u.halfStore = true;
      else u.stores.push(1);
    }
    if (s.s === 'atomicGlobal') global(s.buffer).atomic = true;
    if (s.s === 'loadShared') shared(s.buffer).push(s.dst.length);
    if (s.s === 'storeShared') shared(s.buffer).push(s.values.length);
  });
  return { global, shared };
}

const width = (n: number): 1 | 2 | 4 => (n >= 4 ? 4 : n >= 2 ? 2 : 1);

function layoutOf(b: GlobalBuffer, u: Use, name: string, f16: boolean): Layout {
  const type: Word = isHalf(b.element) ? 'u32' : b.element;
  if (u.atomic) return { name, type: type === 'f32' ? 'u32' : type, width: 1, atomic: true };
  if (b.element === 'f16' && f16 && (u.halfStore || (u.loads.length === 0 && u.stores.length === 0)))
    return { name, type: 'f16', width: 1, atomic: false };
  // Without 16-bit stores, a half is merged into its word atomically: its neighbour may belong to another thread.
  if (u.halfStore) return { name, type: 'u32', width: 1, atomic: true };
  // A store to one component of a vector may write the whole vector, so written buffers take their narrowest store.
  const n = b.access === 'read' ? Math.max(1, ...u.loads) : Math.min(4, ...u.stores);
  return { name, type, width: width(n), atomic: false };
}

export interface Storage {
  readonly global: ReadonlyMap<GlobalBuffer, Layout>;
  readonly shared: readonly SharedLayout[];
}

/** Buffers of the arena that overlap share a variable; others get their own, in their own type. */
export function storageOf(
  k: ThreadKernel,
  body: readonly Stmt[],
  f16: boolean,
  unique: (wish: string) => string,
): Storage {
  const uses = usesOf(body);
  const global = new Map(k.buffers.map((b) => [b, layoutOf(b, uses.global(b), unique(b.name), f16)]));
  const shared: SharedLayout[] = [];
  let group: SharedBuffer[] = [];
  let end = 0;
  const close = (): void => {
    if (group.length === 0) return;
    const types = new Set(group.map((b): Word => (isHalf(b.element) ? 'u32' : b.element)));
    const offset = group[0]!.offset;
    const bytes = Math.ceil((end - offset) / 16) * 16;
    shared.push({
      name: unique(group.length === 1 ? group[0]!.name : 'arena'),
      type: types.size === 1 ? [...types][0]! : 'u32',
      width: width(Math.min(4, ...group.flatMap((b) => uses.shared(b)))),
      atomic: false,
      offset,
      bytes,
      buffers: group,
    });
  };
  for (const b of [...k.shared].sort((x, y) => x.offset - y.offset)) {
    if (b.offset >= end) {
      close();
      group = [];
    }
    group.push(b);
    end = Math.max(end, b.offset + b.bytes);
  }
  close();
  return { global, shared };
}

/** The WGSL type of one array element. */
export function elementType(l: Layout): string {
  const scalar = l.atomic ? `atomic<${l.type}>` : l.type;
  return l.width === 1 ? scalar : `vec${l.width}<${scalar}>`;
}
