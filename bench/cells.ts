/**
 * Times tile shapes where it matters, for the cost model and the table of winners (scripts/cells-report.ts reads the result):
 *   node bench/cells.ts cells    every shape on equal packs of (rows, tokens), 12 cells x 3 head configurations
 *   node bench/cells.ts choices  the paper's trees planned with the table's winners, with every shape, with each of a few fixed
 *                                shapes, and as the paper packs and selects
 *   options: --out FILE.jsonl [--budget SECONDS] [--on cuda|webgpu|simulator] [--target cuda:sm_80] [--repeats 7]
 *     [--heads 32/32,32/8,64/8] [--rows 8,32,64,128] [--tokens 128,512,2048] [--blocks PER_UNIT] [--tiles m=16..64]
 *     [--tree TREE]... [--filter REGEX] [--commit SHA]
 *     [--compile-only]  fill the cache of compiled code and stop; where there is no GPU too
 * Every run is verified on a sample, then timed by graph replay. A line is written as soon as it is measured; the same command
 * goes on from what the file has. Kernels are compiled before anything is timed.
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import type { Device } from '../compiler/backend.ts';
import { backendOf } from '../compiler/cli/backends.ts';
import { fail, PatcError } from '../compiler/diagnostics/error.ts';
import type { Tile } from '../compiler/program.ts';
import { findTarget, type Target } from '../compiler/target.ts';
import { packsPerUnit } from '../compiler/tune/table.ts';
import { winnersOn } from '../compiler/tune/defaults.ts';
import { forward, pat } from '../examples/pat/index.ts';
import { commitOf } from './commit.ts';
import { Measurer, tileFilter } from './measure.ts';
import { runScript } from './script.ts';
import { paperTrees, type BenchCase } from './suites.ts';

const options = {
  out: { type: 'string', default: 'cells.jsonl' },
  budget: { type: 'string', default: '1e9' },
  on: { type: 'string', default: 'cuda' },
  target: { type: 'string' },
  repeats: { type: 'string', default: '7' },
  heads: { type: 'string', default: '32/32,32/8,64/8' },
  rows: { type: 'string', default: '8,32,64,128' },
  tokens: { type: 'string', default: '128,512,2048' },
  blocks: { type: 'string', default: String(packsPerUnit) },
  tiles: { type: 'string', default: '' },
  tree: { type: 'string', multiple: true },
  filter: { type: 'string', default: '' },
  commit: { type: 'string' },
  'compile-only': { type: 'boolean', default: false },
} as const;

/** What one timing is of. */
interface Job {
  readonly case: BenchCase;
  readonly choice: 'cell' | 'fixed' | 'tuned' | 'planned' | 'paper';
  readonly tiles: readonly Tile[];
  readonly flags: Readonly<Record<string, string>>;
  readonly cell?: { readonly rows: number; readonly tokens: number };
}

/** The paper's shapes on its H100, and those that sweeps found best: one stage count each, as the paper has one. */
const fixedShapes: readonly (readonly [m: number, n: number, stages: number])[] = [
  [64, 64, 3],
  [64, 32, 3],
  [32, 32, 3],
  [32, 64, 3],
  [16, 32, 3],
  [16, 64, 3],
  [128, 64, 3],
  [64, 64, 2],
];
const named = ['m', 'n', 'stages'];
/** Numbers that the kernel offers beside those of the list stand at their defaults. */
const isPlain = (t: Tile): boolean =>
  Object.entries(t).every(([name, v]) => named.includes(name) || v === forward.tile[name]?.[0]);
const isOneOf =
  (shapes: typeof fixedShapes) =>
  (t: Tile): boolean =>
    isPlain(t) && shapes.some(([m, n, stages]) => t['m'] === m && t['n'] === n && t['stages'] === stages);

const usual = { dtype: 'f16', headDim: 128, page: 32 } as const;
const numbers = (text: string): number[] => text.split(',').map(Number);

/** Small cells of every head configuration first: a run that ends early has some of everything. */
function cellJobs(m: Measurer, v: Values, wanted: (t: Tile) => boolean): Job[] {
  const blocks = Number(v.blocks) * m.device.units;
  return numbers(v.tokens).flatMap((tokens) =>
    numbers(v.rows).flatMap((rows) =>
      v.heads.split(',').flatMap((heads): Job[] => {
        const spec = m.specOf({ tree: '', heads, ...usual });
        const { workload, ...cell } = pat.cell!(spec, rows, tokens, blocks);
        const c = { tree: workload, heads, ...usual };
        return m.tilesFor(c, wanted).map((tile): Job => ({
          case: c,
          choice: 'cell',
          tiles: [tile],
          flags: {},
          cell: { rows: cell.rows, tokens: cell.tokens },
        }));
      }),
    ),
  );
}

