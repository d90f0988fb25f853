/** Compiled code by content: a file per (compiler, options, source). Concurrent writers end with one whole file. */
import { createHash, randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/** PATC_CACHE, else `patc` in the user's cache folder. */
export const cacheFolder = (env: NodeJS.ProcessEnv = process.env): string =>
  env['PATC_CACHE'] ?? path.join(env['XDG_CACHE_HOME'] ?? path.join(os.homedir(), '.cache'), 'patc');

export interface CompiledCode {
  readonly cubin: Uint8Array;
  readonly log: string;
}

export class CodeCache {
  readonly #folder: string;

  constructor(folder = path.join(cacheFolder(), 'cubin')) {
    this.#folder = folder;
  }

  static key(...parts: readonly string[]): string {
    const hash = createHash('sha256');
    for (const part of parts) hash.update(`${part.length}:`).update(part);
    return hash.digest('hex').slice(0, 32);
  }

  #path(key: string): string {
    return path.join(this.#folder, key.slice(0, 2), key);
  }

  get(key: string): CompiledCode | undefined {
    try {
      const file = readFileSync(this.#path(key));
      const logBytes = file.readUInt32LE(0);
      if (file.readUInt32LE(4) !== file.length) return undefined;
      return { log: file.toString('utf8', 8, 8 + logBytes), cubin: file.subarray(8 + logBytes) };
    } catch {
      return undefined;
    }
  }

  /** A cache that cannot be written is no cache: nothing is lost but time. */
  put(key: string, code: CompiledCode): void {
    const log = Buffer.from(code.log, 'utf8');
    const head = Buffer.alloc(8);
    head.writeUInt32LE(log.length, 0);
    head.writeUInt32LE(8 + log.length + code.cubin.length, 4);
    const file = this.#path(key);
    const draft = `${file}.${randomUUID()}`;
    try {
      mkdirSync(path.dirname(file), { recursive: true });
      writeFileSync(draft, Buffer.concat([head, log, code.cubin]));
      renameSync(draft, file);
    } catch {
      return;
    }
  }
}
