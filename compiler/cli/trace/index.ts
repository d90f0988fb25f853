/** Writes the page of `--trace-html`. */
import type { Kernel } from '../../ir/nodes.ts';
import type { Pass } from '../../passes/index.ts';
import type { Target } from '../../target.ts';
import { write } from '../emission.ts';
import { merged, traceKernel } from './collect.ts';
import { tracePage } from './page.ts';

export interface Traced {
  readonly kernel: Kernel;
  /** Those that it is lowered for. */
  readonly targets: readonly Target[];
}

/** @throws PatcError PAT0605 where the file cannot be written */
export function writeTrace(
  file: string,
  title: string,
  kernels: readonly Traced[],
  passes: readonly Pass[],
): void {
  const trace = merged(kernels.map(({ kernel, targets }) => traceKernel(kernel, passes, targets)));
  write(file, tracePage(title, trace));
}
