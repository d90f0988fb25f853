/** Makes the shipped tables of winners by the cost model: `node scripts/tuned-defaults.ts`, again after a new fit. */
import { writeFileSync } from 'node:fs';
import { pat } from '../examples/pat/index.ts';
import { devices, targetOn } from '../compiler/tune/devices.ts';
import type { TunedTable } from '../compiler/tune/schemas.ts';
import { tuneProgram } from '../compiler/tune/tune.ts';

const tables: TunedTable[] = [];
for (const device of devices) {
  for (const target of device.targets) {
    for (const headDim of ['64', '128']) {
      const { table } = await tuneProgram({
        program: pat,
        programName: 'pat',
        workload: '1,8_512,256',
        spec: {},
        flags: { heads: '32/8', headDim },
        on: 'model',
        device,
        deviceName: device.name,
        target: targetOn(device, target),
        seed: 1,
        budgetSeconds: 300,
        limitSeconds: undefined,
        fixed: {},
        // nvcc takes minutes for all: one card for each CUDA target.
        nvcc: ['a100', 'h100'].includes(device.id) && target === device.targets[0],
        command: '',
        toolchain: '',
        progress: () => {},
      });
      if (table) tables.push(table);
      process.stderr.write(`${device.id} ${target} head dim ${headDim}: ${table?.tiles.length} shapes\n`);
    }
  }
}
const text = `[\n${tables.map((t) => JSON.stringify(t)).join(',\n')}\n]\n`;
writeFileSync(new URL('../compiler/tune/defaults/tables.json', import.meta.url), text);