function choiceJobs(m: Measurer, v: Values, wanted: (t: Tile) => boolean): Job[] {
  const winners = winnersOn(m.device, m.lowering);
  const trees = (v.tree ?? paperTrees).filter((t) => new RegExp(v.filter).test(t));
  return v.heads.split(',').flatMap((heads) =>
    trees.flatMap((tree): Job[] => {
      const c = { tree, heads, ...usual };
      const all = m.tilesFor(c, wanted);
      const tuned = winners(forward, m.specOf(c));
      // The paper's kernels: one warp per 16 rows, at most 64 rows.
      const paper = all.filter((t) => t['m']! <= 64 && t['stages'] === 2 && isPlain(t));
      const job = (choice: Job['choice'], tiles: readonly Tile[], flags: Job['flags'] = {}): Job[] =>
        tiles.length > 0 ? [{ case: c, choice, tiles, flags }] : [];
      return [
        ...job('tuned', tuned ?? []),
        ...job('planned', all),
        ...job('paper', paper, { packing: 'pat' }),
        ...all.filter(isOneOf(fixedShapes)).flatMap((t) => job('fixed', [t])),
      ];
    }),
  );
}

const keyOf = (j: Job): string =>
  [
    j.case.tree,
    j.case.heads,
    j.choice,
    j.choice === 'cell' || j.choice === 'fixed' ? JSON.stringify(j.tiles[0]) : '',
  ].join(' ');

function alreadyIn(file: string): Set<string> {
  if (!existsSync(file)) return new Set();
  const text = readFileSync(file, 'utf8');
  // The line that a killed run left half written must not run into the next.
  if (text !== '' && !text.endsWith('\n')) appendFileSync(file, '\n');
  const lines = text.split('\n');
  return new Set(
    lines.flatMap((line) => {
      try {
        return [(JSON.parse(line) as { key: string }).key];
      } catch {
        return [];
      }
    }),
  );
}

type Values = ReturnType<typeof parseArgs<{ options: typeof options; allowPositionals: true }>>['values'];

/** With `--compile-only` a target is enough. */
async function open(v: Values): Promise<Device> {
  const family = v.on === 'webgpu' ? 'wgsl' : 'cuda';
  if (v.on !== 'simulator' && !v['compile-only']) return (await backendOf(family)).open();
  const { openSimulator } = await import('../backends/cpu/simulator/index.ts');
  const name = v.target ?? (v['compile-only'] ? 'cuda:sm_90a' : 'cuda:sm_80');
  return openSimulator(findTarget(name) ?? fail('PAT0602', `there is no target '${name}'`));
}

async function main(): Promise<number> {
  const { values: v, positionals } = parseArgs({ options, allowPositionals: true });
  const mode = positionals[0] ?? 'cells';
  const begin = performance.now();
  const seconds = (): number => (performance.now() - begin) / 1000;
  const device = await open(v);
  try {
    const target: Target | undefined = v.target === undefined ? device.target : findTarget(v.target);
    if (!target) return fail('PAT0602', `there is no target '${v.target}'`);
    if ('keepUploads' in device) device.keepUploads = true;
    const m = new Measurer(device, target, { repeats: Number(v.repeats), sample: 2e6 });
    const wanted = tileFilter(v.tiles, (why) => fail('PAT0601', `--tiles: ${why}`));
    const jobs =
      mode === 'cells'
        ? cellJobs(m, v, wanted)
        : mode === 'choices'
          ? choiceJobs(m, v, wanted)
          : fail('PAT0601', `there is no measurement '${mode}'`, { help: 'cells or choices' });
    mkdirSync(path.dirname(path.resolve(v.out)), { recursive: true });
    const known = alreadyIn(v.out);
    const left = jobs.filter((j) => !known.has(keyOf(j)));
    const compiled = await m.compile([...new Map(left.map((j) => [j.case.heads, j.case])).values()], (c) => [
      ...new Set(left.filter((j) => j.case.heads === c.heads).flatMap((j) => j.tiles)),
    ]);
    console.log(
      `${jobs.length} timings, ${left.length} to do; ${compiled} kernels compiled in ${seconds().toFixed(0)} s`,
    );
    if (v['compile-only']) return 0;
    const failed = await run(m, left, v, seconds);
    return failed > 0 ? 1 : 0;
  } finally {
    await device.close();
  }
}

async function run(m: Measurer, jobs: readonly Job[], v: Values, seconds: () => number): Promise<number> {
  let [done, wrong, failed] = [0, 0, 0];
  const commit = commitOf(v.commit);
  const command = ['node bench/cells.ts', ...process.argv.slice(2)].join(' ');
  for (const job of jobs) {
    if (seconds() > Number(v.budget)) break;
    const about = `${job.case.tree} ${job.case.heads} ${job.choice} ${Object.values(job.tiles[0]!).join('x')}`;
    try {
      const row = await m.measure(job.case, job.tiles, job.flags);
      if (!row.verified) {
        wrong++;
        console.log(`WRONG ${about}`);
      }
      const line = {
        key: keyOf(job),
        device: m.device.description,
        commit,
        command,
        target: m.lowering.target.name,
        choice: job.choice,
        ...job.case,
        tile: job.choice === 'cell' || job.choice === 'fixed' ? job.tiles[0] : {},
        ...(job.cell ? { cell: job.cell } : {}),
        ...row,
      };
      appendFileSync(v.out, `${JSON.stringify(line)}\n`);
      done++;
    } catch (error) {
      // PAT0704: the device is gone, and with it everything after.
      if (!(error instanceof PatcError) || error.code === 'PAT0704') throw error;
      failed++;
      console.log(`FAILED ${about}: ${error.message}`);
    }
  }
  console.log(
    `${done} of ${jobs.length} measured, ${wrong} wrong, ${failed} failed, in ${seconds().toFixed(0)} s on ${m.device.description}`,
  );
  return wrong + failed;
}

await runScript(main);
