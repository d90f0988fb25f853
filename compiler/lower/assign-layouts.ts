/**
 * Gives every anchored tile value a layout. Dots come first (their instruction decides); from them layouts flow along ops
 * that keep elements where they are, down reductions and up or down views, until nothing moves. What is left starts from a
 * coalesced layout, largest tiles first. Where two meet that differ, the use converts through shared memory.
 */
import {
  elementBytes,
  regionsOf,
  sizeOf,
  type Kernel,
  type Op,
  type Region,
  type RegionOp,
  type Value,
} from '../ir/nodes.ts';
import type { Target } from '../target.ts';
import { Analysis } from './analysis.ts';
import {
  blockedLayout,
  collapseLayout,
  permuteLayout,
  reshapeLayout,
  sliceLayout,
  type Layout,
} from './layout.ts';
import { planDots, type BlockPlan } from './plan-dots.ts';

type Edge = { readonly to: Value; readonly map: (l: Layout) => Layout | undefined };

export class LayoutPlan {
  readonly block: BlockPlan;
  private readonly layouts = new Map<number, Layout>();
  private readonly edges = new Map<number, Edge[]>();
  private readonly analysis: Analysis;

  constructor(kernel: Kernel, target: Target, analysis: Analysis) {
    this.analysis = analysis;
    this.block = planDots(kernel, target, analysis);
    this.connect(kernel.body);
    for (const [dot, plan] of this.block.dots) this.set(dot.result, plan.layout);
    const open = analysis.values
      .filter((v) => analysis.anchored.has(v.id))
      .sort((a, b) => sizeOf(b.type) - sizeOf(a.type) || a.id - b.id);
    for (const v of open) if (!this.layouts.has(v.id)) this.set(v, this.fallback(v));
  }

  get threads(): number {
    return this.block.threads;
  }

  layoutOf(v: Value): Layout {
    return this.layouts.get(v.id) ?? this.fallback(v);
  }

  private fallback(v: Value): Layout {
    const vector = v.type.element === 'bool' ? 4 : 16 / elementBytes(v.type.element);
    // Few elements: spread them over threads before giving one thread a whole vector.
    const perThread = Math.max(1, Math.floor(sizeOf(v.type) / this.threads));
    return blockedLayout(v.type.shape, this.threads, Math.min(vector, 2 ** Math.floor(Math.log2(perThread))));
  }

  private set(v: Value, layout: Layout): void {
    const work: [Value, Layout][] = [[v, layout]];
    for (let next = work.pop(); next; next = work.pop()) {
      const [value, l] = next;
      if (this.layouts.has(value.id)) continue;
      this.layouts.set(value.id, l);
      for (const e of this.edges.get(value.id) ?? []) {
        const mapped = e.map(l);
        if (mapped && !this.layouts.has(e.to.id)) work.unshift([e.to, mapped]);
      }
    }
  }

  private edge(from: Value, to: Value, map: Edge['map']): void {
    if (!this.analysis.anchored.has(from.id) || !this.analysis.anchored.has(to.id)) return;
    const list = this.edges.get(from.id);
    if (list) list.push({ to, map });
    else this.edges.set(from.id, [{ to, map }]);
  }

  private same(...values: readonly Value[]): void {
    for (let i = 1; i < values.length; i++) {
      this.edge(values[0]!, values[i]!, (l) => l);
      this.edge(values[i]!, values[0]!, (l) => l);
    }
  }

  private connect(region: Region): void {
    for (const op of region.ops) {
      this.connectOp(op);
      for (const r of regionsOf(op)) this.connect(r);
    }
  }

  private connectOp(op: Op): void {
    switch (op.op) {
      case 'unary':
      case 'cast':
        return this.same(op.result, op.a);
      case 'binary':
      case 'compare':
        return this.same(op.result, op.a, op.b);
      case 'select':
        return this.same(op.result, op.cond, op.a, op.b);
      case 'broadcast':
        return this.edge(op.result, op.a, (l) => collapseLayout(l, op.a.type.shape));
      case 'reshape':
        this.edge(op.result, op.a, (l) => reshapeLayout(l, op.a.type.shape));
        return this.edge(op.a, op.result, (l) => reshapeLayout(l, op.result.type.shape));
      case 'transpose':
        this.edge(op.a, op.result, (l) => permuteLayout(l, op.permutation));
        return this.edge(op.result, op.a, (l) =>
          permuteLayout(
            l,
            op.permutation.map((_, i) => op.permutation.indexOf(i)),
          ),
        );
      case 'reduce':
        return this.edge(op.a, op.result, (l) => sliceLayout(l, op.axis));
      case 'dot':
        if (op.acc) this.same(op.result, op.acc);
        return;
      case 'for':
      case 'ragged':
      case 'rows':
      case 'if':
        return this.connectRegions(op);
      default:
        return;
    }
  }

  private connectRegions(op: RegionOp): void {
    op.results.forEach((r, i) => {
      if (op.op === 'if') return this.same(r, op.then.yields[i]!, op.else.yields[i]!);
      const params = op.body.params.slice(op.body.params.length - op.inits.length);
      this.same(r, params[i]!, op.body.yields[i]!, op.inits[i]!);
    });
  }
}
