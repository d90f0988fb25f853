/** Everything the parts of lowering share: the kernel's analysis, the layouts, the emitter and the resources made so far. */
import { type DotOp, type Kernel, type TensorParam, type Value } from '../ir/nodes.ts';
import type { Span } from '../ir/span.ts';
import { add, constI, mul, param, threadId, div, rem } from '../thread/build.ts';
import type { Expr, GlobalBuffer, MemoryElement, RegType, SharedBuffer, Var } from '../thread/nodes.ts';
import type { Target } from '../target.ts';
import type { Element } from '../ir/nodes.ts';
import { Analysis } from './analysis.ts';
import { Divisibility } from './divisibility.ts';
import { Emitter, exprKey } from './emitter.ts';
import { mmaLayout, sameLayout, type Layout } from './layout.ts';
import type { Point, PointDigit } from './point.ts';
import type { RegTile, SharedTile } from './values.ts';
import type { Ring } from './ring.ts';
import type { RowForm } from './shared-layout.ts';
import type { LayoutPlan } from './assign-layouts.ts';

export const regTypeOf = (e: Element): RegType => (e === 'f16' || e === 'bf16' ? 'f32' : e);
export const isHalf = (e: Element): e is 'f16' | 'bf16' => e === 'f16' || e === 'bf16';

export class Context {
  readonly kernel: Kernel;
  readonly target: Target;
  readonly analysis: Analysis;
  readonly divisibility: Divisibility;
  readonly plan: LayoutPlan;
  readonly emitter: Emitter;
  readonly buffers = new Map<string, GlobalBuffer>();
  readonly shared: SharedBuffer[] = [];
  /** Tiles already exchanged into another layout. */
  readonly converted = new Map<string, RegTile>();
  /** Dot operands already in shared memory, by value and region instance. */
  readonly stagedTiles = new Map<string, SharedTile>();
  /** Stage rings whose own accesses are ordered by their pipeline, not by the barrier pass. */
  readonly managed = new Set<SharedBuffer>();
  /** The kernel's warp-specialised loop, if it has one. */
  ring: Ring | undefined;
  /** Matrix fragments of loop-invariant operands, by value. */
  readonly fragments = new Map<string, Var>();
  private strides = new Map<string, Expr[]>();

  constructor(kernel: Kernel, target: Target, analysis: Analysis, plan: LayoutPlan) {
    this.kernel = kernel;
    this.target = target;
    this.analysis = analysis;
    this.plan = plan;
    this.divisibility = new Divisibility(analysis);
    this.emitter = new Emitter(kernel.span);
    for (const p of kernel.params) if (p.kind === 'tensor') this.addTensor(p);
  }

  get threads(): number {
    return this.plan.threads;
  }

  extent(d: number | string): Expr {
    return typeof d === 'number' ? constI(d) : param(d, 'i32');
  }

  private addTensor(t: TensorParam): void {
    const strides: Expr[] = [];
    let next: Expr = constI(1);
    for (let i = t.dims.length - 1; i >= 0; i--) {
      strides[i] = t.strides ? this.extent(t.strides[i]!) : next;
      next = mul(next, this.extent(t.dims[i]!));
    }
    this.strides.set(t.name, strides);
    let length: Expr = constI(1);
    t.dims.forEach((d, i) => {
      // With explicit strides the last element's offset bounds the buffer.
      if (t.strides) length = add(length, mul(add(this.extent(d), -1), strides[i]!));
      else length = mul(length, this.extent(d));
    });
    this.buffers.set(t.name, { name: t.name, element: t.element, access: t.access, length });
  }

  buffer(t: TensorParam): GlobalBuffer {
    return this.buffers.get(t.name)!;
  }

  stride(t: TensorParam, dim: number): Expr {
    return this.strides.get(t.name)![dim]!;
  }

  /** A number that divides a stride: 1 where it is only known at run time. */
  strideDivisor(t: TensorParam, dim: number): number {
    const s = this.stride(t, dim);
    return divisorOf(s);
  }

  addShared(
    name: string,
    element: MemoryElement,
    bytes: number,
    note: string,
    span: Span,
    align?: number,
  ): SharedBuffer {
    const b: SharedBuffer = {
      id: this.shared.length,
      name,
      element,
      bytes: Math.ceil(bytes / 16) * 16,
      offset: 0,
      span,
      note,
      ...(align ? { align } : {}),
    };
    this.shared.push(b);
    return b;
  }

