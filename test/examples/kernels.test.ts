/** The example kernels through the interpreter against float64, with poisoned outputs. */
import { expect, test } from 'vitest';
import { interpretRequest } from '../../backends/cpu/interpreter/index.ts';
import type { DeviceShape, Program } from '../../compiler/program.ts';
import gemm from '../../examples/gemm/program.ts';
import rmsnorm from '../../examples/rmsnorm/program.ts';
import softmax from '../../examples/softmax/program.ts';

const device = (tile: Record<string, number>): DeviceShape => ({
  family: 'cpu',
  units: 1,
  feasible: (template) => [
    {
      ...Object.fromEntries(Object.entries(template.tile).map(([name, values]) => [name, values[0]!])),
      ...tile,
    },
  ],
});

const cases: [string, Program, Record<string, number | string>, Record<string, number>, number][] = [
  ['one row', softmax, { columns: 64 }, {}, 1],
  ['ragged rows', softmax, { columns: 128 }, { rows: 8 }, 13],
  ['a width that is no power of two', softmax, { columns: 100 }, { rows: 4 }, 9],
  ['f16', softmax, { columns: 33, dtype: 'f16' }, { rows: 2 }, 7],
  ['bf16', softmax, { columns: 300, dtype: 'bf16' }, { rows: 1 }, 5],
  ['one block', rmsnorm, { columns: 1024 }, {}, 5],
  ['a ragged last block', rmsnorm, { columns: 700, dtype: 'f32' }, { rows: 2, block: 256 }, 5],
  ['bf16', rmsnorm, { columns: 512, dtype: 'bf16' }, { rows: 4, block: 256 }, 9],
  ['whole tiles', gemm, { columns: 64, depth: 64 }, {}, 64],
  [
    'ragged everywhere',
    gemm,
    { columns: 70, depth: 45, dtype: 'f32' },
    { rows: 16, width: 32, step: 16 },
    37,
  ],
  ['f16', gemm, { columns: 96, depth: 100, dtype: 'f16' }, { rows: 32, width: 64, step: 32 }, 40],
  ['bf16', gemm, { columns: 50, depth: 130, dtype: 'bf16' }, { rows: 16, width: 32, step: 64 }, 20],
];

test.each(cases.map(([what, program, ...rest]) => [`${program.name}: ${what}`, program, ...rest] as const))(
  '%s',
  (_, program, spec, tile, rows) => {
    const instance = program.instantiate({
      seed: 11,
      spec,
      device: device(tile),
      flags: { rows: String(rows) },
      verify: true,
    });
    const kernels = instance.launches.map((l) => l.template.trace(instance.spec, l.tile));
    const launches = instance.launches.map((l, kernel) => ({ ...l, kernel }));
    const { outputs } = interpretRequest({ kernels, buffers: instance.buffers, launches });
    const verdict = instance.verify(outputs);
    expect(verdict).toMatchObject({ ok: true, unwritten: 0 });
    // The check must be able to fail: one wrong element shows (0x4000 is 2 as a half).
    const [name, out] = [...outputs][0]!;
    const broken = out.slice();
    broken[broken.length - 1] = 0x4000;
    expect(instance.verify(new Map([[name, broken]])).maxAbsError).toBeGreaterThan(verdict.maxAbsError);
  },
);
