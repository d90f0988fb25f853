/**
 * The tuner's cache: one JSON file per configuration, named by what the measurement depends on. Written beside its place and
 * renamed, so that a reader sees a whole record or none, whoever else writes. A record that cannot be read is no record.
 */
import { createHash, randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { cacheFolder } from '../../backends/cuda/nvcc/cache.ts';
import { fail } from '../diagnostics/error.ts';

export const recordVersion = 1;

export const recordSchema = z.strictObject({
  version: z.literal(recordVersion),
  key: z.string().regex(/^[0-9a-f]{64}$/),
  program: z.string(),
  kernel: z.string(),
  target: z.string(),
  toolchain: z.string(),
  device: z.string(),
  shapes: z.string().describe('workload, flags and facts: everything else that the time depends on'),
  tile: z.record(z.string(), z.number()),
  outcome: z.discriminatedUnion('state', [
    z.strictObject({
      state: z.literal('measured'),
      us: z.number().positive(),
      repeats: z.number().int(),
      error: z.number().describe('largest relative difference from the interpreter'),
    }),
    z.strictObject({ state: z.literal('failed'), why: z.string() }),
  ]),
});

export type TuneRecord = z.infer<typeof recordSchema>;

export interface RecordKey {
  /** Printed Tile IR of the kernel at its tile. */
  readonly text: string;
  readonly target: string;
  readonly toolchain: string;
  readonly device: string;
  readonly shapes: string;
}

export function keyOf(k: RecordKey): string {
  const hash = createHash('sha256');
  for (const part of [String(recordVersion), k.text, k.target, k.toolchain, k.device, k.shapes])
    hash.update(`${part.length}:`).update(part);
  return hash.digest('hex');
}

export class Records {
  readonly folder: string;
  readonly #warn: (line: string) => void;
  #writable = true;

  constructor(warn: (line: string) => void, folder = path.join(cacheFolder(), 'tune')) {
    this.folder = folder;
    this.#warn = warn;
  }

  #path(key: string): string {
    return path.join(this.folder, `${key}.json`);
  }

  get(key: string): TuneRecord | undefined {
    let text: string;
    try {
      text = readFileSync(this.#path(key), 'utf8');
    } catch {
      return undefined;
    }
    return this.#read(text, `${key}.json`);
  }

  #read(text: string, name: string): TuneRecord | undefined {
    try {
      const record = recordSchema.parse(JSON.parse(text));
      if (`${record.key}.json` === name) return record;
      this.#warn(`cache: ${name} holds the record of another configuration; ignored`);
    } catch (error) {
      const why = error instanceof z.ZodError ? 'is not a record of this version' : 'is not whole';
      this.#warn(`cache: ${name} ${why}; ignored`);
    }
    return undefined;
  }

  /** Keeps a record. Where the folder cannot be written, says so once and goes on. */
  put(record: TuneRecord): void {
    if (!this.#writable) return;
    const draft = `${this.#path(record.key)}.${randomUUID()}.draft`;
    try {
      mkdirSync(this.folder, { recursive: true });
      writeFileSync(draft, `${JSON.stringify(record, null, 1)}\n`);
      renameSync(draft, this.#path(record.key));
    } catch (error) {
      this.#writable = false;
      this.#warn(
        `cache: ${this.folder} cannot be written (${(error as Error).message}); results are not kept`,
      );
    }
  }

  list(): TuneRecord[] {
    return this.#names().flatMap((name) => {
      const record = this.#read(readFileSync(path.join(this.folder, name), 'utf8'), name);
      return record ? [record] : [];
    });
  }

  #names(): string[] {
    try {
      return readdirSync(this.folder)
        .filter((name) => /^[0-9a-f]{64}\.json$/.test(name))
        .sort();
    } catch {
      return [];
    }
  }

  /** Removes records and what interrupted writers left; other files stay. */
  clear(): void {
    let names: string[];
    try {
      names = readdirSync(this.folder);
    } catch {
      return;
    }
    for (const name of names) {
      if (!/^[0-9a-f]{64}\.json(\.[\w-]+\.draft)?$/.test(name)) continue;
      try {
        rmSync(path.join(this.folder, name), { force: true });
      } catch (error) {
        fail('PAT0605', `cannot remove ${path.join(this.folder, name)}`, {
          notes: [{ text: (error as Error).message }],
        });
      }
    }
  }

  /** All records as one JSON-lines text. */
  export(): string {
    return this.list()
      .map((record) => `${JSON.stringify(record)}\n`)
      .join('');
  }

  /** Takes records from `export`'s text; lines that are none are ignored with a warning. */
  import(text: string): TuneRecord[] {
    const taken: TuneRecord[] = [];
    text.split('\n').forEach((line, i) => {
      if (line.trim() === '') return;
      try {
        taken.push(recordSchema.parse(JSON.parse(line)));
      } catch {
        this.#warn(`import: line ${i + 1} is not a record of this version; ignored`);
      }
    });
    for (const record of taken) this.put(record);
    return taken;
  }
}
