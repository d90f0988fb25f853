/** The least time that a device could need: the larger of bytes over bandwidth and operations over matrix throughput. */
interface Roof {
  readonly name: RegExp;
  /** Bytes and f16 multiply-add operations (two each) per second. */
  readonly bandwidth: number;
  readonly flops: number;
}

const roofs: readonly Roof[] = [
  // Measured: 3.0 TB/s reading device memory, 790 TFLOP/s dense f16 (DESIGN section 8).
  { name: /H100 (80GB HBM3|SXM)/i, bandwidth: 3.0e12, flops: 790e12 },
  // Data sheet: 4.8 TB/s; the same matrix units as the H100, so the H100's measured figure.
  { name: /H200/i, bandwidth: 4.8e12, flops: 790e12 },
  // Data sheet: 2039 GB/s, 312 TFLOP/s dense f16.
  { name: /A100.*80GB/i, bandwidth: 2.039e12, flops: 312e12 },
];

/** In microseconds; undefined for a device whose figures are not known. */
export function floorUs(device: string, bytes: number, flops: number): number | undefined {
  const roof = roofs.find((r) => r.name.test(device));
  return roof && Math.max(bytes / roof.bandwidth, flops / roof.flops) * 1e6;
}
