/**
 * Well-typed random tile programs for comparing executors: elementwise ops, casts, comparisons and selects, views,
 * reductions, dots (sizes that fit matrix instructions and sizes that do not), gathers through index tiles, masks, loops
 * with carried tiles, ragged loops, row regions, branches, atomics.
 *
 * Every choice is read from a tape of numbers, and 0 is the simplest choice, so that fast-check shrinks a failing
 * program by shortening and zeroing its tape. All indices stay inside their tensors, no number grows large, and each
 * output comes with a bound on how far two correct executors may differ (random-values.ts).
 */
import fc from 'fast-check';
import type { Element, Kernel } from '../../compiler/ir/nodes.ts';
import { Random, allocate, type HostArray, type HostElement } from '../../compiler/ir/numeric.ts';
import { kernel, type KernelContext, type Tensor, type Tile } from '../../dsl/index.ts';
import { RandomBody } from './random-body.ts';
import { rounding, type Val } from './random-values.ts';

export interface RandomBuffer {
  readonly name: string;
  readonly element: HostElement;
  /** Initial contents; copy before running, executors write into it. */
  readonly data: HostArray;
  readonly output: boolean;
  /** Outputs: largest absolute difference between two correct executors; 0 means bit for bit. */
  readonly tolerance: number;
}

export interface RandomProgram {
  readonly kernel: Kernel;
  readonly grid: readonly [number, number, number];
  readonly buffers: readonly RandomBuffer[];
  readonly scalars: Readonly<Record<string, number>>;
  /** Makes the same program again: randomProgram(tape). */
  readonly tape: readonly number[];
}

export interface RandomOptions {
  /** Extents to choose from; the first is the simplest. */
  readonly sizes?: readonly number[];
  /** About how many ops an author would have written. Default 12. */
  readonly length?: number;
  readonly elements?: readonly ('f32' | 'f16' | 'bf16')[];
}

/** Powers of two and multiples of 16 for matrix instructions; the others for everything that rounds up. */
export const usualSizes: readonly number[] = [16, 32, 8, 4, 64, 2, 1, 48, 3, 5, 12, 7, 24];

/** Choices read from a tape; past its end every choice is the simplest. */
export class Choices {
  readonly #tape: readonly number[];
  #at = 0;

  constructor(tape: readonly number[]) {
    this.#tape = tape;
  }

  /** 0 … n-1. */
  below(n: number): number {
    const value = this.#tape[this.#at++] ?? 0;
    return n <= 1 ? 0 : value % n;
  }
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }
  /** True with the given chance in percent; false is the simpler choice. */
  chance(percent: number): boolean {
    return this.below(100) >= 100 - percent;
  }
  get exhausted(): boolean {
    return this.#at >= this.#tape.length;
  }
}

/** A tensor that a random program may read, with the interval of its numbers. */
export interface Source {
  readonly tensor: Tensor;
  readonly lo: number;
  readonly hi: number;
}

/** What a random body builds with. */
export interface Setting {
  readonly k: KernelContext;
  readonly choices: Choices;
  readonly sizes: readonly number[];
  /** Float tensors [length, width]. */
  readonly floats: readonly Source[];
  readonly length: number;
  readonly width: number;
  /** i32 [length], of numbers in [0, length). */
  readonly table: Source;
  /** i32 [8], of small counts. */
  readonly counts: Source;
  /** Run-time scalars. */
  readonly scalars: readonly Val[];
}

interface OutputPlan {
  readonly name: string;
  readonly element: HostElement;
  readonly shape: readonly number[];
  readonly tolerance: number;
  readonly initial: number;
}

