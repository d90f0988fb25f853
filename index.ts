/** patc: the language, Tile IR and its text, and the diagnostics; the command line is `patc`. */
export * from './dsl/index.ts';
export type { Kernel } from './compiler/ir/nodes.ts';
