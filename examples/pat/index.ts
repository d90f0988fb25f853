/** Prefix-aware decode attention: planning on the host, and the program of its kernels. */
import { forward } from './forward.ts';
import { merge } from './merge.ts';
import { makeProgram } from './program.ts';

export { forward } from './forward.ts';
export { merge } from './merge.ts';
export { makeBatch, type Batch, type BatchInput, type SequenceInput } from './batch.ts';
export { figuresOf, planCosts, type DeviceFigures, type PlanCosts, type TileShape } from './cost.ts';
export { checkCoverage, coverageFaults } from './coverage.ts';
export { executePlan } from './execute.ts';
export { makeFixed, writeFixed, type Capacity, type FixedTables } from './fixed.ts';
export { buildForest, type Forest } from './forest.ts';
export { parseHeads, type Heads } from './heads.ts';
export { planDocument } from './json.ts';
export {
  defaultCosts,
  defaultTiles,
  makePlan,
  packings,
  type Packing,
  type Plan,
  type PlanOptions,
} from './plan.ts';
export { predict } from './predict.ts';
export { makeProgram, type VariantOptions } from './program.ts';
export { Planner } from './repair.ts';
export { reference } from './reference.ts';
export { summarise, type PlanSummary } from './summary.ts';
export type { PlanTables } from './tables.ts';
export { planText } from './text.ts';
export { formatWork, parseWork, workStates } from './workload/language/index.ts';
export { loadWorkload, type WorkloadOptions } from './workload/index.ts';

export const pat = makeProgram({ forward, merge });
export default pat;
