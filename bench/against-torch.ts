/**
 * GEMM, prefill and small-batch decode against PyTorch on the same GPU:
 *   node bench/against-torch.ts --out DIR [--only gemm,prefill,decode] [--repeats 20] [--budget SECONDS]
 *     [--python python3] [--on simulator] [--target cuda:sm_80] [--size small]
 * Each of our rows is verified on a sample, in float64, before it is timed. Both sides replay CUDA graphs. torch_times.py is
 * the other side; where it cannot run, its columns stay empty. Writes DIR/against-torch.json and prints a table.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import type { Device } from '../compiler/backend.ts';
import { backendOf } from '../compiler/cli/backends.ts';
import { Lowering } from '../compiler/cli/lowering.ts';
import { fail } from '../compiler/diagnostics/error.ts';
import { findTarget } from '../compiler/target.ts';
import { pat } from '../examples/pat/index.ts';
import { commitOf } from './commit.ts';
import { decodeCases, gemmRows, prefillRows, type Row } from './kernels.ts';
import { runSuite } from './run.ts';
import { runScript } from './script.ts';

const options = {
  out: { type: 'string', default: 'against-torch' },
  only: { type: 'string', default: 'gemm,prefill,decode' },
  on: { type: 'string', default: 'cuda' },
  target: { type: 'string' },
  size: { type: 'string', default: 'full' },
  repeats: { type: 'string', default: '20' },
  budget: { type: 'string', default: '45' },
  python: { type: 'string', default: 'python3' },
  commit: { type: 'string' },
} as const;

type Times = Readonly<
  Record<string, { readonly graphUs?: number; readonly chainedUs?: number; readonly error?: string }>
>;

interface Theirs {
  readonly torch?: string;
  readonly cudnn?: number;
  readonly error?: string;
  readonly results: readonly Times[];
}

async function open(on: string, target: string | undefined): Promise<Device> {
  if (on === 'cuda') return (await backendOf('cuda')).open();
  if (on !== 'simulator') return fail('PAT0601', `--on ${on}: cuda or simulator`);
  const { openSimulator } = await import('../backends/cpu/simulator/index.ts');
  return openSimulator(
    findTarget(target ?? 'cuda:sm_90a') ?? fail('PAT0602', `there is no target '${target}'`),
  );
}

/** Runs torch_times.py over the cases; a machine without it leaves no results. */
function theirs(python: string, repeats: number, cases: readonly object[]): Promise<Theirs> {
  return new Promise((resolve) => {
    const child = spawn(python, [path.join(import.meta.dirname, 'torch_times.py')]);
    let [text, errors] = ['', ''];
    child.stdout.on('data', (part: Buffer) => (text += part.toString()));
    child.stderr.on('data', (part: Buffer) => (errors += part.toString()));
    child.on('error', (error) => resolve({ error: error.message, results: [] }));
    child.on('close', () => {
      try {
        resolve(JSON.parse(text) as Theirs);
      } catch {
        resolve({ error: errors.trim().split('\n').at(-1) ?? 'no output', results: [] });
      }
    });
    child.stdin.on('error', () => undefined);
    child.stdin.end(JSON.stringify({ repeats, cases }));
  });
}

const best = (times: Times | undefined, key: 'graphUs' | 'chainedUs'): [string, number] | undefined =>
  Object.entries(times ?? {})
    .flatMap(([name, t]): [string, number][] => (t[key] === undefined ? [] : [[name, t[key]]]))
    .sort((a, b) => a[1] - b[1])[0];

