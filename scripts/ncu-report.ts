/**
 * What Nsight Compute says of profiled cases, as a record and a table:
 *   node scripts/ncu-report.ts OUT.json NAME=FILE.csv...
 * Files are `ncu --import REPORT --page raw --csv`; NAME is the case, e.g. "1,10_4096,416 64/8". One row a kernel: duration, shares of
 * what each unit can do at most, and the reasons for which warps were not issued, largest first. Metrics that this version of the
 * tool does not have are left out.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { fail } from '../compiler/diagnostics/error.ts';
import { runScript } from '../bench/script.ts';

/** Name in the record, and the tool's names for it: the first that is there counts. */
const metrics: Readonly<Record<string, readonly string[]>> = {
  us: ['gpu__time_duration.sum'],
  smMHz: ['smsp__cycles_elapsed.avg.per_second'],
  tensorPct: ['sm__pipe_tensor_cycles_active.avg.pct_of_peak_sustained_active'],
  issuePct: ['smsp__issue_active.avg.pct_of_peak_sustained_active'],
  memoryPct: ['dram__bytes_read.sum.pct_of_peak_sustained_elapsed'],
  memoryBytes: ['dram__bytes_read.sum'],
  l2Pct: ['lts__throughput.avg.pct_of_peak_sustained_elapsed'],
  l2HitPct: ['lts__t_sector_hit_rate.pct'],
  sharedPct: ['l1tex__data_pipe_lsu_wavefronts_mem_shared.sum.pct_of_peak_sustained_elapsed'],
  occupancyPct: ['sm__warps_active.avg.pct_of_peak_sustained_active'],
  registers: ['launch__registers_per_thread'],
};
/** Warps per issued instruction that wait for a reason, but for having been issued or not chosen. */
const stall = /^smsp__average_warps_issue_stalled_(?!selected|not_selected)(\w+)_per_issue_active/;

/** Rows of a CSV whose fields may be quoted and hold commas. */
function csv(text: string): string[][] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('"'))
    .map((line) => [...line.matchAll(/"((?:[^"]|"")*)"/g)].map((m) => m[1]!.replaceAll('""', '"')));
}

const scale: Readonly<Record<string, number>> = {
  ns: 1e-3,
  us: 1,
  ms: 1e3,
  s: 1e6,
  Mhz: 1,
  Ghz: 1e3,
  byte: 1,
  Kbyte: 1e3,
  Mbyte: 1e6,
  Gbyte: 1e9,
};

function kernels(file: string): Record<string, unknown>[] {
  const [names, units, ...rows] = csv(readFileSync(file, 'utf8'));
  if (!names || !units) return fail('PAT0601', `${file} is no CSV of raw metrics`);
  const value = (row: readonly string[], name: string): number | undefined => {
    const at = names.indexOf(name);
    const number = Number((row[at] ?? '').replaceAll(',', ''));
    return at < 0 || row[at] === '' || Number.isNaN(number) ? undefined : number * (scale[units[at]!] ?? 1);
  };
  return rows.map((row) => {
    const found = Object.entries(metrics).flatMap(([key, candidates]): [string, number][] => {
      const n = candidates.map((c) => value(row, c)).find((x) => x !== undefined);
      return n === undefined ? [] : [[key, Number(n.toPrecision(4))]];
    });
    const stalls = names
      .flatMap((name): [string, number][] => {
        const match = stall.exec(name);
        const n = match && value(row, name);
        return n ? [[match[1]!, Number(n.toFixed(2))]] : [];
      })
      .sort((a, b) => b[1] - a[1])
      .slice(0, 5);
    return {
      kernel: row[names.indexOf('Kernel Name')],
      ...Object.fromEntries(found),
      stalls: Object.fromEntries(stalls),
    };
  });
}

function main(): number {
  const { positionals } = parseArgs({ allowPositionals: true });
  const [out, ...files] = positionals;
  if (!out || files.length === 0)
    return fail('PAT0601', 'usage: node scripts/ncu-report.ts OUT.json NAME=FILE.csv...');
  const rows = files.flatMap((arg) => {
    const at = arg.lastIndexOf('=');
    if (at < 0) return fail('PAT0601', `'${arg}' is not NAME=FILE.csv`);
    return kernels(arg.slice(at + 1)).map((k) => ({ case: arg.slice(0, at), ...k }));
  });
  writeFileSync(out, `${JSON.stringify({ tool: 'ncu --set full, page raw', rows }, null, 1)}\n`);
  for (const r of rows) console.log(JSON.stringify(r));
  return 0;
}

await runScript(async () => main());
