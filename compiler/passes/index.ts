/** The Tile IR pipeline, in order. Every pass is Kernel to Kernel, verified by verifyKernel, and runs alone by name. */
import type { Kernel } from '../ir/nodes.ts';
import { eliminateDead } from './eliminate-dead.ts';
import { hoistFromRows } from './hoist-from-rows.ts';
import { predicateRows } from './predicate-rows.ts';

export interface Pass {
  readonly name: string;
  readonly run: (kernel: Kernel) => Kernel;
}

export const pipeline: readonly Pass[] = [
  { name: 'eliminate-dead', run: eliminateDead },
  { name: 'hoist-from-rows', run: hoistFromRows },
  { name: 'predicate-rows', run: predicateRows },
  { name: 'eliminate-dead-again', run: eliminateDead },
];

/** Passes by the names that `patc opt --passes` takes. */
export const passes: ReadonlyMap<string, Pass> = new Map(pipeline.map((p) => [p.name, p]));

export interface PassOptions {
  /** Sees the kernel after each pass. */
  readonly after?: (pass: string, kernel: Kernel) => void;
  /** The last pass that runs (default: all of them). */
  readonly until?: string | undefined;
}

/** Runs the pipeline. */
export function runPasses(kernel: Kernel, options: PassOptions = {}): Kernel {
  let k = kernel;
  for (const pass of pipeline) {
    k = pass.run(k);
    options.after?.(pass.name, k);
    if (pass.name === options.until) break;
  }
  return k;
}
