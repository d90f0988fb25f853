/** Templates traced and taken through the passes, once for all the tile shapes and targets that cannot tell the difference. */
import type { Kernel } from '../ir/nodes.ts';
import { runPasses } from '../passes/index.ts';
import type { KernelTemplate, Spec, Tile } from '../program.ts';
import { specOf } from './options.ts';

/** A result, and the tile numbers that it depends on. */
export interface Memo<T> {
  readonly tile: Tile;
  readonly reads: ReadonlySet<string>;
  readonly result: T;
}

export const find = <T>(memos: readonly Memo<T>[], tile: Tile): Memo<T> | undefined =>
  memos.find((m) => [...m.reads].every((name) => m.tile[name] === tile[name]));

/** Results by template and spec. */
export class Families<T> {
  readonly #families = new Map<string, Memo<T>[]>();

  of(template: KernelTemplate, spec: Spec): Memo<T>[] {
    const key = JSON.stringify([template.name, specOf(template, spec)]);
    let family = this.#families.get(key);
    if (!family) this.#families.set(key, (family = []));
    return family;
  }
}

export class Traces {
  readonly #traced = new Families<Kernel>();

  /** The kernel after the passes; what tile numbers it depends on is added to `reads`. */
  of(template: KernelTemplate, spec: Spec, tile: Tile, reads: Set<string>): Kernel {
    const family = this.#traced.of(template, spec);
    let memo = find(family, tile);
    if (!memo) {
      const own = new Set<string>();
      const kernel = template.trace(specOf(template, spec), tile, own);
      // A template that does not say what it looks at may have looked at everything.
      const all = own.size > 0 || Object.keys(tile).length === 0 ? own : new Set(Object.keys(tile));
      memo = { tile, reads: all, result: runPasses({ ...kernel, tile: watched(tile, all) }) };
      family.push(memo);
    }
    for (const name of memo.reads) reads.add(name);
    return memo.result;
  }
}

/** The tile, noting which of its numbers are looked at one by one; listing them all (for a message) does not count. */
export function watched(tile: Tile, reads: Set<string>): Tile {
  let listed = 0;
  return new Proxy(tile, {
    ownKeys(target) {
      const keys = Reflect.ownKeys(target);
      listed = keys.length;
      return keys;
    },
    get(target, key, receiver) {
      if (listed > 0) listed--;
      else if (typeof key === 'string') reads.add(key);
      return Reflect.get(target, key, receiver) as unknown;
    },
  });
}
