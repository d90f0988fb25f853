/** Kernels by hand whose results were confirmed on a GPU (bench/gpu-smoke.ts): the simulator agrees and is silent. */
import { describe, expect, it } from 'vitest';
import { simulateRequest } from '../../../../backends/cpu/simulator/index.ts';
import { smokeCases } from '../../../../bench/smoke/cases.ts';

describe('kernels that ran on hardware', () => {
  for (const c of smokeCases(3, true))
    it(c.name, () => {
      const { outputs, reports } = simulateRequest(c.request);
      expect(reports.flatMap((r) => r.errors)).toEqual([]);
      expect(c.check(outputs)).toBeLessThanOrEqual(1);
    });
});
