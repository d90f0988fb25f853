/**
 * The error function to double precision: Kummer's series near 0 (all terms positive, so nothing cancels), the
 * continued fraction of erfc further out (Abramowitz and Stegun, 7.1.6 and 7.1.14).
 */
export function erf(x: number): number {
  const z = Math.abs(x);
  if (z !== z) return x;
  if (z > 6) return Math.sign(x);
  const scale = 2 / Math.sqrt(Math.PI);
  if (z < 2.5) {
    // erf(z) = 2/sqrt(pi) e^(-z^2) sum over n of 2^n z^(2n+1) / (1*3*...*(2n+1))
    let term = z;
    let sum = z;
    for (let n = 1; term > sum * 2 ** -54; n++) {
      term *= (2 * z * z) / (2 * n + 1);
      sum += term;
    }
    return Math.sign(x) * scale * Math.exp(-z * z) * sum;
  }
  // erfc(z) = e^(-z^2)/sqrt(pi) * 1/(z + (1/2)/(z + 1/(z + (3/2)/(z + ...)))), from the inside out.
  let tail = z;
  for (let k = 60; k >= 1; k--) tail = z + k / 2 / tail;
  return Math.sign(x) * (1 - (Math.exp(-z * z) * scale) / 2 / tail);
}
