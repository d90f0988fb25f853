/** patc/dsl: what a kernel author imports. */
export { bf16, bool, f16, f32, i32, tune, u32, type Element, type StorageElement } from './elements.ts';
export { kernel, type KernelOptions, type Numbers, type TileSpace } from './kernel.ts';
export {
  program,
  type LaunchOptions,
  type ProgramOptions,
  type Run,
  type RunBuffer,
  type TypedTemplate,
} from './program.ts';
export { KernelContext, type Next, type Range, type Scalar, type TensorOptions } from './context.ts';
export type { TileRecord } from './control.ts';
export { Tile } from './tile.ts';
export { Tensor, type Index, type LoadOptions, type StoreOptions } from './tensor.ts';
export type { Operand, Shape, Shaped } from './shapes.ts';
export type {
  Instance,
  KernelTemplate,
  Program,
  ProgramLaunch,
  RunOptions,
  Spec,
  SpecValue,
  Verification,
} from '../compiler/program.ts';
export { PatcError, type Diagnostic } from '../compiler/diagnostics/error.ts';
