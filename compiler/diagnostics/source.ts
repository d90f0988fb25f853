/** Lines of source for code frames. */
import { readFileSync } from 'node:fs';

/** The text of a file as spans name it, or undefined when it cannot be read. */
export type ReadSource = (file: string) => string | undefined;

const cache = new Map<string, string | undefined>();

/** Reads from disk, relative to the working directory; each file once. */
export const readFromDisk: ReadSource = (file) => {
  if (!cache.has(file)) {
    let text: string | undefined;
    try {
      text = readFileSync(file, 'utf8');
    } catch {
      text = undefined;
    }
    cache.set(file, text);
  }
  return cache.get(file);
};
