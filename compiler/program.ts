/**
 * A program: host planning and kernels with typed intermediates. The command line, the tuner and the demo drive every
 * program through this interface; nothing here knows what a program computes.
 */
import type { Kernel } from './ir/nodes.ts';
import type { HostArray, HostBuffer } from './backend.ts';
import type { CellWorkload, LaunchWork } from './work.ts';

export type SpecValue = number | string;
export type Spec = Readonly<Record<string, SpecValue>>;
export type Tile = Readonly<Record<string, number>>;

/** A kernel before specialisation: traced once per (spec, tile). */
export interface KernelTemplate {
  readonly name: string;
  /** Facts of the model with their defaults. */
  readonly spec: Spec;
  /** What the tuner may choose: the candidate values of each number, first = default. */
  readonly tile: Readonly<Record<string, readonly number[]>>;
  /** Which combinations of the candidates are worth trying; all of them where absent. */
  where?(tile: Tile): boolean;
  /** `reads`, where given, collects the tile numbers that the kernel's function looked at: it depends on no other. */
  trace(spec: Spec, tile: Tile, reads?: Set<string>): Kernel;
}

/** One kernel at one tile, and what it is launched on. */
export interface ProgramLaunch {
  readonly template: KernelTemplate;
  readonly tile: Tile;
  readonly grid: readonly [number, number, number];
  /** Tensor parameter name -> buffer name. */
  readonly buffers: Readonly<Record<string, string>>;
  readonly scalars: Readonly<Record<string, number>>;
}

export interface Instance {
  readonly spec: Spec;
  readonly buffers: readonly HostBuffer[];
  readonly launches: readonly ProgramLaunch[];
  /**
   * Checks outputs against a float64 reference computed from the same rounded inputs. `unwritten` counts elements that
   * still hold the poison pattern or are NaN.
   */
  verify(outputs: ReadonlyMap<string, HostBuffer['data']>): Verification;
  /** Floating-point operations and bytes that any implementation must spend, for the floor. */
  readonly flops: number;
  readonly bytes: number;
  /** Program-specific fields of `run --json` (for example `plan`). */
  readonly report: Readonly<Record<string, unknown>>;
  /** Writes what anyone needs to recompute the outputs. */
  dump?(directory: string, outputs: ReadonlyMap<string, HostBuffer['data']>): void;
}

export interface Verification {
  readonly ok: boolean;
  readonly relError: number;
  readonly maxAbsError: number;
  readonly unwritten: number;
  readonly tolerance: number;
}

/** What the device offers, as far as host planning needs it. */
export interface DeviceShape {
  readonly family: 'cuda' | 'wgsl' | 'cpu';
  readonly units: number;
  /** Tiles of a template that compile for the device under `spec`. */
  feasible(template: KernelTemplate, spec: Spec): readonly Tile[];
}

export interface RunOptions {
  /** Workload text as given on the command line; programs without workloads ignore it. */
  readonly workload?: string;
  readonly seed: number;
  readonly spec: Spec;
  readonly device: DeviceShape;
  /** Program-specific flags, e.g. { packing: 'auto' }. */
  readonly flags: Readonly<Record<string, string>>;
  /** Whether the caller will ask for verification (reference data may then be kept). */
  readonly verify: boolean;
  /** Where large inputs come from, for a caller that shares them among runs; default: fresh random numbers. */
  readonly inputs?: InputSource;
}

export interface InputSource {
  /** The first `length` elements of input `name`, shared and read-only; undefined leaves the program to make its own. */
  take(name: string, element: HostBuffer['element'], length: number): HostArray | undefined;
}

export interface Program {
  readonly name: string;
  readonly kernels: readonly KernelTemplate[];
  /** Command-line flags of the program's own, each with what it means: `rows` is given as `--rows 100`. */
  readonly flags?: Readonly<Record<string, string>>;
  /** The instance that `patc check` simulates where the command line names none: small, and using every kernel. */
  readonly small?: {
    readonly workload?: string;
    readonly spec?: Spec;
    readonly flags?: Readonly<Record<string, string>>;
  };
  /** Concrete inputs, plan tables and launches for one run. */
  instantiate(options: RunOptions): Instance;
  /** Host planning alone, with no inputs made: what `patc plan` prints. For programs that plan. */
  plan?(options: RunOptions): PlanReport;
  /** At least `blocks` equal blocks of `rows` rows and `tokens` tokens under `spec`: what a tuner measures tile shapes with. */
  cell?(spec: Spec, rows: number, tokens: number, blocks: number): CellWorkload;
}

export interface PlanReport {
  /** The fields of `plan --json`; `ok` and `program` are added. */
  readonly document: Readonly<Record<string, unknown>>;
  /** What each launch does, for cost models: the tile shapes that the plan uses, and the work of their blocks. */
  readonly work?: readonly LaunchWork[];
  /** As an instance's: operations and bytes that any implementation must spend. */
  readonly flops?: number;
  readonly bytes?: number;
  /** The facts of the model that the workload and the flags amount to. */
  readonly spec?: Spec;
  /** The same for a terminal. */
  text(): string;
  /** The same as one self-contained page. */
  html?(): string;
}
