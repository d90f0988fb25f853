/** How well predictions agree with measurements. */

/** Spearman's rank correlation; ties share their mean rank. NaN below two distinct values. */
export function spearman(x: readonly number[], y: readonly number[]): number {
  return pearson(ranks(x), ranks(y));
}

function ranks(values: readonly number[]): number[] {
  const order = values.map((_, i) => i).sort((a, b) => values[a]! - values[b]!);
  const result = new Array<number>(values.length);
  for (let i = 0; i < order.length;) {
    let j = i;
    while (j < order.length && values[order[j]!] === values[order[i]!]) j++;
    for (let t = i; t < j; t++) result[order[t]!] = (i + j - 1) / 2;
    i = j;
  }
  return result;
}

function pearson(x: readonly number[], y: readonly number[]): number {
  const mean = (v: readonly number[]): number => v.reduce((a, b) => a + b, 0) / v.length;
  const [mx, my] = [mean(x), mean(y)];
  let [xy, xx, yy] = [0, 0, 0];
  x.forEach((v, i) => {
    xy += (v - mx) * (y[i]! - my);
    xx += (v - mx) ** 2;
    yy += (y[i]! - my) ** 2;
  });
  return xy / Math.sqrt(xx * yy);
}

export const geometricMean = (values: readonly number[]): number =>
  Math.exp(values.reduce((sum, v) => sum + Math.log(v), 0) / values.length);

/** Root mean square of log(predicted / measured) as percent. */
export const rmsPercent = (predicted: readonly number[], measured: readonly number[]): number =>
  100 *
  (Math.exp(
    Math.sqrt(predicted.reduce((sum, p, i) => sum + Math.log(p / measured[i]!) ** 2, 0) / predicted.length),
  ) -
    1);
