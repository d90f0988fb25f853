/** Prompts of several lengths, packed, on seeded random data, checked against float64. */
import { fail } from '../../compiler/diagnostics/error.ts';
import { program } from '../../dsl/index.ts';
import { prefill } from './kernel.ts';

export default program(
  'prefill',
  {
    kernels: [prefill],
    flags: { lengths: 'tokens of each sequence, as 96,200,33' },
    small: { flags: { lengths: '37,1,20' }, spec: { headDim: 64, group: 3 } },
  },
  (run) => {
    const { headDim, group, kvHeads, dtype, m } = run.use(prefill, { wgmma: 1, n: 128, stages: 3 });
    const heads = group * kvHeads;
    const lengths = lengthsOf(run.text('lengths', '96,200,33'));
    const tokens = lengths.reduce((sum, length) => sum + length, 0);
    const scale = Math.fround(1 / Math.sqrt(headDim));
    const q = run.input('q', dtype, tokens * heads * headDim);
    const k = run.input('k', dtype, tokens * kvHeads * headDim);
    const v = run.input('v', dtype, tokens * kvHeads * headDim);
    const table = tilesOf(lengths, group, m);
    const tiles = run.input('tiles', 'i32', table);
    const out = run.output('out', dtype, tokens * heads * headDim);
    run.launch(prefill, {
      grid: [table.length / 3, kvHeads],
      buffers: { q, k, v, tiles, out },
      scalars: { tokens, tileCount: table.length / 3, scale },
    });
    run.expect(out, () =>
      prefillReference(q.values, k.values, v.values, { lengths, heads, kvHeads, headDim, scale }),
    );
    // Query i of a sequence meets i + 1 keys, twice.
    run.work(lengths.reduce((sum, l) => sum + 2 * l * (l + 1), 0) * heads * headDim);
  },
);

function lengthsOf(text: string): number[] {
  const lengths = text.split(',').map(Number);
  if (lengths.every((l) => Number.isInteger(l) && l >= 1)) return lengths;
  return fail('PAT0601', `--lengths is '${text}'; whole numbers from 1 with commas between are needed`);
}

/**
 * (first token, end, first row) of every tile of `m` rows. The last tiles of the longest sequences have the most keys; they
 * come first, so that short ones fill the machine at the end.
 */
export function tilesOf(lengths: readonly number[], group: number, m: number): number[] {
  const tiles: [number, number, number][] = [];
  let begin = 0;
  for (const length of lengths) {
    for (let first = 0; first < length * group; first += m) tiles.push([begin, begin + length, first]);
    begin += length;
  }
  return tiles.sort((a, b) => b[2] - a[2]).flat();
}

interface Shape {
  readonly lengths: readonly number[];
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly scale: number;
}

/** softmax(scale · q·kᵀ + causal mask) · v in float64; q [tokens, heads, headDim], k and v [tokens, kvHeads, headDim]. */
export function prefillReference(
  q: Float64Array,
  k: Float64Array,
  v: Float64Array,
  { lengths, heads, kvHeads, headDim, scale }: Shape,
): Float64Array {
  const out = new Float64Array(q.length);
  const row = (x: Float64Array, index: number): Float64Array =>
    x.subarray(index * headDim, (index + 1) * headDim);
  const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, x, i) => sum + x * b[i]!, 0);
  let begin = 0;
  for (const length of lengths) {
    for (let i = 0; i < length; i++)
      for (let h = 0; h < heads; h++) {
        const kvHead = Math.floor((h * kvHeads) / heads);
        const at = (j: number): number => (begin + j) * kvHeads + kvHead;
        const query = row(q, (begin + i) * heads + h);
        const scores = Array.from({ length: i + 1 }, (_, j) => scale * dot(query, row(k, at(j))));
        const max = Math.max(...scores);
        const weights = scores.map((s) => Math.exp(s - max));
        const sum = weights.reduce((a, b) => a + b, 0);
        const result = row(out, (begin + i) * heads + h);
        weights.forEach((w, j) => row(v, at(j)).forEach((x, d) => (result[d]! += (w / sum) * x)));
      }
    begin += length;
  }
  return out;
}
