/** patc cache: what the tuner has measured, one record per configuration. */
import { readFileSync, writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { closest } from '../../diagnostics/closest.ts';
import { fail } from '../../diagnostics/error.ts';
import type { TuneRecord } from '../../tune/records.ts';
import type { CacheJson } from '../../tune/schemas.ts';
import { showTile, table, type Output } from '../output.ts';

const actions = ['list', 'clear', 'export', 'import'] as const;

export const addCache = (
  cli: Command,
  action: (work: (out: Output) => Promise<number>) => Promise<void>,
): void => {
  cli
    .command('cache')
    .description("the tuner's measurements")
    .argument('<action>', actions.join(', '))
    .argument('[file]', 'for export and import: JSON lines')
    .action((name: string, file: string | undefined) => action((out) => cache(name, file, out)));
};

async function cache(name: string, file: string | undefined, out: Output): Promise<number> {
  const action = actions.find((a) => a === name);
  if (!action) {
    const near = closest(name, actions);
    fail('PAT0601', `cache: there is no '${name}'`, {
      notes: [{ text: `actions: ${actions.join(', ')}` }],
      ...(near ? { help: `did you mean '${near}'?` } : {}),
    });
  }
  const moves = action === 'export' || action === 'import';
  if (moves && file === undefined) fail('PAT0601', `cache ${action} needs a file`);
  if (!moves && file !== undefined) fail('PAT0601', `cache ${action} takes no file`);
  const { Records } = await import('../../tune/records.ts');
  const warnings: string[] = [];
  const records = new Records((line) => {
    warnings.push(line);
    out.progress(line);
  });
  let shown = action === 'import' ? records.import(read(file!)) : records.list();
  if (action === 'export') write(file!, records.export());
  if (action === 'clear') {
    records.clear();
    // What could be read is what is reported as gone.
    shown = shown.slice();
  }
  const document: CacheJson = {
    ok: true,
    action,
    folder: records.folder,
    records: shown.map(recordJson),
    warnings,
  };
  out.result(document, () => text(document, file));
  return 0;
}

const recordJson = (r: TuneRecord): CacheJson['records'][number] => ({
  key: r.key,
  program: r.program,
  kernel: r.kernel,
  target: r.target,
  device: r.device,
  tile: r.tile,
  state: r.outcome.state,
  us: r.outcome.state === 'measured' ? r.outcome.us : null,
});

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    return fail('PAT0604', `cannot read ${file}`, { notes: [{ text: (error as Error).message }] });
  }
}

function write(file: string, content: string): void {
  try {
    writeFileSync(file, content);
  } catch (error) {
    fail('PAT0605', `cannot write ${file}`, { notes: [{ text: (error as Error).message }] });
  }
}

function text(d: CacheJson, file: string | undefined): string {
  const count = `${d.records.length} record${d.records.length === 1 ? '' : 's'}`;
  if (d.action === 'clear') return `removed ${count} from ${d.folder}`;
  if (d.action === 'export') return `wrote ${count} to ${file}`;
  if (d.action === 'import') return `took ${count} from ${file} into ${d.folder}`;
  const rows = d.records.map((r) => [
    r.key.slice(0, 12),
    r.program,
    r.kernel,
    r.target,
    r.device,
    showTile(r.tile),
    r.us === null ? r.state : `${r.us.toFixed(1)} us`,
  ]);
  return [`${count} in ${d.folder}`, ...(rows.length ? [table(rows)] : [])].join('\n');
}
