/** Templates at their tile shapes, lowered for one target; every (template, spec, tile) is lowered once. */
import { PatcError, type Diagnostic } from '../diagnostics/error.ts';
import { lowerKernel } from '../lower/index.ts';
import type { KernelTemplate, Spec, Tile } from '../program.ts';
import type { Target } from '../target.ts';
import type { ThreadKernel } from '../thread/nodes.ts';
import { specOf } from './options.ts';
import { tilesOf } from './tiles.ts';

export interface Rejected {
  readonly kernel: string;
  readonly tile: Tile;
  readonly diagnostic: Diagnostic;
}

const keyOf = (template: KernelTemplate, spec: Spec, tile: Tile): string =>
  JSON.stringify([template.name, specOf(template, spec), tile]);

/** A tile shape that cannot fit is one of many; any other error is the author's to see. */
const doesNotFit = (error: unknown): error is PatcError =>
  error instanceof PatcError && (/^PAT03/.test(error.code) || error.code === 'PAT0107');

export class Lowering {
  readonly target: Target;
  readonly #done = new Map<string, ThreadKernel | PatcError>();
  readonly #rejected = new Map<string, Rejected>();

  constructor(target: Target) {
    this.target = target;
  }

  /** @throws PatcError when the tile cannot fit the target, or the kernel cannot be traced */
  lower(template: KernelTemplate, spec: Spec, tile: Tile): ThreadKernel {
    const key = keyOf(template, spec, tile);
    let found = this.#done.get(key);
    if (found === undefined) {
      try {
        found = lowerKernel(template.trace(specOf(template, spec), tile), this.target);
      } catch (error) {
        if (!doesNotFit(error)) throw error;
        found = error;
        this.#rejected.set(key, { kernel: template.name, tile, diagnostic: error.diagnostics[0]! });
      }
      this.#done.set(key, found);
    }
    if (found instanceof PatcError) throw found;
    return found;
  }

  fits(template: KernelTemplate, spec: Spec, tile: Tile): boolean {
    try {
      this.lower(template, spec, tile);
      return true;
    } catch (error) {
      if (doesNotFit(error)) return false;
      throw error;
    }
  }

  feasible(template: KernelTemplate, spec: Spec, fixed: Tile = {}): Tile[] {
    return tilesOf(template, fixed).filter((tile) => this.fits(template, spec, tile));
  }

  get rejected(): readonly Rejected[] {
    return [...this.#rejected.values()];
  }
}
