/** What the hand-made kernels must compute, against plain JavaScript on the same rounded inputs. */
import type { HostArray, HostBuffer, RunRequest } from '../../compiler/backend.ts';
import {
  decodeBf16,
  decodeF16,
  encodeBf16,
  encodeF16,
  erf,
  Random,
  roundBf16,
  roundF16,
} from '../../compiler/ir/numeric.ts';
import type { HalfType, ThreadKernel, UnaryName } from '../../compiler/thread/nodes.ts';
import { doubleHalves, matrixTile, pipelinedSum, ringSum, vectorAdd, warpSums } from './kernels.ts';
import { tensorSum } from './kernels-tensor.ts';
import { wgmmaTile, wgmmaTiles, type WgmmaTile } from './kernels-wgmma.ts';
import { fillRows, functions, integers, readRows, sharedWidths, unaryNames } from './kernels-scalar.ts';

export interface Case {
  readonly name: string;
  readonly request: RunRequest;
  /** The largest deviation in units of the case's tolerance: the case holds where it is at most 1. */
  readonly check: (outputs: ReadonlyMap<string, HostArray>) => number;
}

/** Columns of the large array of fillRows and readRows. */
export const wideColumns = 4096;

/** `hopper`: with the kernels that need sm_90a. */
export const smokeKernels = (hopper = false): ThreadKernel[] => [
  vectorAdd(),
  doubleHalves('f16'),
  doubleHalves('bf16'),
  matrixTile('f16'),
  matrixTile('bf16'),
  pipelinedSum(),
  ringSum(),
  warpSums(),
  functions(),
  integers(),
  sharedWidths(),
  fillRows(wideColumns),
  readRows(wideColumns),
  ...(hopper ? [tensorSum(), ...wgmmaTiles.map(wgmmaTile)] : []),
];

const encode = { f16: encodeF16, bf16: encodeBf16 };
const decode = { f16: decodeF16, bf16: decodeBf16 };
const floats = (n: number, random: Random, scale = 1): Float32Array =>
  Float32Array.from({ length: n }, () => scale * (2 * random.uniform() - 1));
const buffer = (
  name: string,
  element: HostBuffer['element'],
  data: HostArray,
  output = false,
): HostBuffer => ({ name, element, data, output });

/** Largest |got - want|, relative to tolerance * max(1, |want|); infinite where something is NaN that should not be. */
function deviation(got: HostArray, want: ArrayLike<number>, tolerance: number): number {
  if (got.length < want.length) return Infinity;
  let worst = 0;
  for (let i = 0; i < want.length; i++) {
    const [g, w] = [got[i]!, want[i]!];
    if (Object.is(g, w) || g === w || (Number.isNaN(g) && Number.isNaN(w))) continue;
    const off = Math.abs(g - w) / (tolerance * Math.max(1, Math.abs(w)));
    worst = Math.max(worst, Number.isNaN(off) ? Infinity : off);
  }
  return worst;
}
const exact = 1e-30;

function one(
  kernel: ThreadKernel,
  blocks: number,
  buffers: readonly HostBuffer[],
  scalars: Record<string, number>,
  want: Readonly<Record<string, { readonly values: ArrayLike<number>; readonly tolerance: number }>>,
): Case {
  const names = Object.fromEntries(kernel.buffers.map((b) => [b.name, b.name]));
  return {
    name: kernel.name,
    request: {
      kernels: [kernel],
      buffers,
      launches: [{ kernel: 0, grid: [blocks, 1, 1], buffers: names, scalars }],
      repeats: 0,
    },
    check: (outputs) =>
      Math.max(...Object.entries(want).map(([k, w]) => deviation(outputs.get(k)!, w.values, w.tolerance))),
  };
}

function vectorAddCase(random: Random): Case {
  const n = 100_003;
  const [a, b] = [floats(n, random), floats(n, random)];
  const sum = Float32Array.from(a, (x, i) => x + b[i]!);
  return one(
    vectorAdd(),
    Math.ceil(n / 256),
    [buffer('a', 'f32', a), buffer('b', 'f32', b), buffer('out', 'f32', new Float32Array(n), true)],
    { n },
    { out: { values: sum, tolerance: exact } },
  );
}

function doubleCase(element: HalfType, random: Random): Case {
  const n = 8 * 1001;
  const x = Uint16Array.from(floats(n, random, 100), encode[element]);
  const twice = Uint16Array.from(x, (bits) => encode[element](2 * decode[element](bits)));
  return one(
    doubleHalves(element),
    Math.ceil(n / 1024),
    [buffer('x', element, x), buffer('out', element, new Uint16Array(n), true)],
    { n },
    { out: { values: twice, tolerance: exact } },
  );
}

function matrixCase(element: HalfType, random: Random): Case {
  const a = Uint16Array.from(floats(256, random), encode[element]);
  const b = Uint16Array.from(floats(128, random), encode[element]);
  const d = new Float64Array(128);
  for (let m = 0; m < 16; m++)
    for (let n = 0; n < 8; n++)
      for (let k = 0; k < 16; k++)
        d[m * 8 + n]! += decode[element](a[m * 16 + k]!) * decode[element](b[k * 8 + n]!);
  return one(
    matrixTile(element),
    1,
    [buffer('a', element, a), buffer('b', element, b), buffer('d', 'f32', new Float32Array(128), true)],
    {},
    { d: { values: d, tolerance: 1e-5 } },
  );
}

function sumCase(kernel: ThreadKernel, n: number, random: Random): Case {
  const x = floats(n * 128, random);
  const sums = new Float32Array(128);
  for (let row = 0; row < n; row++) for (let c = 0; c < 128; c++) sums[c] = sums[c]! + x[row * 128 + c]!;
  return one(
    kernel,
    1,
    [buffer('x', 'f32', x), buffer('out', 'f32', new Float32Array(128), true)],
    { n },
    { out: { values: sums, tolerance: exact } },
  );
}