async function main(): Promise<number> {
  const { values } = parseArgs({ options });
  const parts = values.only.split(',');
  const small = values.size === 'small';
  const repeats = Number(values.repeats);
  const progress = (line: string): void => void process.stderr.write(`${line}\n`);
  const device = await open(values.on, values.target);
  const rows: Row[] = [];
  let description = '';
  try {
    if ('keepUploads' in device) device.keepUploads = true;
    description = device.description;
    const target =
      values.target === undefined
        ? device.target
        : (findTarget(values.target) ?? fail('PAT0602', `there is no target '${values.target}'`));
    const lowering = new Lowering(target);
    const setting = { device, lowering, repeats: values.on === 'cuda' ? repeats : 0, small };
    const add = (row: Row): void => {
      rows.push(row);
      progress(
        `${row.what} ${row.tile}: ${row.graphUs?.toFixed(1) ?? '-'} us, ${row.error ?? (row.verified ? 'verified' : `WRONG ${row.relError}`)}`,
      );
    };
    if (parts.includes('gemm')) await gemmRows(setting, add);
    if (parts.includes('prefill')) await prefillRows(setting, add);
    if (parts.includes('decode'))
      await runSuite(decodeCases(small), {
        program: pat,
        device,
        target,
        roof: { readTbPerS: 3, matrixTflops: 790 },
        repeats: setting.repeats,
        seed: 1,
        flags: {},
        tile: {},
        full: false,
        budgetS: Number(values.budget),
        onRow: (r) => {
          const lengths = lengthsOf(r.tree);
          const [qHeads, kvHeads] = r.heads.split('/').map(Number);
          add({
            part: 'decode',
            what: `${r.tree} ${r.heads}`,
            tile: r.kernels.map((k) => Object.values(k.tile).join('x')).join(' '),
            graphUs: r.graphUs,
            chainedUs: r.chainedUs,
            flops: 0,
            verified: r.verified,
            relError: r.relError,
            ...(r.error === undefined ? {} : { error: r.error }),
            theirs: { kind: 'decode', lengths, qHeads, kvHeads, headDim: r.headDim },
          });
        },
      });
  } finally {
    await device.close();
  }
  // Many of our rows have one of theirs.
  const cases = [...new Map(rows.map((r) => [JSON.stringify(r.theirs), r.theirs])).values()];
  const answer =
    values.on === 'cuda' ? await theirs(values.python, repeats, cases) : { error: 'not asked', results: [] };
  const timesOf = (r: Row): Times | undefined =>
    answer.results[cases.findIndex((c) => JSON.stringify(c) === JSON.stringify(r.theirs))];
  mkdirSync(values.out, { recursive: true });
  const file = path.join(values.out, 'against-torch.json');
  const record = {
    device: description,
    commit: commitOf(values.commit),
    command: `node bench/against-torch.ts ${process.argv.slice(2).join(' ')}`,
    measured: new Date().toISOString().slice(0, 10),
    torch: answer.torch ?? null,
    cudnn: answer.cudnn ?? null,
    torchError: answer.error ?? null,
    rows: rows.map((r) => ({ ...r, torch: timesOf(r) ?? null })),
  };
  writeFileSync(file, `${JSON.stringify(record, null, 1)}\n`);
  if (answer.error) progress(`torch: ${answer.error}`);
  for (const r of rows) console.log(line(r, timesOf(r)));
  return rows.length > 0 && rows.every((r) => r.verified) ? 0 : 1;
}

/** Sequence lengths of the two kinds of tree that decode cases have: n_L, and 1,n_S,L. */
function lengthsOf(tree: string): number[] {
  const [nodes, tokens] = tree.split('_').map((part) => part.split(',').map(Number)) as [number[], number[]];
  const length = tokens.reduce((a, b) => a + b, 0);
  return Array.from({ length: nodes.at(-1)! }, () => length);
}

function line(r: Row, times: Times | undefined): string {
  const [graph, chained] = [best(times, 'graphUs'), best(times, 'chainedUs')];
  const us = (x: number | null | undefined): string => (x === null || x === undefined ? '-' : x.toFixed(1));
  const rate = (x: number | null | undefined): string =>
    x && r.flops > 0 ? ` (${(r.flops / x / 1e6).toFixed(0)} TFLOP/s)` : '';
  const share = graph && r.graphUs ? ` speed ${(graph[1] / r.graphUs).toFixed(2)}` : '';
  const state = r.error ? ` ${r.error.slice(0, 80)}` : r.verified ? '' : ' NOT VERIFIED';
  return (
    `${r.part.padEnd(8)} ${r.what.padEnd(26)} ${r.tile.padEnd(24)} graph ${us(r.graphUs)}${rate(r.graphUs)}, chained ${us(r.chainedUs)}${rate(r.chainedUs)}` +
    ` | torch ${graph?.[0] ?? '-'} ${us(graph?.[1])}${rate(graph?.[1])}, chained ${us(chained?.[1])}${rate(chained?.[1])} |${share}${state}`
  );
}

await runScript(main);
