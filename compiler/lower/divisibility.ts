/**
 * Structural facts about index arithmetic: what divides a scalar, and how an index tile moves along one axis. They decide
 * whether neighbouring elements can be read as one aligned vector.
 */
import { isScalar, type Value } from '../ir/nodes.ts';
import type { Analysis } from './analysis.ts';

const gcd = (a: number, b: number): number => (b === 0 ? Math.abs(a) : gcd(b, a % b));

export class Divisibility {
  private readonly analysis: Analysis;
  private readonly memo = new Map<number, number>();

  constructor(analysis: Analysis) {
    this.analysis = analysis;
  }

  /** A number that divides every element of an integer value at coordinate 0 of `axis`; 0 means the value is zero. */
  divisor(v: Value): number {
    const known = this.memo.get(v.id);
    if (known !== undefined) return known;
    const d = this.compute(v);
    this.memo.set(v.id, d);
    return d;
  }

  private compute(v: Value): number {
    const { op, region } = this.analysis.definition(v);
    if (!op) {
      const owner = this.analysis.owner.get(region);
      if (owner?.op === 'for' && region.params[0] === v) return gcd(this.divisor(owner.lo), owner.step);
      return 1;
    }
    switch (op.op) {
      case 'const':
        return Math.abs(Number(op.value));
      case 'binary':
        if (op.fn === 'mul') {
          const [a, b] = [this.divisor(op.a), this.divisor(op.b)];
          return Math.min(a * b, 2 ** 30);
        }
        if (op.fn === 'add' || op.fn === 'sub' || op.fn === 'min' || op.fn === 'max')
          return gcd(this.divisor(op.a), this.divisor(op.b));
        return 1;
      case 'broadcast':
      case 'reshape':
      case 'transpose':
        return this.divisor(op.a);
      default:
        return 1;
    }
  }

  /**
   * How `v` moves along `axis`: 'none' (same for all coordinates), or 'unit' with the divisor of what is added to the
   * coordinate, or 'other'.
   */
  along(v: Value, axis: number): { kind: 'none' | 'other' } | { kind: 'unit'; base: number } {
    if (isScalar(v.type) || v.type.shape[axis] === 1) return { kind: 'none' };
    const { op } = this.analysis.definition(v);
    if (!op) return { kind: 'other' };
    switch (op.op) {
      case 'const':
        return { kind: 'none' };
      case 'iota':
        return { kind: 'unit', base: 0 };
      case 'broadcast':
        if (isScalar(op.a.type) || op.a.type.shape[axis] !== v.type.shape[axis]) return { kind: 'none' };
        return this.along(op.a, axis);
      case 'transpose':
        return this.along(op.a, op.permutation[axis]!);
      case 'reshape': {
        const from = nonUnit(op.a.type.shape);
        const to = nonUnit(v.type.shape);
        if (from.length !== to.length) return { kind: 'other' };
        return this.along(op.a, from[to.indexOf(axis)]!);
      }
      case 'binary': {
        const [a, b] = [this.along(op.a, axis), this.along(op.b, axis)];
        if (a.kind === 'none' && b.kind === 'none') return { kind: 'none' };
        if (op.fn === 'add' && a.kind === 'unit' && b.kind === 'none')
          return { kind: 'unit', base: gcd(a.base, this.divisor(op.b)) };
        if (op.fn === 'add' && b.kind === 'unit' && a.kind === 'none')
          return { kind: 'unit', base: gcd(b.base, this.divisor(op.a)) };
        return { kind: 'other' };
      }
      case 'unary':
      case 'cast':
        return this.along(op.a, axis).kind === 'none' ? { kind: 'none' } : { kind: 'other' };
      case 'compare':
      case 'select':
        return [op.a, op.b, ...(op.op === 'select' ? [op.cond] : [])].every(
          (x) => this.along(x, axis).kind === 'none',
        )
          ? { kind: 'none' }
          : { kind: 'other' };
      case 'load':
        return [...op.indices, op.mask, op.other].every(
          (x) => x === undefined || this.along(x, axis).kind === 'none',
        )
          ? { kind: 'none' }
          : { kind: 'other' };
      default:
        return { kind: 'other' };
    }
  }

  /** Whether a mask has one value over every aligned run of `run` coordinates along `axis`. */
  uniform(mask: Value, axis: number, run: number): boolean {
    if (this.along(mask, axis).kind === 'none') return true;
    const { op } = this.analysis.definition(mask);
    if (!op) return false;
    if (op.op === 'binary' && (op.fn === 'and' || op.fn === 'or'))
      return this.uniform(op.a, axis, run) && this.uniform(op.b, axis, run);
    if (op.op === 'broadcast' && !isScalar(op.a.type)) return this.uniform(op.a, axis, run);
    if (op.op === 'reshape') {
      const from = nonUnit(op.a.type.shape);
      const to = nonUnit(mask.type.shape);
      return from.length === to.length && this.uniform(op.a, from[to.indexOf(axis)]!, run);
    }
    if (op.op === 'compare' && (op.fn === 'lt' || op.fn === 'ge')) {
      const a = this.along(op.a, axis);
      const b = this.along(op.b, axis);
      return a.kind === 'unit' && a.base % run === 0 && b.kind === 'none' && this.divisor(op.b) % run === 0;
    }
    return false;
  }
}

export const nonUnit = (shape: readonly number[]): number[] => shape.flatMap((x, i) => (x === 1 ? [] : [i]));
