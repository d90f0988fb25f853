/** Checks every invariant of Tile IR that nodes.ts states; the pipeline runs it between passes. */
import { PatcError, type Diagnostic } from '../diagnostics/error.ts';
import {
  isRegionOp,
  operandsOf,
  resultsOf,
  sameShape,
  mostElements,
  showType,
  sizeOf,
  type Kernel,
  type Op,
  type Param,
  type Region,
  type RegionOp,
  type TensorParam,
  type TileType,
  type Value,
} from './nodes.ts';
import { roundTo } from './numeric.ts';
import { checkAccess, resultType } from './rules.ts';
import type { Span } from './span.ts';

/** @throws PatcError PAT0202 with every violation found. */
export function verifyKernel(kernel: Kernel): void {
  const [first, ...rest] = violations(kernel);
  if (first) throw new PatcError(first, ...rest);
}

/** All violations, in program order. */
export function violations(kernel: Kernel): Diagnostic[] {
  const verifier = new Verifier(kernel);
  verifier.kernel();
  return verifier.found;
}

const i32: TileType = { element: 'i32', shape: [] };
const sameType = (a: TileType, b: TileType): boolean =>
  a.element === b.element && sameShape(a.shape, b.shape);
const show = (v: Value): string => (v.name ? `\`%${v.name}\`` : `%${v.id}`);

class Verifier {
  readonly found: Diagnostic[] = [];
  readonly #kernel: Kernel;
  readonly #tensors = new Set<TensorParam>();
  readonly #defined = new Set<Value>();
  readonly #ids = new Set<number>();
  /** Values in scope, innermost region last. */
  readonly #scopes: Set<Value>[] = [new Set()];
  readonly #noStores: string[] = [];

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  kernel(): void {
    const { params, body, span } = this.#kernel;
    const names = new Set<string>();
    for (const p of params) {
      if (names.has(p.name)) this.#report(`two parameters are named \`${p.name}\``, p.span);
      names.add(p.name);
      if (p.kind === 'tensor') this.#tensors.add(p);
      else this.#define(p.value, p.span);
    }
    for (const p of params) this.#param(p);
    if (body.params.length > 0 || body.yields.length > 0)
      this.#report('the body of a kernel has no parameters and yields nothing', span);
    this.#region(body, span);
  }

