/** The commit that a record is of. */
import { execFileSync } from 'node:child_process';

export function commitOf(given: string | undefined): string {
  if (given) return given;
  try {
    const git = (...args: string[]): string =>
      execFileSync('git', args, { encoding: 'utf8', stdio: 'pipe' }).trim();
    const changed = git('status', '--porcelain', '--untracked-files=no') !== '';
    return git('rev-parse', 'HEAD') + (changed ? '+changes' : '');
  } catch {
    return 'unknown';
  }
}
