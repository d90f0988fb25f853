import { mkdirSync } from 'node:fs';
import { fail } from '../diagnostics/error.ts';

/** @throws PatcError PAT0605 */
export function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true });
  } catch (error) {
    fail('PAT0605', `cannot make the folder ${path}`, { notes: [{ text: (error as Error).message }] });
  }
}
