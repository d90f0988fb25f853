/** The simulator as a device, for `--on simulator`: whatever it finds is an error. */
import type { Device } from '../../../compiler/backend.ts';
import { PatcError } from '../../../compiler/diagnostics/error.ts';
import type { Target } from '../../../compiler/target.ts';
import { simulateRequest, type SimulationResult } from './request.ts';

export interface SimulatorDevice extends Device {
  run(request: Parameters<Device['run']>[0]): Promise<SimulationResult>;
}

/** Blocks run one after the other; the planner fills this many units. */
const units = 8;

/** Runs kernels that were lowered for `target`. `run` throws a PatcError with every error of every launch. */
export function openSimulator(target: Target): SimulatorDevice {
  return {
    description: `CPU (Thread IR simulator, ${target.name})`,
    target,
    units,
    run(request) {
      const result = simulateRequest(request);
      const [first, ...rest] = result.reports.flatMap((r) => r.errors);
      return first ? Promise.reject(new PatcError(first, ...rest)) : Promise.resolve(result);
    },
    close: () => Promise.resolve(),
  };
}
