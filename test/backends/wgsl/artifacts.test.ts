import { expect, it } from 'vitest';
import { findTarget } from '../../../compiler/target.ts';
import { wgslBackend } from '../../../backends/wgsl/index.ts';
import { kernel } from './kernels.ts';

it('names one file a kernel, by tile only where kernels share a name', () => {
  const k = (name: string, rows: number) => kernel(32, [], [], { name, tile: { rows, columns: 64 } });
  const paths = (target: string) =>
    wgslBackend
      .emit('program', [k('one', 1), k('two', 1), k('two', 2), k('program', 4)], findTarget(target)!)
      .map((a) => a.path);
  expect(paths('wgsl')).toEqual([
    'program.one.wgsl',
    'program.two.rows1-columns64.wgsl',
    'program.two.rows2-columns64.wgsl',
    'program.wgsl',
  ]);
  expect(paths('wgsl:f16')[0]).toBe('program.one.f16.wgsl');
});
