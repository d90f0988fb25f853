/** What a lowering and a backend need to know of a target. Figures of devices (bandwidth, SM count) live in tune/. */
export interface Target {
  /** `cuda:sm_80`, `cuda:sm_90a`, `wgsl`, `wgsl:f16`, `wgsl:f16+subgroups` … */
  readonly name: string;
  readonly family: 'cuda' | 'wgsl';
  /** Lanes that run in lockstep and can shuffle; 1 where no shuffle may be used. */
  readonly warpSize: number;
  readonly maxThreads: number;
  /** Bytes of shared (workgroup) memory one block may use. */
  readonly sharedBytes: number;
  readonly maxRegisters: number;
  /** Global buffers a kernel may bind; lowering packs small read-only ones together beyond this. */
  readonly maxBuffers: number;
  readonly features: {
    /** mma.sync m16n8k16 with ldmatrix. */
    readonly mma: boolean;
    readonly cpAsync: boolean;
    /** Hopper: wgmma, setmaxnreg, TMA. */
    readonly hopper: boolean;
    /** f16 is a native storage and value type (always on CUDA; `shader-f16` on WGSL). */
    readonly f16: boolean;
  };
}

const cuda = (arch: string, sharedBytes: number, hopper: boolean): Target => ({
  name: `cuda:${arch}`,
  family: 'cuda',
  warpSize: 32,
  maxThreads: 1024,
  sharedBytes,
  maxRegisters: 255,
  maxBuffers: 256,
  features: { mma: true, cpAsync: true, hopper, f16: true },
});

const wgsl = (name: string, f16: boolean): Target => ({
  name,
  family: 'wgsl',
  warpSize: 1,
  maxThreads: 256,
  sharedBytes: 16384,
  maxRegisters: 128,
  maxBuffers: 8,
  features: { mma: false, cpAsync: false, hopper: false, f16 },
});

/** Shared-memory limits per block: CUDA C++ programming guide, compute capabilities 8.0 and 9.0; WebGPU default limits. */
export const targets: readonly Target[] = [
  cuda('sm_80', 166912, false),
  cuda('sm_90a', 232448, true),
  wgsl('wgsl', false),
  wgsl('wgsl:f16', true),
];

export const findTarget = (name: string): Target | undefined => targets.find((t) => t.name === name);
