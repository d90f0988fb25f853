/** What the programs of the examples share: settling spec and tile, and judging outputs against float64. */
import { fail } from '../compiler/diagnostics/error.ts';
import { countUnwritten, decodeArray, type HostArray, type HostElement } from '../compiler/ir/numeric.ts';
import type { KernelTemplate, RunOptions, Spec, Tile, Verification } from '../compiler/program.ts';

/** ‖out − ref‖ / ‖ref‖ that rounding to the type explains, with room for sums in another order. */
export const toleranceOf = (element: HostElement): number =>
  ({ f32: 1e-5, f16: 1e-3, bf16: 8e-3, i32: 0, u32: 0 })[element];

/** Compares an output with what float64 arithmetic gives on the same rounded inputs. */
export function verifyOutput(
  element: HostElement,
  data: HostArray,
  reference: Float64Array,
  tolerance = toleranceOf(element),
): Verification {
  const out = decodeArray(element, data);
  const unwritten = countUnwritten(element, data);
  let [difference, norm, maxAbsError] = [0, 0, 0];
  for (let i = 0; i < reference.length; i++) {
    const error = Math.abs(out[i]! - reference[i]!);
    difference += error * error;
    norm += reference[i]! * reference[i]!;
    // Written so that a NaN sticks.
    if (!(error <= maxAbsError)) maxAbsError = error;
  }
  const relError = norm > 0 ? Math.sqrt(difference / norm) : Math.sqrt(difference);
  const ok = unwritten === 0 && out.length === reference.length && relError <= tolerance;
  return { ok, relError, maxAbsError, unwritten, tolerance };
}

/** The kernel's spec with the command line's numbers in it, and the first tile that the device can run. */
export function specialise(template: KernelTemplate, options: RunOptions): { spec: Spec; tile: Tile } {
  const spec = { ...template.spec, ...options.spec };
  const tile = options.device.feasible(template, spec)[0];
  if (!tile) fail('PAT0306', `no tile of ${template.name} fits the device`);
  return { spec, tile };
}

/** A whole number from the program's flags. */
export function flag(options: RunOptions, name: string, usual: number): number {
  const text = options.flags[name];
  if (text === undefined) return usual;
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    fail('PAT0601', `--${name} is '${text}'; a whole number from 1 is needed`);
  return value;
}

/** A spec value that names the element type of tensors. */
export function storage(value: Spec[string] | undefined): HostElement {
  const known: readonly HostElement[] = ['f32', 'f16', 'bf16', 'i32', 'u32'];
  const element = known.find((e) => e === value);
  return element ?? fail('PAT0106', `'${value}' is no element type; there are ${known.join(', ')}`);
}
