/** One launch of one kernel: every block, every warp, every lane, with all checks. */
import type { HostArray } from '../../../compiler/backend.ts';
import { walkStmts } from '../../../compiler/thread/build.ts';
import type { ThreadKernel } from '../../../compiler/thread/nodes.ts';
import { bindBuffers, bindParams, checkGrid, type BoundBuffer, type Grid } from './arguments.ts';
import { runBlock, under, type BlockRunner, type Program } from './block.ts';
import { Clocks } from './clocks.ts';
import { compileKernel } from './compile.ts';
import { showBlock, type Context } from './context.ts';
import { Copies } from './copies.ts';
import { GlobalMemory, type GlobalState } from './global.ts';
import { GlobalShadow } from './global-shadow.ts';
import { helpers } from './helpers.ts';
import { MBarriers } from './mbarriers.ts';
import { Findings, makeReport, type SimulationReport } from './report.ts';
import { SharedMemory } from './shared.ts';
import { Wgmma } from './wgmma.ts';
import { accessesOf, Site } from './site.ts';

export interface SimulateOptions {
  /** Warp statements after which a block counts as endless. */
  readonly maxStatements?: number;
  /** Runs at most this many blocks, evenly spread, the first and the last among them. The outputs are then incomplete. */
  readonly maxBlocks?: number;
  /**
   * Per array, which elements hold data (1) at the start; reads of others are errors, and writes are noted here. Arrays
   * without an entry hold data, except those that the kernel may only write.
   */
  readonly written?: ReadonlyMap<HostArray, Uint8Array>;
}

const defaultLimit = 20_000_000;

/**
 * Runs a kernel on host arrays, in place. The report has every error with the author's places; the kernel runs on after
 * one, so that one run shows them all, but its results then mean nothing.
 *
 * `buffers`: an array per buffer, typed by its element (halves as their bits). `scalars`: every argument.
 * Throws PAT0408 for arguments that do not fit the kernel.
 */
export function simulate(
  kernel: ThreadKernel,
  grid: Grid,
  buffers: ReadonlyMap<string, HostArray>,
  scalars: Readonly<Record<string, number>>,
  options: SimulateOptions = {},
): SimulationReport {
  checkGrid(kernel, grid);
  const params = bindParams(kernel, scalars);
  const bound = bindBuffers(kernel, buffers, params);
  const compiled = compileKernel(kernel);
  const sites = compiled.sites.map((info, i) => new Site(i, info));
  const clocks = new Clocks(compiled.warps);
  const findings = new Findings();
  const block = { x: 0, y: 0, z: 0, index: 0 };
  const context: Context = { kernel, clocks, findings, sites, block };
  const shared = new SharedMemory(context, kernel.sharedBytes, kernel.shared, compiled.shift);
  const barriers = new MBarriers(context, shared);
  const copies = new Copies(context, shared, barriers);
  const wgmma = new Wgmma(context, shared);
  const states = globalStates(kernel, bound, options);
  const limit = options.maxStatements ?? defaultLimit;
  const full = Int32Array.from({ length: compiled.warps }, (_, w) => {
    const lanes = Math.min(32, kernel.threads - 32 * w);
    return lanes === 32 ? -1 : (1 << lanes) - 1;
  });
  const rt = {
    helpers,
    S: shared,
    C: copies,
    B: barriers,
    W: wgmma,
    clocks,
    full,
    limit,
    sites,
    params: Object.fromEntries(params),
    globals: kernel.buffers.map(
      (b, i) => new GlobalMemory(context, b, bound[i]!.data, bound[i]!.length, states.get(bound[i]!.data)!),
    ),
    ...warpFindings(context),
  };
  const program = new Function('rt', compiled.source)(rt) as Program;
  const runner: BlockRunner = { context, program, full, shared, copies, barriers, wgmma, limit, passed: 0 };
  const blocks = runGrid(runner, grid, options.maxBlocks ?? Infinity);
  return makeReport(kernel.name, findings, {
    blocks,
    statements: program.total(),
    barriers: runner.passed,
    sharedBytes: kernel.sharedBytes,
    sharedPeak: shared.peak,
    accesses: accessesOf(sites),
  });
}

/** Blocks that ran to their end. */
function runGrid(runner: BlockRunner, [nx, ny, nz]: Grid, most: number): number {
  const { block } = runner.context;
  const blocks = nx * ny * nz;
  const count = Math.min(blocks, Math.max(1, Math.floor(most)));
  for (let n = 0; n < count; n++) {
    const index = count === blocks ? n : Math.round((n * (blocks - 1)) / Math.max(1, count - 1));
    block.index = index;
    block.x = index % nx;
    block.y = Math.floor(index / nx) % ny;
    block.z = Math.floor(index / (nx * ny));
    if (!runBlock(runner)) return n;
  }
  return count;
}

/** What is tracked per array; buffers that are bound to one array share it. */
function globalStates(
  kernel: ThreadKernel,
  bound: readonly BoundBuffer[],
  options: SimulateOptions,
): Map<HostArray, GlobalState> {
  const stored = new Set<HostArray>();
  const arrayOf = (name: string): HostArray => bound[kernel.buffers.findIndex((b) => b.name === name)]!.data;
  walkStmts(kernel.body, (s) => {
    if (s.s === 'storeGlobal' || s.s === 'storeGlobalWords' || s.s === 'atomicGlobal')
      stored.add(arrayOf(s.buffer.name));
  });
  const states = new Map<HostArray, GlobalState>();
  for (const { data } of bound) {
    if (states.has(data)) continue;
    const writeOnly = kernel.buffers.every((b, i) => bound[i]!.data !== data || b.access === 'write');
    const written = options.written?.get(data) ?? (writeOnly ? new Uint8Array(data.length) : undefined);
    const shadow = stored.has(data) ? new GlobalShadow(data.length) : undefined;
    states.set(data, { written, shadow });
  }
  return states;
}

/** Findings that the generated code reports itself. */
function warpFindings(context: Context): {
  undef: (site: Site, w: number, lanes: number, name: string) => void;
  partial: (site: Site, w: number, mask: number) => void;
} {
  const { findings } = context;
  const firstOf = (mask: number): number => 31 - Math.clz32(mask & -mask);
  return {
    undef(site, w, lanes, name) {
      findings.add(
        `register ${site.place} ${name}`,
        'PAT0404',
        `thread ${32 * w + firstOf(lanes)} of block ${showBlock(context)} reads the register ${name}, which holds nothing yet`,
        site.span,
        [],
        'give it a value on every path that leads here',
      );
    },
    partial(site, w, mask) {
      const what = site.info.kind === 'barrier' ? 'this barrier' : `this ${site.info.buffer}`;
      const lanes = Array.from({ length: 32 }, (_, l) => l).filter((l) => (mask >>> l) & 1);
      const some = lanes.length > 8 ? `${lanes.slice(0, 8).join(', ')} …` : lanes.join(', ');
      findings.add(
        `partial ${site.place}`,
        'PAT0403',
        `only some lanes (${some}) of warp ${w} of block ${showBlock(context)} reach ${what}`,
        site.span,
        under(site),
        'all its threads must take part: move it out of the condition',
      );
    },
  };
}
