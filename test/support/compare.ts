/** Comparing what two executors left in one buffer. */
import type { HostBuffer } from '../../compiler/backend.ts';
import { operandsOf, regionsOf, resultsOf, type Kernel, type Region } from '../../compiler/ir/nodes.ts';
import { decodeArray, unitRoundoff, type HostArray } from '../../compiler/ir/numeric.ts';

/** The largest rounding error of any element type that the kernel computes with. */
export function roughestRoundoff(kernel: Kernel): number {
  let roughest = 2 ** -24;
  const visit = (region: Region): void => {
    for (const op of region.ops) {
      for (const { type } of [...operandsOf(op), ...resultsOf(op)])
        if (type.element !== 'bool') roughest = Math.max(roughest, unitRoundoff(type.element));
      regionsOf(op).forEach(visit);
    }
  };
  visit(kernel.body);
  return roughest;
}

/**
 * What is wrong with `got`, or undefined. Integers must be equal. A float may differ by 16 roundings of its own size and
 * of the buffer's root mean square (sums in another order lose relative to their largest terms), or by `tolerance`.
 */
export function difference(
  buffer: Pick<HostBuffer, 'name' | 'element'>,
  got: HostArray,
  want: HostArray,
  roundoff: number,
  tolerance?: number,
): string | undefined {
  const { name, element } = buffer;
  if (got.length !== want.length) return `${name} has ${got.length} elements, not ${want.length}`;
  const [a, b] = [decodeArray(element, got), decodeArray(element, want)];
  const finite = b.filter(Number.isFinite);
  const rms = Math.sqrt(finite.reduce((sum, x) => sum + x * x, 0) / Math.max(1, finite.length));
  const exact = element === 'i32' || element === 'u32';
  let [wrong, first] = [0, -1];
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i]!, b[i]!];
    if (Object.is(x, y) || x === y) continue;
    const usual = tolerance ?? 16 * roundoff * (Math.abs(y) + rms);
    const allowed = exact || !Number.isFinite(y) ? 0 : usual;
    if (Math.abs(x - y) <= allowed) continue;
    if (wrong++ === 0) first = i;
  }
  if (wrong === 0) return undefined;
  return `${wrong} of ${a.length} elements of ${name} differ, first [${first}]: ${a[first]}, not ${b[first]}`;
}
