/** Types of expressions, and indices of register arrays: both must be known without running anything. */
import { fail } from '../diagnostics/error.ts';
import type { Span } from '../ir/span.ts';
import { registerType } from './expr.ts';
import { foldBinary } from './fold.ts';
import { printExpr } from './print.ts';
import type { Range } from './range.ts';
import { childrenOf } from './walk.ts';
import type { Expr, GlobalBuffer, RegType, Var } from './nodes.ts';

/** One counted loop around a statement. */
export interface Loop {
  readonly iv: Var;
  readonly lo: Expr;
  readonly hi: Expr;
  readonly step: number;
  readonly unroll: boolean;
}

export interface ExprScope {
  readonly params: ReadonlyMap<string, RegType>;
  /** The declaration that is visible for a variable's id. */
  readonly declared: (v: Var) => Var | undefined;
  /** Whether a buffer may be read here. */
  readonly global: (b: GlobalBuffer) => boolean;
  /** From the outermost loop inwards. */
  readonly loops: readonly Loop[];
}

/** Throws PAT0305 where an expression is not well-typed in its scope. */
export function checkExpr(e: Expr, scope: ExprScope, span: Span): void {
  for (const x of childrenOf(e)) checkExpr(x, scope, span);
  const problem = problemOf(e, scope);
  if (problem !== undefined) fail('PAT0305', `${printExpr(e)}: ${problem}`, { span });
}

const integer = (t: RegType): boolean => t === 'i32' || t === 'u32';
const expect = (ok: boolean, text: string): string | undefined => (ok ? undefined : text);

function problemOf(e: Expr, scope: ExprScope): string | undefined {
  switch (e.e) {
    case 'const': {
      // Constants are many: no text for those that are right.
      const ok = (e.type === 'bool') === (typeof e.value === 'boolean') && inRange(e.type, e.value);
      return ok ? undefined : `${e.value} is not a value of type ${e.type}`;
    }
    case 'var':
    case 'element': {
      const found = scope.declared(e.var);
      if (found !== e.var) return `register ${e.var.name} is not declared here`;
      if (e.type !== e.var.type) return `register ${e.var.name} has type ${e.var.type}, not ${e.type}`;
      if (e.e === 'var')
        return e.var.size === undefined ? undefined : `${e.var.name} is an array and needs an index`;
      if (e.var.size === undefined) return `${e.var.name} is not an array`;
      return indexProblem(e.index, e.var.size, scope.loops);
    }
    case 'param': {
      const type = scope.params.get(e.name);
      return expect(type === e.type, type ? `argument ${e.name} has type ${type}` : `no argument ${e.name}`);
    }
    case 'threadId':
    case 'blockId':
      return undefined;
    case 'unary':
      if (e.type !== e.a.type) return `type ${e.type} from ${e.a.type}`;
      if (e.fn === 'not') return expect(e.type !== 'f32', 'not of f32');
      if (e.fn === 'neg' || e.fn === 'abs') return expect(e.type !== 'bool', `${e.fn} of bool`);
      return expect(e.type === 'f32', `${e.fn} of ${e.type}`);
    case 'binary':
      return binaryProblem(e);
    case 'compare':
      if (e.a.type !== e.b.type) return `compares ${e.a.type} with ${e.b.type}`;
      return expect(
        e.type === 'bool' && (e.a.type !== 'bool' || e.fn === 'eq' || e.fn === 'ne'),
        'orders bools',
      );
    case 'select':
      if (e.cond.type !== 'bool') return `selects by ${e.cond.type}`;
      return expect(e.a.type === e.type && e.b.type === e.type, `selects ${e.a.type} or ${e.b.type}`);
    case 'guard':
      if (e.cond.type !== 'bool') return `guards by ${e.cond.type}`;
      return expect(e.value.type === e.type && e.other.type === e.type, `guards ${e.value.type}`);
    case 'fma':
      return expect(
        [e.a, e.b, e.c].every((x) => x.type === 'f32'),
        'fma is of f32',
      );
    case 'convert':
      return undefined;
    case 'bitcast':
      return expect(e.type !== 'bool' && e.a.type !== 'bool', 'bool has no bits to copy');
    case 'round':
      return expect(e.a.type === 'f32', `rounds ${e.a.type}`);
    case 'pack':
      return expect(e.lo.type === 'f32' && e.hi.type === 'f32', `packs ${e.lo.type} and ${e.hi.type}`);
    case 'unpack':
      return expect(e.a.type === 'u32', `unpacks ${e.a.type}`);
    case 'loadGlobal':
      if (!scope.global(e.buffer)) return `${e.buffer.name} cannot be read here`;
      if (e.index.type !== 'i32') return `index of type ${e.index.type}`;
      return expect(e.type === registerType(e.buffer.element), `${e.buffer.element} loaded as ${e.type}`);
  }
}

