/** Sums of constant multiples: how an address divides by a constant. */
import { rangeOf } from './range.ts';
import type { Expr } from './nodes.ts';

/** k * e, or the constant k where e is absent. */
export interface Term {
  readonly e: Expr | undefined;
  readonly k: number;
}

/** The terms of a sum, constants multiplied out; added to `found`. */
export function termsOf(e: Expr, k = 1, found: Term[] = []): Term[] {
  if (e.e === 'const') found.push({ e: undefined, k: Number(e.value) * k });
  else if (e.e === 'binary' && e.fn === 'add') {
    termsOf(e.a, k, found);
    termsOf(e.b, k, found);
  } else if (e.e === 'binary' && e.fn === 'mul' && e.b.e === 'const')
    termsOf(e.a, k * Number(e.b.value), found);
  else found.push({ e, k });
  return found;
}

/**
 * a = multiples * c + rest, where every term is non-negative and nothing wraps, so that a / c is
 * multiples + rest / c and a % c is rest % c. Undefined where that cannot be shown, or nothing divides.
 */
export function splitDiv(a: Expr, c: number): { multiples: Term[]; rest: Term[] } | undefined {
  const terms = termsOf(a);
  let high = 0;
  for (const t of terms) {
    const r = t.e ? rangeOf(t.e) : { lo: 1, hi: 1 };
    if (t.k < 0 || r.lo < 0) return undefined;
    high += r.hi * t.k;
  }
  if (high >= 2 ** 31) return undefined;
  const multiples = terms.filter((t) => t.k % c === 0).map((t) => ({ e: t.e, k: t.k / c }));
  if (multiples.length === 0) return undefined;
  return { multiples, rest: terms.filter((t) => t.k % c !== 0) };
}

/** e mod modulus = remainder, whatever the thread; modulus is a power of two. */
export interface Congruence {
  readonly modulus: number;
  readonly remainder: number;
}

const most = 1024;
const any: Congruence = { modulus: 1, remainder: 0 };
/** The largest power of two that divides x, at most `most`. */
const power = (x: number): number => (x === 0 ? most : Math.min(most, x & -x));
const of = (modulus: number, x: number): Congruence => ({
  modulus,
  remainder: ((x % modulus) + modulus) % modulus,
});

/** What is known of an integer expression's low bits, for alignment checks. */
export function congruence(e: Expr): Congruence {
  if (e.e === 'const') return of(most, Number(e.value));
  if (e.e !== 'binary') return any;
  const [a, b] = [congruence(e.a), congruence(e.b)];
  const common = Math.min(a.modulus, b.modulus);
  switch (e.fn) {
    case 'add':
      return of(common, a.remainder + b.remainder);
    case 'sub':
      return of(common, a.remainder - b.remainder);
    case 'xor':
      return of(common, a.remainder ^ b.remainder);
    case 'or':
      return of(common, a.remainder | b.remainder);
    case 'mul':
      return e.b.e === 'const'
        ? of(Math.min(most, a.modulus * power(Number(e.b.value))), a.remainder * Number(e.b.value))
        : any;
    case 'shl':
      return e.b.e === 'const' && Number(e.b.value) < 20
        ? of(Math.min(most, a.modulus * 2 ** Number(e.b.value)), a.remainder * 2 ** Number(e.b.value))
        : any;
    case 'and':
      // Bits that the mask clears are known.
      return e.b.e === 'const'
        ? of(Math.max(a.modulus, power(Number(e.b.value))), a.remainder & b.remainder)
        : any;
    default:
      return any;
  }
}
