/**
 * Tile IR to Thread IR. In order: passes; analysis (which tiles are lazy, staged or in registers); layouts; emission, from
 * effects back to what they need; then shared memory is placed and barriers inserted over the finished statements.
 */
import { fail } from '../diagnostics/error.ts';
import { regionsOf, type Kernel, type Region } from '../ir/nodes.ts';
import { runPasses, type PassOptions } from '../passes/index.ts';
import type { Target } from '../target.ts';
import type { SharedBuffer, ThreadKernel, ThreadParam } from '../thread/nodes.ts';
import { packBuffers } from '../thread/packed.ts';
import { verifyThread } from '../thread/verify.ts';
import { allocateShared } from './allocate.ts';
import { Analysis } from './analysis.ts';
import { LayoutPlan } from './assign-layouts.ts';
import { insertBarriers } from './barriers.ts';
import { Context, regTypeOf } from './context.ts';
import { lateWaits } from './late-waits.ts';
import { lowerOps } from './regions.ts';
import { copiesChunks, ringBlocks, roleRegisters, withProducer } from './ring.ts';

/** Lowers one specialised kernel for a target. PAT03xx when the tile cannot be lowered or does not fit. */
export function lowerKernel(
  kernel: Kernel,
  target: Target,
  passes: Pick<PassOptions, 'until'> = {},
): ThreadKernel {
  return lowerOptimised(runPasses(kernel, passes), target);
}

/** The same for what the passes have left, which shapes that are traced alike share. */
export function lowerOptimised(optimised: Kernel, target: Target): ThreadKernel {
  const analysis = new Analysis(optimised);
  const plan = new LayoutPlan(optimised, target, analysis);
  if (plan.threads > target.maxThreads)
    fail('PAT0304', `${plan.threads} threads a block, ${target.name} allows ${target.maxThreads}`, {
      span: optimised.span,
    });
  const ctx = new Context(optimised, target, analysis, plan);
  const { stmts } = ctx.emitter.open({ region: optimised.body }, () => lowerOps(ctx, optimised.body));
  const sharedBytes = allocateShared(ctx.shared, stmts, ctx.ring ? ctx.managed : undefined);
  if (sharedBytes > target.sharedBytes) overflow(optimised, target, ctx.shared, sharedBytes);
  const ordered = lateWaits(insertBarriers(stmts, ctx.managed, exchangedTensors(optimised)));
  // Registers change hands by warpgroups: the producers are a whole one then, of which some warps idle.
  const copiers = ctx.ring ? 32 * ctx.ring.producers : 0;
  const threads = plan.threads + (ctx.wgmma ? 128 * Math.ceil(copiers / 128) : copiers);
  const registers =
    ctx.ring && ctx.wgmma
      ? roleRegisters(target, copiesChunks(ctx.ring), plan.threads, threads, sharedBytes)
      : undefined;
  const lowered: ThreadKernel = {
    name: optimised.name,
    target: target.name,
    threads,
    minBlocks: registers ? registers.blocks : ctx.ring ? ringBlocks(target, threads, sharedBytes) : 0,
    buffers: [...ctx.buffers.values()],
    params: optimised.params.flatMap((p): ThreadParam[] =>
      p.kind === 'scalar' ? [{ name: p.name, type: regTypeOf(p.value.type.element) }] : [],
    ),
    shared: ctx.shared,
    sharedBytes,
    body: ctx.ring ? withProducer(ctx, ctx.ring, ordered, { threads, registers }) : ordered,
    spec: optimised.spec,
    tile: optimised.tile,
    span: optimised.span,
  };
  const packed = packBuffers(lowered, target.maxBuffers);
  verifyThread(packed);
  return packed;
}

/** Tensors that the kernel both reads and writes: a block's threads may hand data to each other through them. */
function exchangedTensors(kernel: Kernel): Set<string> {
  const read = new Set<string>();
  const written = new Set<string>();
  const visit = (r: Region): void => {
    for (const op of r.ops) {
      if (op.op === 'load') read.add(op.tensor.name);
      if (op.op === 'store' || op.op === 'atomic') written.add(op.tensor.name);
      for (const inner of regionsOf(op)) visit(inner);
    }
  };
  visit(kernel.body);
  return new Set([...read].filter((n) => written.has(n)));
}

function overflow(kernel: Kernel, target: Target, shared: readonly SharedBuffer[], bytes: number): never {
  const tile = Object.entries(kernel.tile)
    .map(([k, v]) => `${k}=${v}`)
    .join(' ');
  fail(
    'PAT0301',
    `${kernel.name} needs ${bytes.toLocaleString('en')} B of shared memory with ${tile}; ${target.name} has ${target.sharedBytes.toLocaleString('en')} B a block`,
    {
      span: kernel.span,
      notes: [...shared]
        .sort((a, b) => b.bytes - a.bytes)
        .map((b) => ({ text: `${b.name}: ${b.note} = ${b.bytes.toLocaleString('en')} B`, span: b.span })),
      help: 'choose smaller tiles or fewer stages',
    },
  );
}
