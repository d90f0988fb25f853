import { describe, expect, it } from 'vitest';
import { findTarget } from '../../compiler/target.ts';
import {
  describedBy,
  devices,
  deviceSchema,
  figureOf,
  findDevice,
  matrixRate,
  targetOn,
  usualDevice,
} from '../../compiler/tune/devices.ts';

describe('hardware descriptions', () => {
  it('has the cards and adapters that are promised, each figure with its source', () => {
    const ids = devices.map((d) => d.id);
    for (const id of ['a100', 'h100', 'h200', 'l4', 'rtx4090', 'rtx5090', 'b200', 'webgpu', 'software'])
      expect(ids).toContain(id);
    for (const d of devices)
      for (const f of Object.values(d.figures))
        expect(f!.source.length, `${d.id}: ${f!.source}`).toBeGreaterThan(15);
  });

  it('refuses a figure without a source, and a figure that is none', () => {
    const good = devices[0]!;
    const bad = { ...good, figures: { ...good.figures, bandwidth: { value: 1, source: '' } } };
    expect(deviceSchema.safeParse(good).success).toBe(true);
    expect(deviceSchema.safeParse(bad).success).toBe(false);
    expect(deviceSchema.safeParse({ ...good, speed: 3 }).success).toBe(false);
  });

  it('fits together: a unit holds a block, and knows its targets', () => {
    for (const d of devices) {
      const f = (name: Parameters<typeof figureOf>[1]) => figureOf(d, name);
      expect(f('sharedPerUnit'), d.id).toBeGreaterThanOrEqual(f('sharedPerBlock'));
      expect(f('threadsPerUnit'), d.id).toBeGreaterThanOrEqual(f('threadsPerBlock'));
      for (const name of d.targets) expect(findTarget(name)?.family, d.id).toBe(d.family);
      expect(new RegExp(d.match, 'i').test(d.name), d.id).toBe(true);
    }
  });

  it('fits together: f32 operations are lanes times clock, on every card', () => {
    for (const d of devices.filter((d) => d.family === 'cuda')) {
      const lanes = d.id === 'a100' ? 64 : 128;
      const of = figureOf(d, 'units') * lanes * 2 * figureOf(d, 'clockMHz') * 1e6;
      expect(Math.abs(of / figureOf(d, 'vectorFlops') - 1), d.id).toBeLessThan(0.01);
      expect(matrixRate(d, 'mma'), d.id).toBeLessThanOrEqual(matrixRate(d, 'wgmma'));
    }
  });

  it('recognises devices by what they call themselves, and takes over their number of units', () => {
    expect(describedBy('cuda', 'NVIDIA H100 80GB HBM3')!.id).toBe('h100');
    expect(describedBy('cuda', 'NVIDIA H200', 132)!.id).toBe('h200');
    expect(describedBy('cuda', 'NVIDIA L40S')).toBeUndefined();
    expect(describedBy('cuda', 'NVIDIA Unheard-of 9000')).toBeUndefined();
    expect(
      describedBy('wgsl', 'SwiftShader driver 5.0.0 (swiftshader), software', 7)!.figures.units.value,
    ).toBe(7);
    expect(describedBy('wgsl', 'Apple M3')!.id).toBe('webgpu');
  });

  it('keeps targets within what the device has', () => {
    expect(targetOn(findDevice('l4')).sharedBytes).toBe(101376);
    expect(targetOn(findDevice('h100')).sharedBytes).toBe(232448);
    expect(() => targetOn(findDevice('a100'), 'cuda:sm_90a')).toThrow(/does not run/);
    expect(() => findDevice('h10')).toThrow(/no description/);
    expect(usualDevice(findTarget('wgsl')!).id).toBe('webgpu');
  });
});
