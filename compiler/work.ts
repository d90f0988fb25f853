/** What launches do, as far as a cost model needs it. Programs that plan say it of their plans; nothing here is of one program. */
import type { KernelTemplate, Tile } from './program.ts';

/**
 * Blocks that are alike, counted together: each works on `rows` rows and streams `tokens` elements of its loop's axis, whole
 * steps, in `pieces` (default 1) that no step spans, `active` of its rows taking part in the mean step (default: all).
 */
export interface BlockWork {
  readonly rows: number;
  readonly tokens: number;
  readonly active?: number;
  readonly pieces?: number;
  readonly count: number;
}

export interface LaunchWork {
  readonly template: KernelTemplate;
  readonly tile: Tile;
  readonly blocks: readonly BlockWork[];
  /** Bytes that the launch must read and write at least once. */
  readonly bytes: number;
}

/** A workload that consists of `count` equal blocks of `rows` rows and `tokens` tokens: what a tuner measures one cell with. */
export interface CellWorkload {
  readonly workload: string;
  /** What the blocks really are, where rounding made them differ from what was asked. */
  readonly rows: number;
  readonly tokens: number;
  readonly count: number;
}
