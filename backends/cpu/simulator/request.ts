/** What a device's `run` does, simulated: launches in order, on copies of the buffers. */
import { packRequest } from '../../../compiler/thread/packed.ts';
import type { HostArray, HostBuffer, RunRequest, RunResult } from '../../../compiler/backend.ts';
import { fail } from '../../../compiler/diagnostics/error.ts';
import { poisoned } from '../../../compiler/ir/numeric.ts';
import type { SimulationReport } from './report.ts';
import { simulate, type SimulateOptions } from './simulate.ts';

export interface SimulationResult extends RunResult {
  /** One per launch that ran; a launch that cannot finish ends the request. */
  readonly reports: readonly SimulationReport[];
}

/** Elements that hold the poison pattern hold no data: kernels must write them before they read them. */
function writtenOf(b: HostBuffer, data: HostArray): Uint8Array {
  const raw = (x: HostArray): Uint32Array | Uint16Array =>
    x instanceof Uint16Array ? x : new Uint32Array(x.buffer, x.byteOffset, x.length);
  const poison = raw(poisoned(b.element, 1))[0]!;
  return Uint8Array.from(raw(data), (bits) => (bits === poison ? 0 : 1));
}

/**
 * Runs a request; with `maxBlocks` a sample of each launch, whose outputs are then incomplete.
 * Outputs come back as from a device, with a report per launch. Throws PAT0408 for launches that do not
 * fit their kernels.
 */
export function simulateRequest(
  asked: RunRequest,
  options: Omit<SimulateOptions, 'written'> = {},
): SimulationResult {
  const request = packRequest(asked);
  const arrays = new Map(request.buffers.map((b) => [b.name, b.data.slice()]));
  const written = new Map<HostArray, Uint8Array>(
    request.buffers.map((b) => [arrays.get(b.name)!, writtenOf(b, b.data)] as const),
  );
  const reports: SimulationReport[] = [];
  for (const launch of request.launches) {
    const kernel = request.kernels[launch.kernel];
    if (!kernel) fail('PAT0408', `there is no kernel ${launch.kernel} to launch`);
    const buffers = new Map<string, HostArray>();
    for (const [parameter, name] of Object.entries(launch.buffers)) {
      const array = arrays.get(name);
      if (!array) fail('PAT0408', `${kernel.name}: there is no buffer ${name} for ${parameter}`);
      buffers.set(parameter, array);
    }
    const report = simulate(kernel, launch.grid, buffers, launch.scalars, { ...options, written });
    reports.push(report);
    // Blocks that were left out would have written; later launches must not be blamed for reading that.
    const [x, y, z] = launch.grid;
    if (report.statistics.blocks < x * y * z)
      for (const b of kernel.buffers) if (b.access !== 'read') written.get(buffers.get(b.name)!)?.fill(1);
    if (report.errors.some((e) => e.code === 'PAT0407')) break;
  }
  const outputs = request.buffers.filter((b) => b.output).map((b) => [b.name, arrays.get(b.name)!] as const);
  return { device: 'Thread IR simulator', outputs: new Map(outputs), reports };
}
