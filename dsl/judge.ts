/** Judging a program's outputs against float64. */
import { fail } from '../compiler/diagnostics/error.ts';
import { countUnwritten, decodeArray, type HostArray, type HostElement } from '../compiler/ir/numeric.ts';
import type { Verification } from '../compiler/program.ts';
import type { RunBuffer } from './program.ts';

export interface Expected {
  readonly buffer: RunBuffer;
  readonly reference: () => ArrayLike<number>;
  readonly tolerance: number;
}

/** ‖out − ref‖ / ‖ref‖ that rounding to the type explains, with room for sums in another order. */
export const usualTolerance: Readonly<Record<HostElement, number>> = {
  f32: 1e-5,
  f16: 1e-3,
  bf16: 8e-3,
  i32: 0,
  u32: 0,
};

/** The worst of the outputs; one that has no reference must at least be written. */
export function judge(
  program: string,
  expected: readonly Expected[],
  outputs: ReadonlyMap<string, HostArray>,
): Verification {
  if (expected.length === 0) {
    fail('PAT0601', `program \`${program}\` gives no reference to verify against`, {
      help: 'say what an output must hold: run.expect(output, () => …)',
    });
  }
  let worst: Verification = { ok: true, relError: 0, maxAbsError: 0, unwritten: 0, tolerance: 0 };
  for (const { buffer, reference, tolerance } of expected) {
    const one = compare(buffer, outputs.get(buffer.name)!, reference(), tolerance);
    const worse = !one.ok || (worst.ok && !(one.relError <= worst.relError)) || worst.tolerance === 0;
    const unwritten = worst.unwritten + one.unwritten;
    worst = { ...(worse ? one : worst), ok: worst.ok && one.ok, unwritten };
  }
  return worst;
}

function compare(
  buffer: RunBuffer,
  data: HostArray,
  reference: ArrayLike<number>,
  tolerance: number,
): Verification {
  if (reference.length !== buffer.length) {
    fail(
      'PAT0101',
      `the reference of \`${buffer.name}\` has ${reference.length} elements, the buffer ${buffer.length}`,
    );
  }
  const out = decodeArray(buffer.element, data);
  let [difference, norm, maxAbsError] = [0, 0, 0];
  for (let i = 0; i < out.length; i++) {
    const error = Math.abs(out[i]! - reference[i]!);
    difference += error * error;
    norm += reference[i]! * reference[i]!;
    // Written so that a NaN sticks.
    if (!(error <= maxAbsError)) maxAbsError = error;
  }
  const relError = norm > 0 ? Math.sqrt(difference / norm) : Math.sqrt(difference);
  const unwritten = countUnwritten(buffer.element, data);
  return { ok: unwritten === 0 && relError <= tolerance, relError, maxAbsError, unwritten, tolerance };
}