function warpCase(random: Random): Case {
  const n = 5000;
  const x = Int32Array.from({ length: n }, () => Math.floor(random.uniform() * 2001) - 1000);
  const sum = x.reduce((p, q) => p + q, 0);
  return one(
    warpSums(),
    Math.ceil(n / 64),
    [
      buffer('x', 'i32', x),
      buffer('sum', 'i32', new Int32Array(1), true),
      buffer('most', 'i32', new Int32Array(1), true),
      buffer('mean', 'f32', new Float32Array(1), true),
    ],
    { n },
    {
      sum: { values: [sum], tolerance: exact },
      most: { values: [x.reduce((p, q) => Math.max(p, q), 0)], tolerance: exact },
      mean: { values: [sum / n], tolerance: 1e-4 },
    },
  );
}

const reference: Partial<Record<UnaryName, (x: number) => number>> = {
  neg: (x) => -x,
  exp2: (x) => 2 ** x,
  rsqrt: (x) => 1 / Math.sqrt(x),
  erf,
};

function functionsCase(): Case {
  const special = [0, -0, 1, -1, Infinity, -Infinity, NaN, 88, -150, 200, 65504, 1e-8];
  const x = Float32Array.from({ length: 64 }, (_, i) => special[i] ?? (i - 38) / 4 + 1 / 7);
  const rows = unaryNames.map((name) =>
    Array.from(x, reference[name] ?? (Math as never as Record<string, (x: number) => number>)[name]!),
  );
  rows.push(
    Array.from(x, roundF16),
    Array.from(x, roundBf16),
    Array.from(x, (v) => v * v - 1),
  );
  return one(
    functions(),
    1,
    [buffer('x', 'f32', x), buffer('out', 'f32', new Float32Array(64 * rows.length), true)],
    { n: 64 },
    { out: { values: Float32Array.from(rows.flat()), tolerance: 2e-6 } },
  );
}

function integersCase(): Case {
  const x = Int32Array.from({ length: 64 }, (_, i) => i + 1);
  const y = Int32Array.from({ length: 64 }, (_, i) => ((i * 7) % 23) - 11 || 5);
  const bits = new DataView(new ArrayBuffer(4));
  const want = Array.from(x, (a, i) => {
    const b = y[i]!;
    let steps = 0;
    for (let v = a; v > 1; steps++) v = v % 2 === 0 ? v / 2 : 3 * v + 1;
    bits.setFloat32(0, a);
    return [
      steps,
      a - (b - a),
      Math.trunc(a / b),
      a % b,
      Math.min(a, -b),
      Math.max(a, b),
      (a | b) ^ (a & b),
      a << (b & 7),
      -a >> (b & 7),
      ((~a >>> 0) >>> (b & 7)) | 0,
      (a < b && a >= 3) || b !== 2 ? 1 : 0,
      a < b !== b <= a ? a : b,
      bits.getInt32(0),
      Math.abs(a - b),
      (a + 1) * (b - 2),
      a % ((b & 15) + 1),
    ];
  });
  return one(
    integers(),
    1,
    [buffer('x', 'i32', x), buffer('y', 'i32', y), buffer('out', 'i32', new Int32Array(1024), true)],
    { n: 64 },
    { out: { values: want.flat(), tolerance: exact } },
  );
}

function sharedCase(random: Random): Case {
  const x = floats(256, random);
  return one(
    sharedWidths(),
    1,
    [
      buffer('x', 'f32', x),
      buffer('out', 'f32', new Float32Array(256), true),
      buffer('halves', 'f32', new Float32Array(64), true),
    ],
    {},
    {
      out: { values: x.toReversed(), tolerance: exact },
      halves: { values: Array.from({ length: 64 }, (_, i) => roundF16(x[4 * i]!)), tolerance: exact },
    },
  );
}

/** Small integers, so that every order of summation is exact. */
export function wgmmaCase(tile: WgmmaTile, random: Random): Case {
  const { element, n, k, order } = tile;
  const m = 128;
  const integers = (count: number): number[] =>
    Array.from({ length: count }, () => Math.floor(17 * random.uniform()) - 8);
  const [a, b, start] = [integers(m * k), integers(k * n), integers(m * n)];
  const want = start.map((sum, at) => {
    const [i, j] = [Math.floor(at / n), at % n];
    for (let x = 0; x < k; x++) sum += a[i * k + x]! * b[order === 'kn' ? x * n + j : j * k + x]!;
    return sum;
  });
  const halves = (values: readonly number[]): Uint16Array => Uint16Array.from(values, encode[element]);
  return one(
    wgmmaTile(tile),
    1,
    [
      buffer('a', element, halves(a)),
      buffer('b', element, halves(b)),
      buffer('start', 'f32', Float32Array.from(start)),
      buffer('out', 'f32', new Float32Array(m * n), true),
    ],
    {},
    { out: { values: want, tolerance: exact } },
  );
}

export function smokeCases(seed: number, hopper = false): Case[] {
  const random = new Random(seed);
  return [
    vectorAddCase(random),
    doubleCase('f16', random),
    doubleCase('bf16', random),
    matrixCase('f16', random),
    matrixCase('bf16', random),
    sumCase(pipelinedSum(), 203, random),
    sumCase(ringSum(), 200, random),
    warpCase(random),
    functionsCase(),
    integersCase(),
    sharedCase(random),
    ...(hopper ? [sumCase(tensorSum(), 403, random), ...wgmmaTiles.map((x) => wgmmaCase(x, random))] : []),
  ];
}