export function randomProgram(tape: readonly number[], options: RandomOptions = {}): RandomProgram {
  const choices = new Choices(tape);
  const data = new Random(choices.below(1 << 16) + 1);
  const sizes = options.sizes ?? usualSizes;
  const grid = [1 + choices.below(3), 1 + choices.below(2), 1] as const;
  const [rows, columns] = [choices.pick(sizes), choices.pick(sizes)];
  const length = rows * grid[0] + choices.below(4);
  const width = Math.max(columns, choices.pick(sizes));
  const floatElements = options.elements ?? ['f32', 'f16', 'bf16'];
  const inputs = Array.from({ length: 1 + choices.below(3) }, () => choices.pick(floatElements));
  const live = length - choices.below(Math.min(rows, 4));
  const outputs: OutputPlan[] = [];

  const template = kernel('random_program', {}, (k) => {
    const floats = inputs.map((element, i) => ({
      tensor: k.input(`x${i}`, element, ['length', width]),
      lo: -2,
      hi: 2,
    }));
    const table = { tensor: k.input('table', 'i32', ['length']), lo: 0, hi: length - 1 };
    const counts = { tensor: k.input('counts', 'i32', [8]), lo: -1, hi: 3 };
    const scale = k.scalar('scale', 'f32');
    const shift = k.scalar('shift', 'i32');
    const scalars: Val[] = [
      { t: shift, lo: 3, hi: 3, err: 0 },
      { t: scale, lo: 0.5, hi: 0.5, err: 0 },
    ];
    const setting: Setting = { k, choices, sizes, floats, length, width, table, counts, scalars };
    const body = new RandomBody(setting, { rows, columns, live: k.scalar('live', 'i32'), grid });
    body.grow(options.length ?? 12);
    for (const { value, atomic } of body.chooseOutputs(1 + choices.below(3))) {
      const name = `y${outputs.length}`;
      outputs.push(write(k, body, name, value, atomic, grid));
    }
  });
  const traced = template.trace({}, {});
  const buffers: RandomBuffer[] = [
    ...inputs.map((element, i) => ({
      name: `x${i}`,
      element,
      data: data.uniforms(element, length * width, -2, 2),
      output: false,
      tolerance: 0,
    })),
    { name: 'table', element: 'i32', data: integers(data, length, 0, length), output: false, tolerance: 0 },
    { name: 'counts', element: 'i32', data: integers(data, 8, -1, 4), output: false, tolerance: 0 },
    ...outputs.map(({ name, element, shape, tolerance, initial }) => {
      const size = shape.reduce((a, b) => a * b, 1);
      return { name, element, data: allocate(element, size).fill(initial), output: true, tolerance };
    }),
  ];
  return { kernel: traced, grid, buffers, scalars: { length, scale: 0.5, shift: 3, live }, tape };
}

function integers(random: Random, count: number, lo: number, hi: number): Int32Array {
  return Int32Array.from({ length: count }, () => random.integer(lo, hi));
}

/** Stores a value where only this program instance writes: instance (x, y) owns slab y * grid.x + x of axis 0. */
function write(
  k: KernelContext,
  body: RandomBody,
  name: string,
  value: Val,
  atomic: boolean,
  grid: readonly [number, number, number],
): OutputPlan {
  const instances = grid[0] * grid[1];
  const shape = value.t.shape as readonly number[];
  const slab = k.programId(1).mul(grid[0]).add(k.programId(0));
  if (atomic) {
    // Integer sums and extremes do not depend on the order; a few cells collect from all instances.
    const sink = k.inout(name, 'i32', [4]);
    const cell = value.t.abs().rem(4);
    if (shape.length === 0 || body.setting.choices.chance(50)) sink.atomicAdd([cell], value.t);
    else sink.atomicMax([cell], value.t);
    return { name, element: 'i32', shape: [4], tolerance: 0, initial: 0 };
  }
  const bool = value.t.element === 'bool';
  const stored: Tile = bool ? value.t.cast('i32') : value.t;
  const element = stored.element as HostElement;
  const mag = Math.max(Math.abs(value.lo), Math.abs(value.hi));
  const tolerance = value.err === 0 ? 0 : value.err + rounding(element as Element, mag);
  const extents = [instances * (shape[0] ?? 1), ...shape.slice(1)];
  const out = k.output(name, element, extents);
  const plan = { name, element, shape: extents, tolerance, initial: 0 };
  if (shape.length === 0) {
    out.store([slab], stored);
    return plan;
  }
  const rank = shape.length;
  const index = shape.map((n, axis) => {
    const along = axis === 0 ? slab.mul(n).add(k.iota(n)) : k.iota(n);
    return along.reshape(shape.map((_, i) => (i === axis ? n : 1))) as Tile;
  });
  const mask = body.setting.choices.chance(40)
    ? index[rank - 1]!.lt(Math.max(1, shape[rank - 1]! - 1))
    : undefined;
  out.store(index, stored, mask ? { mask } : {});
  return plan;
}

/** A tape as fast-check makes and shrinks it. */
export const tapes = (maxLength = 160): fc.Arbitrary<number[]> =>
  fc.array(fc.nat({ max: 0xffff }), { minLength: 0, maxLength, size: 'max' });

export const randomPrograms = (options: RandomOptions = {}): fc.Arbitrary<RandomProgram> =>
  tapes().map((tape) => randomProgram(tape, options));

/** The program of a seed, for long runs outside fast-check. */
export function seededProgram(seed: number, options: RandomOptions = {}): RandomProgram {
  const random = new Random(seed);
  const tape = Array.from({ length: 40 + random.integer(0, 160) }, () => random.integer(0, 0x10000));
  return randomProgram(tape, options);
}
