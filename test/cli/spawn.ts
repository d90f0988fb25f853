/** Starting patc from the tests. A process costs about a second, so most tests share one (`session`). */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Ran {
  readonly argv: readonly string[];
  code: number;
  stdout: string;
  stderr: string;
}

export const root = fileURLToPath(new URL('../../', import.meta.url));

export function session(commandLines: readonly (readonly string[])[], cwd = root): Ran[] {
  const script = fileURLToPath(new URL('session.ts', import.meta.url));
  const child = spawnSync(process.execPath, [script], {
    cwd,
    input: JSON.stringify(commandLines),
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  if (child.status !== 0) throw new Error(`the session ended with ${child.status}: ${child.stderr}`);
  return JSON.parse(child.stdout) as Ran[];
}

export function patc(argv: readonly string[], options: { cwd?: string; env?: NodeJS.ProcessEnv } = {}): Ran {
  const child = spawnSync(process.execPath, [join(root, 'bin', 'patc.js'), ...argv], {
    cwd: options.cwd ?? root,
    env: options.env ?? process.env,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  return { argv, code: child.status ?? -1, stdout: child.stdout, stderr: child.stderr };
}

/** A new folder with these files in it. */
export function folder(files: Readonly<Record<string, string>>): string {
  const at = mkdtempSync(join(tmpdir(), 'patc-test-'));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(at, name)), { recursive: true });
    writeFileSync(join(at, name), text);
  }
  return at;
}
