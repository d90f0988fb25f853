/** One tile shape on one target: lowered, with what a block of it uses and does. */
import { PatcError, type Diagnostic } from '../diagnostics/error.ts';
import type { Lowering } from '../cli/lowering.ts';
import { specOf } from '../cli/options.ts';
import type { KernelTemplate, Spec, Tile } from '../program.ts';
import type { ThreadKernel } from '../thread/nodes.ts';
import type { DeviceDescription } from './devices.ts';
import { figureOf } from './devices.ts';
import { issueOf, type LoopIssue } from './issue.ts';
import { estimateRegisters } from './pressure.ts';
import { workOf, type KernelWork } from './work.ts';

export interface Registers {
  readonly perThread: number;
  readonly spillBytes: number;
  readonly from: 'nvcc' | 'estimate';
}

export interface Configuration {
  readonly template: KernelTemplate;
  readonly spec: Spec;
  readonly tile: Tile;
  readonly kernel: ThreadKernel;
  readonly work: KernelWork;
  readonly threads: number;
  readonly sharedBytes: number;
  readonly registers: Registers;
  /** 32-bit values of a thread that are alive at once, as estimated. */
  readonly pressure: number;
  /** Steps whose data are on their way while one is worked on: 0 without asynchronous copies. */
  readonly ahead: number;
  /** Warps that only copy. */
  readonly producers: number;
  /** What products run on: instructions of a warp, of a group of four warps, or of single lanes. */
  readonly matrix: 'mma' | 'wgmma' | 'none';
  /** What the warps issue in a step of the main loop. */
  readonly issue: LoopIssue;
}

/** A shape that lowering refuses: its own diagnostic is the reason. */
export interface Refused {
  readonly template: KernelTemplate;
  readonly tile: Tile;
  readonly diagnostic: Diagnostic;
}

export const isRefused = (c: Configuration | Refused): c is Refused => 'diagnostic' in c;

export function configure(
  lowering: Lowering,
  template: KernelTemplate,
  spec: Spec,
  tile: Tile,
): Configuration | Refused {
  try {
    const kernel = lowering.lower(template, spec, tile);
    const text = instructionsOf(kernel);
    const asynchronous = text.has('cpAsync') || text.has('tensorCopy');
    const pressure = estimateRegisters(kernel.body);
    const producers = text.has('mbarrierWait') ? Math.max(1, tile['producers'] ?? 1) : 0;
    return {
      template,
      spec,
      tile,
      kernel,
      work: workOf(template.trace(specOf(template, spec), tile)),
      threads: kernel.threads,
      sharedBytes: kernel.sharedBytes,
      registers: { perThread: pressure, spillBytes: 0, from: 'estimate' },
      pressure,
      ahead: asynchronous ? Math.max(1, (tile['stages'] ?? 2) - 1) : 0,
      producers,
      matrix: text.has('wgmma') ? 'wgmma' : text.has('mma') ? 'mma' : 'none',
      issue: issueOf(kernel),
    };
  } catch (error) {
    if (!(error instanceof PatcError) || !/^PAT03/.test(error.code)) throw error;
    return { template, tile, diagnostic: error.diagnostics[0]! };
  }
}

function instructionsOf(kernel: ThreadKernel): Set<string> {
  const found = new Set<string>();
  const visit = (stmts: ThreadKernel['body']): void => {
    for (const s of stmts) {
      found.add(s.s);
      if (s.s === 'for' || s.s === 'while') visit(s.body);
      if (s.s === 'if') [s.then, s.else].forEach(visit);
    }
  };
  visit(kernel.body);
  return found;
}

/** What nvcc says in place of the estimate. */
export const withRegisters = (c: Configuration, perThread: number, spillBytes: number): Configuration => ({
  ...c,
  registers: { perThread, spillBytes, from: 'nvcc' },
});

/** Blocks that a unit holds at a time, and what holds it there. */
export function residency(c: Configuration, device: DeviceDescription): { blocks: number; bound: string } {
  const registers =
    Math.ceil(Math.min(c.registers.perThread, figureOf(device, 'registersPerThread')) / 8) * 8;
  // CUDA keeps 1 KiB of shared memory per resident block for itself.
  const reserved = device.family === 'cuda' ? 1024 : 0;
  const limits: [string, number][] = [
    ['threads', Math.floor(figureOf(device, 'threadsPerUnit') / c.threads)],
    ['registers', Math.floor(figureOf(device, 'registersPerUnit') / (registers * c.threads))],
    ['blocks', figureOf(device, 'blocksPerUnit')],
  ];
  if (c.sharedBytes > 0) {
    limits.push([
      'shared memory',
      Math.floor(figureOf(device, 'sharedPerUnit') / (c.sharedBytes + reserved)),
    ]);
  }
  const [bound, blocks] = limits.reduce((least, l) => (l[1] < least[1] ? l : least));
  return { blocks: Math.max(0, blocks), bound };
}
