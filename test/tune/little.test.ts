/**
 * The feasible sets of PAT (arXiv 2511.22333, section 5.2) from its own inputs, and where they cannot come from them.
 * Inputs: head dim 128, f16, one K and one V tile in shared memory, one tile in flight, latency 500 ns, 16 rows a warp up to
 * 4 warps (so 128 rows are 32 a warp), registers as compiling gives them: at most 255 with 16 rows a warp, more with 32.
 */
import { describe, expect, it } from 'vitest';
import { devices, figureOf, findDevice, type DeviceDescription } from '../../compiler/tune/devices.ts';
import { judgeTile, type TileLimits } from '../../compiler/tune/little.ts';

const sizes = [16, 32, 64, 128];

function limitsOf(d: DeviceDescription, more: Partial<TileLimits> = {}): TileLimits {
  return {
    units: figureOf(d, 'units'),
    sharedPerUnit: figureOf(d, 'sharedPerUnit'),
    sharedPerBlock: figureOf(d, 'sharedPerBlock'),
    registersPerUnit: figureOf(d, 'registersPerUnit'),
    registersPerThread: figureOf(d, 'registersPerThread'),
    bandwidth: d.figures.bandwidth.value,
    latency: figureOf(d, 'latencyNs') * 1e-9,
    matrixFlops: Infinity,
    width: 128,
    elementBytes: 2,
    inFlight: 1,
    buffers: 2,
    ...more,
  };
}

function feasible(limits: TileLimits): string[] {
  return sizes.flatMap((rows) =>
    sizes
      .filter(
        (tokens) =>
          judgeTile(limits, {
            rows,
            tokens,
            threads: 32 * Math.min(4, rows / 16),
            registersPerThread: rows > 64 ? 320 : 255,
          }).fits,
      )
      .map((tokens) => `${rows},${tokens}`),
  );
}

const published = {
  a100: [
    '16,16',
    '16,32',
    '16,64',
    '16,128',
    '32,16',
    '32,32',
    '32,64',
    '32,128',
    '64,32',
    '64,64',
    '64,128',
  ],
  h100: ['16,16', '16,32', '16,64', '16,128', '32,16', '32,32', '32,64', '32,128', '64,128'],
};

describe("the paper's feasible sets", () => {
  it('are reproduced for the A100: 11 shapes', () => {
    expect(feasible(limitsOf(findDevice('a100')))).toEqual(published.a100);
  });

  it('say why a shape is left out, with the arithmetic', () => {
    const limits = limitsOf(findDevice('a100'));
    const few = judgeTile(limits, { rows: 64, tokens: 16, threads: 128, registersPerThread: 255 });
    expect(few).toMatchObject({ fits: false, reason: 'bytes in flight', blocks: 2 });
    // 108 units * 2 blocks * 16 tokens * 256 B against 500 ns * 2039 GB/s.
    expect(few.arithmetic).toContain('884736 B < 1019500 B');
    const wide = judgeTile(limits, { rows: 128, tokens: 64, threads: 128, registersPerThread: 320 });
    expect(wide.reason).toBe('registers');
  });

  it('are not reproduced for the H100: with the same inputs (64, 32) and (64, 64) stay', () => {
    const ours = feasible(limitsOf(findDevice('h100')));
    expect(ours.filter((s) => !published.h100.includes(s))).toEqual(['64,32', '64,64']);
    expect(published.h100.filter((s) => !ours.includes(s))).toEqual([]);
  });

  it('no latency gives the published H100 set: Little’s law would drop (32, 16) before (64, 64)', () => {
    const h100 = findDevice('h100');
    for (let latency = 300; latency <= 3000; latency += 50) {
      const set = feasible(limitsOf(h100, { latency: latency * 1e-9 }));
      expect(set, `latency ${latency} ns`).not.toEqual(published.h100);
      if (!set.includes('64,64')) expect(set).not.toContain('32,16');
    }
  });

  it('no compute roof does either: it drops all of 64 rows or none', () => {
    for (let tflops = 50; tflops <= 1000; tflops += 25) {
      const set = feasible(limitsOf(findDevice('h100'), { matrixFlops: tflops * 1e12 }));
      expect(set.includes('64,64')).toBe(set.includes('64,128'));
    }
  });

  it('more bytes in flight make small tiles enough: two stages on the way instead of one', () => {
    const two = feasible(limitsOf(findDevice('a100'), { inFlight: 2 }));
    expect(two).toContain('64,16');
  });

  it('judges every described card without a contradiction', () => {
    for (const d of devices.filter((x) => x.family === 'cuda')) {
      const set = feasible(limitsOf(d));
      expect(set.length, d.id).toBeGreaterThan(0);
    }
  });
});