  #report(message: string, span: Span, extra: Partial<Diagnostic> = {}): void {
    this.found.push({ code: 'PAT0202', message, span, ...extra });
  }

  #param(p: Param): void {
    if (p.kind === 'scalar') {
      if (p.value.type.shape.length > 0 || !['i32', 'u32', 'f32'].includes(p.value.type.element))
        this.#report(`scalar \`${p.name}\` is ${showType(p.value.type)}; it must be f32, i32 or u32`, p.span);
      return;
    }
    if ((p.element as string) === 'bool')
      this.#report(`tensor \`${p.name}\` holds bool, which memory cannot`, p.span);
    if (p.strides && p.strides.length !== p.dims.length)
      this.#report(
        `tensor \`${p.name}\` has ${p.dims.length} dimensions and ${p.strides.length} strides`,
        p.span,
      );
    for (const dim of [...p.dims, ...(p.strides ?? [])]) {
      if (typeof dim === 'number') {
        if (!Number.isInteger(dim) || dim < 0)
          this.#report(`tensor \`${p.name}\` has extent or stride ${dim}`, p.span);
        continue;
      }
      const scalar = this.#kernel.params.find((q) => q.name === dim);
      if (scalar?.kind !== 'scalar' || !sameType(scalar.value.type, i32))
        this.#report(`tensor \`${p.name}\`: \`${dim}\` is not an i32 scalar of the kernel`, p.span);
    }
  }

  #define(v: Value, span: Span): void {
    if (this.#defined.has(v)) this.#report(`${show(v)} is defined twice`, span);
    else if (this.#ids.has(v.id)) this.#report(`two values have the id ${v.id}`, span);
    for (const extent of v.type.shape)
      if (!Number.isInteger(extent) || extent < 1) this.#report(`${show(v)} has extent ${extent}`, span);
    if (sizeOf(v.type) > mostElements)
      this.#report(`${show(v)} is ${showType(v.type)}: a tile has at most 2^24 elements`, span);
    this.#defined.add(v);
    this.#ids.add(v.id);
    this.#scopes.at(-1)!.add(v);
  }

  #use(v: Value, span: Span): void {
    if (this.#scopes.some((scope) => scope.has(v))) return;
    const why = this.#defined.has(v)
      ? 'is not visible here: its region has ended'
      : 'is used before it is defined';
    this.#report(`${show(v)} ${why}`, span);
  }

  #region(region: Region, span: Span): void {
    this.#scopes.push(new Set());
    for (const p of region.params) this.#define(p, span);
    for (const op of region.ops) this.#op(op);
    for (const v of region.yields) this.#use(v, region.ops.at(-1)?.span ?? span);
    this.#scopes.pop();
  }

  #op(op: Op): void {
    if (typeof op.span?.line !== 'number') this.#report(`${op.op} has no span`, this.#kernel.span);
    for (const v of operandsOf(op)) this.#use(v, op.span);
    if (isRegionOp(op)) this.#structured(op);
    else this.#ruled(op.span, () => this.#flat(op));
    for (const v of resultsOf(op)) this.#define(v, op.span);
  }

  /** Turns a broken typing rule into a violation. */
  #ruled(span: Span, rule: () => void): void {
    try {
      rule();
    } catch (error) {
      if (!(error instanceof PatcError)) throw error;
      for (const d of error.diagnostics)
        this.#report(d.message, span, {
          ...(d.notes && { notes: d.notes }),
          ...(d.help && { help: d.help }),
        });
    }
  }

  #tensor(tensor: TensorParam, span: Span): void {
    if (!this.#tensors.has(tensor))
      this.#report(`\`${tensor.name}\` is not a parameter of this kernel`, span);
  }

  #flat(op: Exclude<Op, RegionOp>): void {
    if (op.op === 'store' || op.op === 'atomic') {
      const { tensor, value, span } = op;
      this.#tensor(tensor, span);
      const region = this.#noStores.at(-1);
      if (region) this.#report(`${op.op} inside ${region}`, span);
      if (tensor.access === 'read' || (op.op === 'atomic' && tensor.access !== 'readwrite'))
        this.#report(
          `${op.op} to \`${tensor.name}\`, which is declared ${tensor.access === 'read' ? 'input' : 'output'}`,
          span,
        );
      if (value.type.element !== tensor.element)
        this.#report(
          `${op.op} of ${showType(value.type)} to \`${tensor.name}\`, which holds ${tensor.element}`,
          span,
        );
      if (op.op === 'atomic' && ['f16', 'bf16'].includes(tensor.element))
        this.#report(`no atomics on ${tensor.element}`, span);
      if (op.op === 'atomic' && tensor.element === 'f32' && op.fn !== 'add')
        this.#report(`no atomic ${op.fn} on f32`, span);
      checkAccess(tensor.name, tensor.dims.length, op.indices, op.mask, value.type.shape, op);
      return;
    }
    if (op.op === 'load') this.#tensor(op.tensor, op.span);
    const type = resultType(op, op.result.type);
    if (!sameType(type, op.result.type))
      this.#report(
        `${'fn' in op ? op.fn : op.op} gives ${showType(type)}, declared as ${showType(op.result.type)}`,
        op.span,
      );
    if (
      op.op === 'const' &&
      typeof op.value === 'number' &&
      type.element !== 'bool' &&
      Number.isFinite(op.value)
    ) {
      const stored = roundTo(type.element, op.value);
      if (!Object.is(stored, op.value) && !(stored === 0 && op.value === 0))
        this.#report(`${op.value} is not a ${type.element}; the nearest is ${stored}`, op.span);
    }
  }

  #structured(op: RegionOp): void {
    const { span } = op;
    if (op.op === 'if') {
      if (!sameType(op.cond.type, { element: 'bool', shape: [] }))
        this.#report(`if: the condition is ${showType(op.cond.type)}; a scalar bool is needed`, span);
      for (const region of [op.then, op.else]) {
        this.#match('if yields', region.yields, op.results, span);
        this.#match('a branch has parameters', region.params, [], span);
        this.#region(region, span);
      }
      return;
    }
    for (const bound of [op.lo, op.hi])
      if (!sameType(bound.type, i32))
        this.#report(`${op.op}: bound ${show(bound)} is ${showType(bound.type)}, not i32`, span);
    if (op.op !== 'rows' && (!Number.isInteger(op.step) || op.step < 1))
      this.#report(`${op.op}: step ${op.step}`, span);
    const scalars = op.op === 'for' ? 1 : op.op === 'ragged' ? 2 : 0;
    for (const v of op.body.params.slice(0, scalars))
      if (!sameType(v.type, i32)) this.#report(`${op.op}: ${show(v)} is ${showType(v.type)}, not i32`, span);
    this.#match('carried values', op.body.params.slice(scalars), op.inits, span);
    this.#match('yielded values', op.body.yields, op.inits, span);
    this.#match('results', op.results, op.inits, span);
    if (op.op === 'rows') {
      const extents = new Set(op.inits.map((v) => v.type.shape[0]));
      if (extents.size !== 1 || extents.has(undefined))
        this.#report('rows: carried tiles must share the extent of axis 0', span);
      const mask = { element: 'bool', shape: op.inits[0]?.type.shape.slice(0, 1) ?? [] } as const;
      if (op.mask && !sameType(op.mask.type, mask))
        this.#report(`rows: the mask is ${showType(op.mask.type)}, not ${showType(mask)}`, span);
    }
    if (op.op === 'ragged') {
      if (op.trips.params.length !== 1 || op.trips.yields.length !== 1)
        this.#report('ragged: trips takes one i32 and yields one', span);
      for (const v of [...op.trips.params, ...op.trips.yields])
        if (!sameType(v.type, i32)) this.#report(`ragged: trips has ${showType(v.type)}, not i32`, span);
      this.#quiet('the trips of a ragged loop', () => this.#region(op.trips, span));
    }
    if (op.op === 'rows') this.#quiet('rows', () => this.#region(op.body, span));
    else this.#region(op.body, span);
  }

  #quiet(region: string, check: () => void): void {
    this.#noStores.push(region);
    check();
    this.#noStores.pop();
  }

  #match(what: string, values: readonly Value[], expected: readonly Value[], span: Span): void {
    if (values.length !== expected.length)
      this.#report(`${what}: ${values.length} where ${expected.length} are needed`, span);
    values.forEach((v, i) => {
      const e = expected[i];
      if (e && !sameType(v.type, e.type))
        this.#report(`${what}: ${show(v)} is ${showType(v.type)}, ${show(e)} is ${showType(e.type)}`, span);
    });
  }
}
