/** How fast the present GPU reads device memory: the ceiling that floors are computed from. */
import * as t from '../../compiler/thread/build.ts';
import type { Stmt, ThreadKernel } from '../../compiler/thread/nodes.ts';
import type { CudaDevice } from '../../backends/cuda/runtime/device.ts';
import { Launch } from '../../backends/cuda/runtime/launch.ts';
import { runChecked, timeGraph } from '../../backends/cuda/runtime/stream.ts';
import { Body, buffer, kernel } from '../smoke/build.ts';

const threads = 256;
const loads = 4;
/** Words that a block reads per trip. */
const rowWords = threads * 4 * loads;

/** Reads x[rows, rowWords] once, in 16-byte loads, four in flight per thread; what it read cannot be optimised away. */
export function readKernel(): ThreadKernel {
  const rows = t.param('rows', 'i32');
  const blocks = t.param('blocks', 'i32');
  const x = buffer('x', 'u32', 'read', t.mul(rows, rowWords));
  const out = buffer('out', 'u32', 'write', 1);
  const k = new Body();
  const s = k.span;
  const seen = k.scalar('seen', 'u32', t.constU(0));
  const words = k.array('words', 'u32', 4 * loads);
  const trip = k.registers.scalar('trip', 'i32');
  const row = k.registers.scalar('row', 'i32');
  const at = t.add(t.mul(t.varRef(row), rowWords), t.mul(t.threadId(), 4));
  const fetch = Array.from({ length: loads }, (_, l): Stmt => ({
    s: 'loadGlobalWords',
    span: s,
    dst: [0, 1, 2, 3].map((j) => t.lvalue(words, 4 * l + j)),
    buffer: x,
    index: t.add(at, l * threads * 4),
  }));
  const fold = Array.from({ length: 4 * loads }, (_, j) =>
    t.assign(s, seen, t.xor(t.varRef(seen), t.element(words, j))),
  );
  const trips = k.set('trips', t.div(t.sub(t.add(rows, blocks), 1), blocks));
  k.push(
    t.forLoop(s, trip, t.constI(0), trips, 1, false, [
      t.declare(s, row, t.add(t.mul(t.varRef(trip), blocks), t.blockId(0))),
      ...t.ifThen(s, t.lt(t.varRef(row), rows), 'block', [...fetch, ...fold]),
    ]),
    {
      s: 'storeGlobal',
      span: s,
      buffer: out,
      index: t.constI(0),
      value: t.varRef(seen),
      pred: t.eq(t.varRef(seen), 0x12345678),
    },
  );
  const params = [
    { name: 'rows', type: 'i32' },
    { name: 'blocks', type: 'i32' },
  ] as const;
  return kernel('read_memory', { threads, buffers: [x, out], params }, k);
}

/** Fills x[rows, rowWords] with hashed indices, one row a block: reading zeros can be faster than reading data. */
export function noiseKernel(): ThreadKernel {
  const rows = t.param('rows', 'i32');
  const x = buffer('x', 'u32', 'write', t.mul(rows, rowWords));
  const k = new Body();
  const s = k.span;
  const j = k.registers.scalar('j', 'i32');
  const column = t.add(t.varRef(j), t.mul(t.threadId(), 4));
  const index = t.add(t.mul(t.blockId(0), rowWords), column);
  const state = k.registers.scalar('state', 'u32');
  const hash = t.mul(t.xor(t.varRef(state), t.shr(t.varRef(state), 15)), t.constU(0x2c1b3c6d));
  const words = [0, 1, 2, 3].map((w) => t.xor(t.mul(hash, t.constU(2 * w + 1)), t.shr(hash, 13)));
  k.push(
    t.forLoop(s, j, t.constI(0), t.constI(rowWords), threads * 4, true, [
      t.declare(s, state, t.mul(t.convert('u32', index), t.constU(0x9e3779b1))),
      { s: 'storeGlobalWords', span: s, buffer: x, index, values: words },
    ]),
  );
  return kernel('write_noise', { threads, buffers: [x], params: [{ name: 'rows', type: 'i32' }] }, k);
}

export interface Bandwidth {
  /** Best over grid sizes, in TB/s. */
  readonly readTbPerS: number;
  readonly bytes: number;
  readonly method: string;
}

/** Reads a buffer far larger than the caches; medians of graph replays, best over a few grid sizes. */
export async function measureBandwidth(device: CudaDevice, repeats = 10): Promise<Bandwidth> {
  const { gpu } = device;
  const [loaded, noise] = await device.code.load([readKernel(), noiseKernel()]);
  const wanted = Math.min(8 * 2 ** 30, Math.floor(gpu.facts.memoryBytes / 4));
  const rows = Math.floor(wanted / (4 * rowWords));
  const bytes = rows * rowWords * 4;
  const x = gpu.allocate(bytes, 'the bandwidth measurement');
  const out = gpu.allocate(16, 'the bandwidth measurement');
  try {
    const filling = new Launch(gpu, noise!, [rows, 1, 1], { x: x.address }, { rows });
    try {
      runChecked(gpu, [filling]);
    } finally {
      filling.free();
    }
    let best = Infinity;
    for (const perUnit of [4, 8, 16, 32]) {
      const blocks = perUnit * device.units;
      const launch = new Launch(
        gpu,
        loaded!,
        [blocks, 1, 1],
        { x: x.address, out: out.address },
        { rows, blocks },
      );
      try {
        best = Math.min(
          best,
          timeGraph(gpu, () => launch.enqueue(), repeats),
        );
      } finally {
        launch.free();
      }
    }
    return {
      readTbPerS: bytes / best / 1e6,
      bytes,
      method: `one pass over ${(bytes / 2 ** 30).toFixed(1)} GiB in 16-byte loads, graph replay, median of ${repeats}, best of 4 grid sizes`,
    };
  } finally {
    gpu.free(x);
    gpu.free(out);
  }
}
