/**
 * The simulator of Thread IR: what a GPU would do, watched. See docs/simulator.md.
 *
 * `simulate` runs one launch; `simulateRequest` runs a device's request, launch by launch, so that the simulator stands
 * in for a device.
 */
export { simulate, type SimulateOptions } from './simulate.ts';
export { simulateRequest, type SimulationResult } from './request.ts';
export { openSimulator, type SimulatorDevice } from './device.ts';
export type { Finding, SimulationReport, SimulationStatistics } from './report.ts';
export type { AccessStatistics } from './statistics.ts';
