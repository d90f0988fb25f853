/** What the tuner and the child process that runs its candidates say to each other. */
import type { Spec, Tile } from '../program.ts';

export interface WorkerStart {
  readonly program: string;
  readonly on: 'webgpu' | 'cuda';
}

export interface CandidateRequest {
  readonly id: number;
  readonly kernel: string;
  readonly tile: Tile;
  readonly spec: Spec;
  readonly flags: Readonly<Record<string, string>>;
  readonly workload?: string;
  readonly seed: number;
  readonly repeats: number;
  /** Compare with the interpreter on a small instance first. */
  readonly check: boolean;
}

export type CandidateReply =
  | {
      readonly id: number;
      readonly ok: true;
      readonly us: number;
      readonly error: number;
      readonly clock: string;
    }
  | { readonly id: number; readonly ok: false; readonly why: string };

export interface WorkerReady {
  readonly ready: true;
  readonly device: string;
}

export interface WorkerBroken {
  readonly ready: false;
  readonly code: string;
  readonly message: string;
  readonly help?: string;
}