const inRange = (type: RegType, x: number | boolean): boolean => {
  if (typeof x === 'boolean') return type === 'bool';
  if (type === 'f32') return Object.is(Math.fround(x), x) || Number.isNaN(x);
  return type === 'i32' ? (x | 0) === x : x >>> 0 === x;
};

function binaryProblem(e: Extract<Expr, { e: 'binary' }>): string | undefined {
  if (e.type !== e.a.type) return `type ${e.type} from ${e.a.type}`;
  if (e.fn === 'shl' || e.fn === 'shr')
    return integer(e.type) && integer(e.b.type) ? undefined : `${e.fn} of ${e.a.type} by ${e.b.type}`;
  if (e.a.type !== e.b.type) return `operands have types ${e.a.type} and ${e.b.type}`;
  const bits = e.fn === 'and' || e.fn === 'or' || e.fn === 'xor';
  const fits = bits ? e.type !== 'f32' : e.type !== 'bool';
  return fits ? undefined : `${e.fn} of ${e.type}`;
}

/** Built of constants and the variables of unrolled loops. */
export function isStatic(e: Expr, loops: readonly Loop[]): boolean {
  if (e.e === 'const') return true;
  if (e.e === 'var') return loops.some((l) => l.iv === e.var && l.unroll);
  return e.e === 'binary' && isStatic(e.a, loops) && isStatic(e.b, loops);
}

/**
 * Bounds of a static i32 expression that no step of it leaves the type at, and that is a whole number everywhere; undefined
 * where that takes more than sums and multiples of loops with constant bounds. Most indices need no trying out with this.
 */
function reachOf(e: Expr, loops: readonly Loop[]): Range | undefined {
  if (e.type !== 'i32') return undefined;
  if (e.e === 'const') return { lo: Number(e.value), hi: Number(e.value) };
  if (e.e === 'var') {
    const loop = loops.findLast((l) => l.iv === e.var);
    if (loop?.lo.e !== 'const' || loop.hi.e !== 'const' || !(loop.step >= 1)) return undefined;
    const [lo, hi] = [Number(loop.lo.value), Number(loop.hi.value)];
    return lo < hi ? { lo, hi: hi - 1 } : undefined;
  }
  if (e.e !== 'binary' || (e.fn !== 'add' && e.fn !== 'mul')) return undefined;
  const [a, b] = [reachOf(e.a, loops), reachOf(e.b, loops)];
  if (!a || !b) return undefined;
  // Of numbers that are not negative, the ends of a product are products of the ends.
  if (e.fn === 'mul' && (a.lo < 0 || b.lo < 0)) return undefined;
  const lo = e.fn === 'add' ? a.lo + b.lo : a.lo * b.lo;
  const hi = e.fn === 'add' ? a.hi + b.hi : a.hi * b.hi;
  return lo >= -(2 ** 31) && hi < 2 ** 31 ? { lo, hi } : undefined;
}

/** The most combinations of loop variables that are tried for one index. */
const limit = 1 << 14;

function indexProblem(index: Expr, size: number, loops: readonly Loop[]): string | undefined {
  if (!isStatic(index, loops)) return `index ${printExpr(index)} of a register array is not static`;
  const reach = reachOf(index, loops);
  if (reach && reach.lo >= 0 && reach.hi < size) return undefined;
  let tried = 0;
  const outside = (depth: number, env: Map<Var, number>): number | undefined => {
    const loop = loops[depth];
    if (!loop) {
      const at = valueOf(index, env);
      return at < 0 || at >= size || !Number.isInteger(at) ? at : undefined;
    }
    // A loop that the index does not name, or that does not run, decides nothing.
    if (
      !loop.unroll ||
      !(needs(index, loop.iv) || loops.slice(depth + 1).some((l) => boundNeeds(l, loop.iv)))
    )
      return outside(depth + 1, env);
    const hi = valueOf(loop.hi, env);
    for (let i = valueOf(loop.lo, env); i < hi && tried++ < limit; i += loop.step) {
      const found = outside(depth + 1, new Map(env).set(loop.iv, i));
      if (found !== undefined) return found;
    }
    return undefined;
  };
  const at = outside(0, new Map());
  return at === undefined ? undefined : `index ${at} is outside an array of ${size}`;
}

const needs = (e: Expr, v: Var): boolean =>
  (e.e === 'var' && e.var === v) || childrenOf(e).some((x) => needs(x, v));
const boundNeeds = (l: Loop, v: Var): boolean => l.unroll && (needs(l.lo, v) || needs(l.hi, v));

function valueOf(e: Expr, env: ReadonlyMap<Var, number>): number {
  if (e.e === 'const') return Number(e.value);
  if (e.e === 'var') return env.get(e.var) ?? NaN;
  if (e.e !== 'binary') return NaN;
  return Number(foldBinary(e.fn, e.type, valueOf(e.a, env), valueOf(e.b, env)) ?? NaN);
}
