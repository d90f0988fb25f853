/** `--watch`: runs the command again whenever a source file beside the program changes. */
import { spawn, type ChildProcess } from 'node:child_process';
import { statSync, watch, type FSWatcher } from 'node:fs';
import { dirname, resolve, sep } from 'node:path';
import { fail } from '../diagnostics/error.ts';

const isSource = (name: string): boolean =>
  /\.([mc]?[tj]s|tile|work|json)$/.test(name) &&
  !/(^|[\\/])(node_modules|dist|out|\.[^\\/]+)[\\/]/.test(name);

/** An editor's one save is several changes to the file system. */
const settleMs = 120;

/**
 * Never returns. Every round is a process of its own: Node keeps modules that it has imported.
 * @throws PatcError PAT0601 for a shipped program, which is not a file of the author's
 */
export function rerunOnChange(program: string, argv: readonly string[]): Promise<never> {
  if (!/\.(tile|[mc]?[tj]s)$/.test(program))
    fail('PAT0601', `--watch needs a file, and '${program}' is a shipped program`, {
      help: "give the program as a path: './kernel.ts'",
    });
  const file = resolve(program);
  const folder = dirname(file);
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory())
    fail('PAT0604', `${folder} does not exist`);
  let child: ChildProcess | undefined;
  let timer: NodeJS.Timeout | undefined;
  const run = (): void => {
    child?.kill();
    const started = spawn(process.execPath, [process.argv[1]!, ...argv], { stdio: 'inherit' });
    child = started;
    started.on('exit', (code) => {
      if (child === started && code !== null)
        process.stderr.write(`watching ${folder}${sep} (exit code ${code})\n`);
    });
  };
  const watcher: FSWatcher = watch(folder, { recursive: true }, (_, name) => {
    if (name !== null && !isSource(name)) return;
    clearTimeout(timer);
    timer = setTimeout(run, settleMs);
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.on(signal, () => {
      watcher.close();
      child?.kill();
      process.exit(0);
    });
  run();
  return new Promise(() => {});
}
