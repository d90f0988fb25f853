/**
 * Exercises the CUDA backend on a real GPU without a compiler in front: every statement of Thread IR, 64-bit addresses,
 * timing in every way, the bandwidth measurement, errors. Exits 0 only when everything held.
 *   node bench/gpu-smoke.ts [--json] [--seed N]
 */
import { PatcError } from '../compiler/diagnostics/error.ts';
import { openCudaDevice, type CudaDevice } from '../backends/cuda/runtime/index.ts';
import { Launch } from '../backends/cuda/runtime/launch.ts';
import { runChecked } from '../backends/cuda/runtime/stream.ts';
import { findNvrtc } from '../backends/cuda/runtime/nvrtc.ts';
import { measureBandwidth } from './device/bandwidth.ts';
import { smokeCases, wideColumns } from './smoke/cases.ts';
import { fillRows, readRows } from './smoke/kernels-scalar.ts';
import { vectorAdd } from './smoke/kernels.ts';
import { runScript } from './script.ts';

interface Row {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
}

async function cases(device: CudaDevice, seed: number): Promise<Row[]> {
  const rows: Row[] = [];
  for (const c of smokeCases(seed, device.gpu.facts.capability === 90)) {
    try {
      const result = await device.run({ ...c.request, repeats: c.name === 'vector_add' ? 20 : 0 });
      const off = c.check(result.outputs);
      const k = result.kernels![0]!;
      const time = result.timing
        ? `, event ${result.timing.eventUs.toFixed(1)} graph ${result.timing.graphUs.toFixed(1)} chained ${result.timing.chainedUs.toFixed(1)} cold ${result.timing.coldUs.toFixed(1)} us`
        : '';
      const detail = `off ${off.toPrecision(2)}, ${k.registers} registers, ${k.spillBytes} B spilled, ${k.blocksPerUnit} blocks/SM${time}`;
      rows.push({ name: c.name, ok: off <= 1, detail });
    } catch (error) {
      rows.push({ name: c.name, ok: false, detail: error instanceof Error ? error.message : String(error) });
      if (error instanceof PatcError && error.code === 'PAT0704') break;
    }
  }
  return rows;
}

/** More than 2^31 halves, filled and read back row by row. */
async function wide(device: CudaDevice): Promise<Row> {
  const { gpu } = device;
  const rows = 600_000;
  const bytes = rows * wideColumns * 2;
  if (bytes > gpu.facts.memoryBytes * 0.8)
    return {
      name: '64-bit addresses',
      ok: true,
      detail: `left out: the device has less than ${bytes} bytes`,
    };
  const [fill, read] = await device.code.load([fillRows(wideColumns), readRows(wideColumns)]);
  const picked = Int32Array.from({ length: 64 }, (_, i) =>
    i === 63 ? rows - 1 : Math.floor((i * rows) / 64),
  );
  const x = gpu.allocate(bytes, 'the large array');
  const index = gpu.allocate(256, 'the row numbers');
  const out = gpu.allocate(256, 'the values');
  gpu.upload(index, picked, 'the row numbers');
  const addresses = { x: x.address, index: index.address, out: out.address };
  const launches = [
    new Launch(gpu, fill!, [rows, 1, 1], addresses, { rows }),
    new Launch(gpu, read!, [1, 1, 1], addresses, { rows }),
  ];
  const values = new Float32Array(64);
  try {
    runChecked(gpu, launches);
    gpu.download(out, values, 'the values');
  } finally {
    for (const l of launches) l.free();
    for (const a of [x, index, out]) gpu.free(a);
  }
  const wrong = values.filter((v, i) => v !== picked[i]! % 2048).length;
  return {
    name: '64-bit addresses',
    ok: wrong === 0,
    detail: `${rows} x ${wideColumns} halves, ${wrong} of 64 rows wrong`,
  };
}

/** Same inputs twice give the same bits; a launch that cannot be is refused before it reaches the device. */
async function refusals(device: CudaDevice): Promise<Row> {
  const request = smokeCases(1)[0]!.request;
  const bad = { ...request, launches: [{ ...request.launches[0]!, grid: [1, 1, 70_000] as const }] };
  let message = 'nothing was thrown';
  try {
    await device.run(bad);
  } catch (error) {
    message = error instanceof PatcError ? error.code : String(error);
  }
  const huge = { ...vectorAdd(), name: 'too_much_shared', sharedBytes: 1 << 20 };
  let second = 'nothing was thrown';
  try {
    await device.run({ ...request, kernels: [huge] });
  } catch (error) {
    second = error instanceof PatcError ? error.message : String(error);
  }
  const ok = message === 'PAT0708' && second.includes('PAT0708') && device.gpu.allocatedBytes === 0;
  return { name: 'refusals', ok, detail: `${message}; ${second}` };
}

/** The vector sum once more, compiled by NVRTC where it can be found. */
async function nvrtc(): Promise<Row> {
  const name = 'NVRTC';
  if (!findNvrtc()) return { name, ok: true, detail: 'left out: no libnvrtc.so' };
  const device = openCudaDevice({ ...process.env, PATC_CUDA_COMPILER: 'nvrtc' });
  try {
    const [first, , , matrix] = smokeCases(2);
    const off = await Promise.all(
      [first!, matrix!].map(async (c) => c.check((await device.run(c.request)).outputs)),
    );
    return {
      name,
      ok: off.every((x) => x <= 1),
      detail: `version ${findNvrtc()!.version}, off ${off.map((x) => x.toPrecision(2)).join(' and ')}`,
    };
  } catch (error) {
    return { name, ok: false, detail: error instanceof Error ? error.message : String(error) };
  } finally {
    await device.close();
  }
}

async function main(): Promise<number> {
  const json = process.argv.includes('--json');
  const at = process.argv.indexOf('--seed');
  const seed = at > 0 ? Number(process.argv[at + 1]) : 1;
  const device = openCudaDevice();
  try {
    const { facts } = device.gpu;
    const rows = [...(await cases(device, seed)), await refusals(device), await wide(device), await nvrtc()];
    const bandwidth = await measureBandwidth(device);
    const ok = rows.every((r) => r.ok);
    if (json) console.log(JSON.stringify({ ok, device: facts, bandwidth, seed, rows }, null, 1));
    else {
      console.log(
        `${facts.name}, sm_${facts.capability}, ${facts.multiprocessors} SMs, ${(facts.memoryBytes / 2 ** 30).toFixed(0)} GiB, L2 ${facts.l2Bytes >> 20} MiB, driver ${facts.driver}`,
      );
      for (const r of rows) console.log(`${r.ok ? 'ok  ' : 'FAIL'} ${r.name.padEnd(20)} ${r.detail}`);
      console.log(`reads ${bandwidth.readTbPerS.toFixed(3)} TB/s (${bandwidth.method})`);
    }
    return ok ? 0 : 1;
  } finally {
    await device.close();
  }
}

await runScript(main);
