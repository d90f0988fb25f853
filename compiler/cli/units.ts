/** The machine that a plan is made for when none is present: the usual card of each target. */
import type { DeviceShape } from '../program.ts';
import type { Lowering } from './lowering.ts';

const units: Readonly<Record<string, number>> = {
  // NVIDIA data sheets: 108 SMs on the A100, 132 on the H100 SXM.
  'cuda:sm_80': 108,
  'cuda:sm_90a': 132,
};
/** WebGPU does not say how many compute units there are. */
const unknownUnits = 32;

export const planningShape = (lowering: Lowering): DeviceShape => ({
  family: lowering.target.family,
  units: units[lowering.target.name] ?? unknownUnits,
  feasible: (template, spec) => lowering.feasible(template, spec),
});
