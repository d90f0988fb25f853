/**
 * Times every tile shape on the cases of a suite, for fitting the cost model and for seeing what a plan left behind:
 *   node bench/sweep.ts --suite quick [--filter REGEX] [--tiles m=32..128,n=32..128,stages=2..4] [--repeats 10]
 *     [--with warps=2,producers=1] [--target cuda:sm_80] [--budget SECONDS] [--out FILE.jsonl]
 * `--with` gives every shape numbers of the lowering that the kernel does not offer.
 * One JSON line per case and tile: graph and chained medians, the plan, the kernel's resources. Outputs are verified on a
 * small sample. The summary says, per case, the planner's own choice against the best tile.
 */
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { openCudaDevice } from '../backends/cuda/runtime/index.ts';
import { parseTile } from '../compiler/cli/options.ts';
import { fail, PatcError } from '../compiler/diagnostics/error.ts';
import type { Tile } from '../compiler/program.ts';
import { findTarget } from '../compiler/target.ts';
import { Measurer, tileFilter } from './measure.ts';
import { runScript } from './script.ts';
import { findSuite, type BenchCase } from './suites.ts';

const options = {
  suite: { type: 'string', default: 'quick' },
  filter: { type: 'string', default: '' },
  tiles: { type: 'string', default: 'm=16..256,n=16..256' },
  with: { type: 'string', default: '' },
  target: { type: 'string' },
  repeats: { type: 'string', default: '10' },
  budget: { type: 'string', default: '1e9' },
  out: { type: 'string', default: 'sweep.jsonl' },
} as const;

interface Measured {
  readonly tile: Tile | 'planned';
  readonly graphUs: number;
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options });
  const suite = findSuite(values.suite) ?? fail('PAT0601', `there is no suite '${values.suite}'`);
  const wanted = new RegExp(values.filter);
  const cases = suite.cases.filter((c) =>
    wanted.test(`${c.tree} ${c.heads} ${c.dtype} d${c.headDim} p${c.page}`),
  );
  const inRange = tileFilter(values.tiles, (why) => fail('PAT0601', `--tiles: ${why}`));
  const device = openCudaDevice();
  device.keepUploads = true;
  let wrong = 0;
  try {
    const target = values.target === undefined ? device.target : findTarget(values.target);
    if (!target) return fail('PAT0602', `there is no target '${values.target}'`);
    const repeats = Number(values.repeats);
    const sweep = new Measurer(device, target, { repeats, extra: parseTile(values.with), chained: true });
    mkdirSync(path.dirname(path.resolve(values.out)), { recursive: true });
    writeFileSync(values.out, '');
    const begin = performance.now();
    for (const c of cases) {
      if (performance.now() - begin > Number(values.budget) * 1000) break;
      const tiles = sweep.tilesFor(c, inRange);
      await sweep.compile([c], () => tiles);
      const measured: Measured[] = [];
      for (const tile of [undefined, ...tiles]) {
        try {
          const row = await sweep.measure(c, tile ? [tile] : tiles);
          if (!row.verified) wrong++;
          measured.push({ tile: tile ?? 'planned', graphUs: row.graphUs });
          appendFileSync(
            values.out,
            `${JSON.stringify({ ...c, fixed: tile ?? null, with: values.with, ...row })}\n`,
          );
        } catch (error) {
          if (!(error instanceof PatcError) || error.code === 'PAT0704') throw error;
          process.stderr.write(`${c.tree} ${c.heads} ${JSON.stringify(tile)}: ${error.message}\n`);
        }
      }
      report(c, measured);
    }
    if (wrong > 0) console.log(`${wrong} configurations gave wrong results`);
    return wrong > 0 ? 1 : 0;
  } finally {
    await device.close();
  }
}

function report(c: BenchCase, measured: readonly Measured[]): void {
  const planned = measured.find((m) => m.tile === 'planned');
  const rest = measured.filter((m) => m.tile !== 'planned').sort((a, b) => a.graphUs - b.graphUs);
  const show = (m: Measured): string =>
    `${m.tile === 'planned' ? 'planned' : Object.values(m.tile).join('x')} ${m.graphUs.toFixed(1)}`;
  console.log(
    `${c.tree} ${c.heads}: ${planned ? show(planned) : '-'}; best ${rest.slice(0, 5).map(show).join(', ')}`,
  );
}

await runScript(main);