  /** Producer warps for one loop of the kernel, as the tile says: one where wgmma leaves it open. */
  get producers(): number {
    return this.ring === undefined ? (this.kernel.tile.producers ?? (this.wgmma ? 1 : 0)) : 0;
  }

  /** Whether a dot takes its left operand from registers (see dot-mma.ts). */
  readsRegisters(dot: DotOp): boolean {
    const [m, k] = dot.a.type.shape as [number, number];
    const kind = this.plan.block.dots.get(dot)?.kind;
    if (kind === undefined || kind === 'fma' || !this.analysis.anchored.has(dot.a.id)) return false;
    return sameLayout(this.layoutOf(dot.a), mmaLayout(m, k, this.threads / 32, 1));
  }

  /** Whether the block's dots are wgmmas. */
  get wgmma(): boolean {
    return this.plan.block.panels.size > 0;
  }

  /** How the rows of a staged dot operand lie. */
  formOf(v: Value): RowForm {
    return this.plan.block.panels.has(v) ? 'panels' : 'row';
  }

  layoutOf(v: Value): Layout {
    return this.plan.layoutOf(v);
  }

  /** Coordinate along `dim` that a thread starts at under `threads` digits. */
  threadBase(layout: Pick<Layout, 'threads'>, dim: number): Expr {
    let weight = 1;
    let base: Expr = constI(0);
    for (const d of layout.threads) {
      if (d.dim === dim) base = add(base, mul(this.threadDigit(weight, d.size), d.stride));
      weight *= d.size;
    }
    if (base.e === 'const' || base.e === 'threadId') return base;
    return this.emitter.once(`at${dim}`, exprKey(base), base, this.emitter.scopes[0]!);
  }

  /** (thread / weight) % size. */
  threadDigit(weight: number, size: number): Expr {
    const t = div(threadId(), weight);
    return weight * size >= this.threads ? t : rem(t, size);
  }

  /**
   * Runs `body` for every register of a layout in unrolled loops, outer dimensions outermost. `skip` digits (by index in
   * layout.regs) are left to the body, which sets them through `Point` digits of its own.
   */
  forEachPoint(layout: Layout, body: (p: Point) => void, skip: readonly number[] = []): void {
    const order = layout.regs
      .map((d, i) => ({ d, i }))
      .filter(({ i }) => !skip.includes(i))
      .sort((a, b) => a.d.dim! - b.d.dim! || b.d.stride - a.d.stride);
    const at = new Map<number, Expr>();
    const coords: Expr[] = [];
    const finish = (dim: number): void => {
      let c = this.threadBase(layout, dim);
      layout.regs.forEach((d, i) => {
        if (d.dim === dim && at.has(i)) c = add(c, mul(at.get(i)!, d.stride));
      });
      coords[dim] = c;
    };
    const descend = (k: number, dim: number): void => {
      const next = order[k];
      if (!next || next.d.dim! > dim) {
        if (dim >= 0) finish(dim);
        if (dim + 1 < layout.shape.length) return descend(k, dim + 1);
        const digits: PointDigit[] = layout.regs.map((d, i) => ({ ...d, at: at.get(i) ?? constI(0) }));
        return body({ shape: layout.shape, coords: [...coords], digits, threads: layout.threads });
      }
      this.emitter.unrolled('ijklmn'[next.d.dim!] ?? 'i', next.d.size, (iv) => {
        at.set(next.i, iv);
        descend(k + 1, dim);
      });
      at.delete(next.i);
    };
    descend(0, layout.shape.length === 0 ? -1 : 0);
  }

  /** The point where digit `index`, which stands at a constant, is moved to the constant `value`. */
  movePoint(p: Point, index: number, value: number): Point {
    const d = p.digits[index]!;
    const step = (value - (d.at.e === 'const' ? Number(d.at.value) : 0)) * d.stride;
    return {
      ...p,
      coords: p.coords.map((c, dim) => (dim === d.dim ? add(c, step) : c)),
      digits: p.digits.map((x, i) => (i === index ? { ...x, at: constI(value) } : x)),
    };
  }
}

function divisorOf(e: Expr): number {
  if (e.e === 'const') return Math.abs(Number(e.value)) || 2 ** 30;
  if (e.e === 'binary' && e.fn === 'mul') return divisorOf(e.a) * divisorOf(e.b);
  return 1;
}
