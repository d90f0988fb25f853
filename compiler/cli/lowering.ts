/**
 * Templates at their tile shapes, lowered for one target. Every shape is lowered once, and shapes that cannot differ are
 * lowered once for all of them: a lowering that looked at some tile numbers only is the same for every shape with those.
 */
import { PatcError, type Diagnostic } from '../diagnostics/error.ts';
import { lowerOptimised } from '../lower/index.ts';
import type { KernelTemplate, Spec, Tile } from '../program.ts';
import type { Target } from '../target.ts';
import { someStmt } from '../thread/walk.ts';
import type { ThreadKernel } from '../thread/nodes.ts';
import { tilesOf } from './tiles.ts';
import { Families, find, Traces, watched, type Memo } from './traces.ts';

export interface Rejected {
  readonly kernel: string;
  readonly tile: Tile;
  readonly diagnostic: Diagnostic;
}

interface Fit {
  readonly tile: Tile;
  readonly kernel: ThreadKernel;
}

/** A tile shape that cannot fit is one of many; any other error is the author's to see. */
const doesNotFit = (error: unknown): error is PatcError =>
  error instanceof PatcError && (/^PAT03/.test(error.code) || error.code === 'PAT0107');

export class Lowering {
  readonly target: Target;
  readonly #traces: Traces;
  readonly #lowered = new Families<ThreadKernel | PatcError>();
  readonly #rejected: Rejected[] = [];

  /** `traces`: what lowerings for several targets share. */
  constructor(target: Target, traces = new Traces()) {
    this.target = target;
    this.#traces = traces;
  }

  /** @throws PatcError when the tile cannot fit the target, or the kernel cannot be traced */
  lower(template: KernelTemplate, spec: Spec, tile: Tile): ThreadKernel {
    const { result } = this.#memo(template, spec, tile);
    if (result instanceof PatcError) throw result;
    return result;
  }

  /**
   * The shapes that fit; of those that cannot differ, the first. Where some shapes use the matrix unit, those that do not are
   * rejected, and so are those with a warp that copies 16 bytes at a time where there are others: they are slower, and every
   * shape costs a compilation.
   */
  feasible(template: KernelTemplate, spec: Spec, fixed: Tile = {}): Tile[] {
    const fits = tilesOf(template, fixed).flatMap((tile) => {
      const memo = this.#memo(template, spec, tile);
      return memo.tile === tile && !(memo.result instanceof PatcError) ? [{ tile, kernel: memo.result }] : [];
    });
    const matrix = this.#prefer(template, fits, usesMatrixUnit, (others) => ({
      code: 'PAT0309',
      message: `its dots run on multiply-adds; ${others} other shapes use the matrix unit of ${this.target.name}`,
      help: 'row, column and inner extents of a dot that are multiples of 16, 8 and 16 fit mma.m16n8k16',
    }));
    const copied = this.#prefer(
      template,
      matrix,
      (kernel) => !copiesChunks(kernel),
      (others) => ({
        code: 'PAT0310',
        message: `its producer warp copies 16 bytes at a time; ${others} other shapes do without, or copy boxes`,
        help: `tensor copies need Hopper, rows of 128 bytes, and runs of a multiple of 8 rows that are neighbours in memory`,
      }),
    );
    return copied.map(({ tile }) => tile);
  }

  /** Those that are good where some are; the others are rejected. */
  #prefer(
    template: KernelTemplate,
    fits: readonly Fit[],
    good: (kernel: ThreadKernel) => boolean,
    why: (others: number) => Omit<Diagnostic, 'span'>,
  ): readonly Fit[] {
    const kept = fits.filter(({ kernel }) => good(kernel));
    if (kept.length === 0) return fits;
    for (const fit of fits)
      if (!kept.includes(fit))
        this.#rejectOnce(template.name, fit.tile, { ...why(kept.length), span: fit.kernel.span });
    return kept;
  }

  #rejectOnce(kernel: string, tile: Tile, diagnostic: Diagnostic): void {
    const known = this.#rejected.some(
      (r) => r.kernel === kernel && r.tile === tile && r.diagnostic.code === diagnostic.code,
    );
    if (!known) this.#rejected.push({ kernel, tile, diagnostic });
  }

  get rejected(): readonly Rejected[] {
    return this.#rejected;
  }

  #memo(template: KernelTemplate, spec: Spec, tile: Tile): Memo<ThreadKernel | PatcError> {
    const family = this.#lowered.of(template, spec);
    const known = find(family, tile);
    if (known) return same(known.tile, tile) ? { ...known, tile } : known;
    const reads = new Set<string>();
    let result: ThreadKernel | PatcError;
    try {
      const kernel = this.#traces.of(template, spec, tile, reads);
      const lowered = lowerOptimised({ ...kernel, tile: watched(tile, reads) }, this.target);
      result = { ...lowered, tile };
    } catch (error) {
      if (!doesNotFit(error)) throw error;
      result = error;
      this.#rejected.push({ kernel: template.name, tile, diagnostic: error.diagnostics[0]! });
    }
    const memo = { tile, reads, result };
    family.push(memo);
    return memo;
  }
}

const usesMatrixUnit = (kernel: ThreadKernel): boolean =>
  someStmt(kernel.body, (s) => s.s === 'mma' || s.s === 'wgmma');

/** Whether a warp of its own copies, and has no tensor copies. */
const copiesChunks = (kernel: ThreadKernel): boolean =>
  someStmt(kernel.body, (s) => s.s === 'mbarrierWait') && !someStmt(kernel.body, (s) => s.s === 'tensorCopy');

const same = (a: Tile, b: Tile): boolean => Object.keys({ ...a, ...b }).every((name) => a[name] === b[name]);
