/** Runs the warps of one block: each as far as it gets, then the next, until all are done or none can go on. */
import { showSpan } from '../../../compiler/ir/span.ts';
import { showBlock, type Context } from './context.ts';
import type { Copies } from './copies.ts';
import type { MBarriers } from './mbarriers.ts';
import type { SharedMemory } from './shared.ts';
import type { Site } from './site.ts';
import type { Wgmma } from './wgmma.ts';

/** What a compiled kernel gives. */
export interface Program {
  main(w: number, mask: number): Generator<number, void, void>;
  /** For a warp that waits on an mbarrier: the offset and parity of its first lane. */
  readonly waitAt: Int32Array;
  readonly waitParity: Int32Array;
  /** Statements that warps executed: in this block, and since the start. */
  steps(): number;
  total(): number;
  block(x: number, y: number, z: number): void;
}

export interface BlockRunner {
  readonly context: Context;
  readonly program: Program;
  readonly full: Int32Array;
  readonly shared: SharedMemory;
  readonly copies: Copies;
  readonly barriers: MBarriers;
  readonly wgmma: Wgmma;
  /** Statements that the warps of one block may execute. */
  readonly limit: number;
  /** Block barriers that completed. */
  passed: number;
}

interface Warp {
  readonly w: number;
  readonly run: Generator<number, void, void>;
  /** Where it waits. */
  site: Site | undefined;
  done: boolean;
}

/** False where the block cannot finish; the findings say why. */
export function runBlock(r: BlockRunner): boolean {
  const { context, program } = r;
  context.clocks.barrier(true);
  r.shared.reset();
  r.copies.reset();
  r.barriers.reset();
  r.wgmma.reset();
  program.block(context.block.x, context.block.y, context.block.z);
  const warps = Array.from(r.full, (mask, w): Warp => {
    return { w, run: program.main(w, mask), site: undefined, done: false };
  });
  for (;;) {
    let moved = false;
    for (const warp of warps) {
      if (warp.done || warp.site?.info.kind === 'barrier') continue;
      if (advance(r, warp)) moved = true;
    }
    if (program.steps() > r.limit) return endless(r, warps);
    if (warps.every((x) => x.done)) {
      r.wgmma.finish();
      return true;
    }
    if (meetings(r, warps)) moved = true;
    // Copies that an mbarrier tracks land only when nothing else can happen: as late as the hardware may.
    if (!moved && !r.copies.progress()) return deadlock(r, warps);
  }
}

/** Whether the warp did anything. */
function advance(r: BlockRunner, warp: Warp): boolean {
  const before = warp.site;
  const steps = r.program.steps();
  const next = warp.run.next();
  warp.done = next.done === true;
  warp.site = next.done ? undefined : r.context.sites[next.value];
  return warp.done || warp.site !== before || r.program.steps() !== steps;
}

/** How many warps a barrier is for, from the first. */
const sizeOf = (site: Site, warps: readonly Warp[]): number =>
  site.info.threads === undefined ? warps.length : Math.ceil(site.info.threads / 32);

/** Lets go of every barrier that all its warps have reached. */
function meetings(r: BlockRunner, warps: readonly Warp[]): boolean {
  const at = warps.filter((x) => x.site?.info.kind === 'barrier');
  let any = false;
  for (const size of new Set(at.map((x) => sizeOf(x.site!, warps)))) {
    const here = at.filter((x) => sizeOf(x.site!, warps) === size);
    const stranger = here.find((x) => x.w >= size);
    if (stranger) foreign(r, stranger, size);
    const members = warps.slice(0, size);
    if (!members.every((x) => x.done || here.includes(x))) continue;
    meet(r, members, here, size);
    any = true;
  }
  return any;
}

function foreign(r: BlockRunner, x: Warp, size: number): void {
  r.context.findings.add(
    `barrier foreign ${x.site!.place}`,
    'PAT0403',
    `warp ${x.w} of block ${showBlock(r.context)} is at this barrier of the first ${32 * size} threads, and is not among them`,
    x.site!.span,
    under(x.site!),
    'count the warps that reach the barrier',
  );
}

/** All warps of a barrier that have not left stand at it, or at another for the same warps. */
function meet(r: BlockRunner, warps: readonly Warp[], waiting: readonly Warp[], size: number): void {
  const { findings, clocks } = r.context;
  const first = waiting[0]!;
  const block = showBlock(r.context);
  const other = waiting.find((x) => x.site !== first.site);
  if (other)
    findings.add(
      `barrier ${first.site!.place} ${other.site!.place}`,
      'PAT0403',
      `warp ${other.w} of block ${block} is at this barrier while warp ${first.w} is at another`,
      other.site!.span,
      [{ text: `warp ${first.w} waits here`, span: first.site!.span }, ...under(other.site!)],
      'all threads must reach the same barriers: move it out of the condition',
    );
  const gone = warps.find((x) => x.done);
  if (gone)
    findings.add(
      `barrier left ${first.site!.place}`,
      'PAT0403',
      `warp ${gone.w} of block ${block} has ended while warp ${first.w} waits at this barrier`,
      first.site!.span,
      under(first.site!),
      'all threads must reach the same barriers: move it out of the condition',
    );
  for (const x of waiting) x.site = undefined;
  clocks.groupBarrier(size);
  r.passed++;
}

export const under = (site: Site): { text: string; span: NonNullable<Site['info']['control']> }[] =>
  site.info.control ? [{ text: 'under this condition', span: site.info.control }] : [];

function endless(r: BlockRunner, warps: readonly Warp[]): false {
  const at = warps.find((x) => x.site?.info.kind === 'loop') ?? warps[0]!;
  r.context.findings.add(
    'endless',
    'PAT0407',
    `block ${showBlock(r.context)} did not finish within ${r.limit} warp statements`,
    at.site?.span ?? r.context.kernel.span,
    [{ text: `warp ${at.w} runs here`, ...(at.site ? { span: at.site.span } : {}) }],
    'check that the loop ends, and that what it waits for happens',
  );
  return false;
}

function deadlock(r: BlockRunner, warps: readonly Warp[]): false {
  const waiting = warps.filter((x) => !x.done);
  const first = waiting.find((x) => x.site?.info.kind === 'mbarrier') ?? waiting[0]!;
  const groups = new Map<string, Warp[]>();
  for (const x of waiting) {
    const what = describe(r, x);
    groups.set(what, [...(groups.get(what) ?? []), x]);
  }
  const notes = [...groups].map(([what, group]) => {
    const who = group.length === 1 ? 'warp' : 'warps';
    return { text: `${who} ${group.map((x) => x.w).join(', ')}: ${what}`, span: group[0]!.site!.span };
  });
  const done = warps.filter((x) => x.done).map((x) => x.w);
  r.context.findings.add(
    `deadlock ${first.site!.place}`,
    'PAT0407',
    `no warp of block ${showBlock(r.context)} can go on`,
    first.site!.span,
    done.length ? [...notes, { text: `warps that have ended: ${done.join(', ')}` }] : notes,
    'every wait needs its arrivals: check their count, and the parity that the wait names',
  );
  return false;
}

function describe(r: BlockRunner, x: Warp): string {
  const site = x.site!;
  if (site.info.kind !== 'mbarrier') return `at the barrier of ${showSpan(site.span)}`;
  const at = r.shared.buffer(site).offset + r.program.waitAt[x.w]!;
  return `waits for parity ${r.program.waitParity[x.w]! & 1} of ${r.barriers.describe(at)}`;
}
