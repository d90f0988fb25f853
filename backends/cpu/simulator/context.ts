/** What the parts of one simulation share. */
import type { ThreadKernel } from '../../../compiler/thread/nodes.ts';
import type { Clocks } from './clocks.ts';
import type { Findings } from './report.ts';
import type { Site } from './site.ts';

export interface Context {
  readonly kernel: ThreadKernel;
  readonly clocks: Clocks;
  readonly findings: Findings;
  readonly sites: readonly Site[];
  /** The block that runs, and its number from 0. */
  readonly block: { x: number; y: number; z: number; index: number };
}

export const showBlock = (c: Context): string => `(${c.block.x}, ${c.block.y}, ${c.block.z})`;
