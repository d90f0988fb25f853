/**
 * npm run demo: a serving-like batch of 64 ragged sequences, planned, compiled, run in WebGPU and verified, in a terminal and
 * as a page. Writes out/pat.cu, out/pat.h, out/pat.wgsl and out/demo.html.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pc from 'picocolors';
import { backendOf } from '../compiler/cli/backends.ts';
import { Lowering } from '../compiler/cli/lowering.ts';
import { openRunner } from '../compiler/cli/runners.ts';
import { planningShape } from '../compiler/cli/units.ts';
import { chooseVariants } from '../compiler/cli/variants.ts';
import { renderDiagnostics } from '../compiler/diagnostics/terminal.ts';
import { PatcError } from '../compiler/diagnostics/error.ts';
import { findTarget } from '../compiler/target.ts';
import type { DeviceShape, RunOptions } from '../compiler/program.ts';
import { buildForest, loadWorkload, pat } from '../examples/pat/index.ts';
import { planPage, type Ran } from '../examples/pat/draw/page.ts';
import { drawBytes, drawForest, drawPacks } from './demo/terminal.ts';
import type { PlanJson } from '../examples/pat/draw/picture.ts';

const workload = 'random:7,batch=64';
const flags = { heads: '32/8', headDim: '128', page: '16', dtype: 'f16' };
const group = 4;
const out = fileURLToPath(new URL('../out/', import.meta.url));

const say = (text = ''): void => console.log(text);
const title = (text: string): void => say(`\n${pc.bold(pc.cyan(text))}`);
const seconds = (since: number): string => `${((performance.now() - since) / 1000).toFixed(1)} s`;

const optionsFor = (device: DeviceShape): RunOptions => ({
  workload,
  seed: 7,
  spec: {},
  device,
  flags,
  verify: true,
});

async function demo(): Promise<boolean> {
  const begin = performance.now();
  mkdirSync(out, { recursive: true });
  say(pc.bold('patc demo: prefix-aware decode attention'));
  say(
    `  ${workload}: heads ${flags.heads}, head dim ${flags.headDim}, pages of ${flags.page} tokens, ${flags.dtype}`,
  );

  const runner = await openRunner('webgpu');
  try {
    say(pc.dim(`  device: ${runner.description}`));
    const batch = loadWorkload(workload, {
      ...flags,
      headDim: Number(flags.headDim),
      page: Number(flags.page),
    });
    const { order } = buildForest(batch);
    const plan = pat.plan!(optionsFor(runner.shape)).document as unknown as PlanJson;

    title(`The forest: ${order.length} sequences, those that share a prefix next to each other`);
    say(drawForest(plan, order));
    title(`${plan.packs.length} packs, each in its tile shape (query rows x tokens)`);
    say(drawPacks(plan.packs, group));
    title('KV bytes read');
    say(drawBytes(plan));

    title('Compiled');
    const emitted = await emit();
    for (const { path, lines } of emitted) say(`  ${path.padEnd(34)} ${String(lines).padStart(5)} lines`);

    title(`Run on ${runner.description}`);
    const instance = pat.instantiate(optionsFor(runner.shape));
    const started = performance.now();
    const result = await runner.run(instance, 0);
    const ran: Ran = {
      device: result.device,
      launches: instance.launches.length,
      took: seconds(started),
      ...instance.verify(result.outputs),
    };
    const verdict = ran.ok ? pc.green('verified') : pc.red('WRONG');
    say(
      `  ${ran.launches} launch${ran.launches === 1 ? '' : 'es'} in ${ran.took} (with the device's own compilation)`,
    );
    say(
      `  ${verdict} against float64: relative error ${ran.relError.toExponential(2)}, at most ${ran.tolerance}`,
    );

    const page = join(out, 'demo.html');
    writeFileSync(page, planPage({ workload, flags, group, plan, order, emitted, ran }));
    title(`Drawn: ${page}`);
    say(pc.dim(`  ${seconds(begin)} in all`));
    return ran.ok;
  } finally {
    await runner.close();
  }
}

/** The kernels of this batch for an H100 and for any WebGPU device, in the tile shapes that its plan uses there. */
async function emit(): Promise<{ path: string; lines: number; text: string }[]> {
  const files: { path: string; lines: number; text: string }[] = [];
  for (const name of ['cuda:sm_90a', 'wgsl']) {
    const lowering = new Lowering(findTarget(name)!);
    const loaded = { name: 'pat', kernels: pat.kernels, program: pat };
    const { spec, flags: given } = optionsFor(planningShape(lowering));
    const kernels = chooseVariants(loaded, { spec, flags: { ...given } }, {}, workload, lowering).map(
      (v) => v.kernel,
    );
    for (const a of (await backendOf(lowering.target.family)).emit('pat', kernels, lowering.target)) {
      // The forward kernel of the plan is the WGSL that a reader wants first.
      const path = a.path.endsWith('.wgsl') && a.kernels[0] === kernels[0]!.name ? 'pat.wgsl' : a.path;
      writeFileSync(join(out, path), a.text);
      files.push({ path: join('out', path), lines: a.text.split('\n').length, text: a.text });
    }
  }
  return files;
}

try {
  process.exitCode = (await demo()) ? 0 : 1;
} catch (error) {
  if (!(error instanceof PatcError)) throw error;
  console.error(renderDiagnostics(error.diagnostics).trimEnd());
  process.exitCode = error.exitCode;
}
