/**
 * A Stryker test runner that keeps the tests loaded in its process and turns mutants on one after another: a mutant costs
 * the tests that it takes to notice it and nothing else. (Stryker's runner for vitest starts a worker and loads everything
 * again for each, which is over a second.) And a reporter that writes every verdict down as it falls.
 *
 * PATC_MUTATE_SKIP leaves out the tests whose id (`FILE#NUMBER NAME`) it matches.
 */
import { appendFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { CollectedTest } from './vitest.ts';

const files = [
  'test/compiler/passes/passes.test.ts',
  'test/compiler/lower/allocate.test.ts',
  'test/compiler/lower/divisibility.test.ts',
  'test/compiler/lower/barriers.test.ts',
  'test/compiler/lower/layout.test.ts',
  'test/compiler/lower/values.test.ts',
  'test/compiler/lower/plan-dots.test.ts',
  'test/compiler/lower/staging.test.ts',
  'test/compiler/lower/emitter.test.ts',
  'test/compiler/lower/shared-layout.test.ts',
  'test/compiler/lower/code.test.ts',
  'scripts/mutate/corpus.ts',
  'scripts/mutate/random.ts',
  'test/compiler/lower/ahead.test.ts',
  'test/compiler/lower/pipeline.test.ts',
];
const skipped = new RegExp(process.env.PATC_MUTATE_SKIP ?? '$^');

type Counts = Record<string, number>;
/** What instrumented code looks at, under the name that Stryker gives it. */
interface Namespace {
  activeMutant: string | undefined;
  currentTestId: string | undefined;
  hitCount: number | undefined;
  hitLimit: number | undefined;
  mutantCoverage?: { static: Counts; perTest: Record<string, Counts> };
}
interface MutantRun {
  readonly activeMutant: { readonly id: string };
  readonly testFilter?: readonly string[];
  readonly hitLimit?: number;
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

class InProcessRunner {
  readonly #tests = new Map<string, CollectedTest & { ms: number }>();
  readonly #ns = ((globalThis as { __stryker__?: Namespace }).__stryker__ ??= {
    activeMutant: undefined,
    currentTestId: undefined,
    hitCount: undefined,
    hitLimit: undefined,
  });

  /** What loading alone has reached. */
  #loading: Counts = {};

  capabilities() {
    return { reloadEnvironment: true };
  }

  /** Stryker starts it in its copy of the repository, where compiler/passes and compiler/lower are instrumented. */
  async init(): Promise<void> {
    const at = (file: string): string => pathToFileURL(join(process.cwd(), file)).href;
    const shim = at('scripts/mutate/vitest.ts');
    registerHooks({
      resolve: (specifier, context, next) =>
        specifier === 'vitest' ? { url: shim, shortCircuit: true } : next(specifier, context),
    });
    const { collected } = (await import(shim)) as { collected: CollectedTest[] };
    for (const file of files) {
      const before = collected.length;
      await import(at(file));
      for (const [i, t] of collected.slice(before).entries()) {
        const id = `${file}#${i} ${t.name}`;
        if (!skipped.test(id)) this.#tests.set(id, { ...t, ms: 0 });
      }
    }
    this.#loading = { ...this.#ns.mutantCoverage?.static };
  }

  async dryRun() {
    const tests: object[] = [];
    for (const [id, t] of this.#tests) {
      const start = performance.now();
      // Once to warm up: none should be put last for having been the first.
      const error = (await this.#run(t)) ?? (await this.#run(t, id));
      const fileName = join(process.cwd(), id.split('#')[0]!);
      const told = { id, name: t.name, fileName, timeSpentMs: performance.now() - start };
      tests.push(
        error === undefined ? { ...told, status: 0 } : { ...told, status: 1, failureMessage: error },
      );
    }
    const { perTest = {} } = this.#ns.mutantCoverage ?? {};
    // Only what nothing but loading reaches is static here: the rest is turned on when everything is loaded.
    const reached = new Set(Object.values(perTest).flatMap((c) => Object.keys(c)));
    const atLoad = Object.fromEntries(Object.entries(this.#loading).filter(([id]) => !reached.has(id)));
    return { status: 'complete', tests, mutantCoverage: { static: atLoad, perTest } };
  }

  async mutantRun({ activeMutant, testFilter, hitLimit }: MutantRun) {
    const ids = [...(testFilter ?? this.#tests.keys())].filter((id) => this.#tests.has(id));
    ids.sort((a, b) => this.#tests.get(a)!.ms - this.#tests.get(b)!.ms);
    Object.assign(this.#ns, { activeMutant: activeMutant.id, hitCount: 0, hitLimit });
    try {
      for (const [i, id] of ids.entries()) {
        const failureMessage = await this.#run(this.#tests.get(id)!);
        if (hitLimit !== undefined && this.#ns.hitCount! > hitLimit) return { status: 'timeout' };
        if (failureMessage !== undefined)
          return { status: 'killed', killedBy: [id], failureMessage, nrOfTests: i + 1 };
      }
      return { status: 'survived', nrOfTests: ids.length };
    } finally {
      Object.assign(this.#ns, { activeMutant: undefined, hitCount: undefined, hitLimit: undefined });
    }
  }

  /** What went wrong, if anything did. Counts coverage for `id` and notes its time. */
  async #run(t: CollectedTest & { ms: number }, id?: string): Promise<string | undefined> {
    this.#ns.currentTestId = id;
    const start = performance.now();
    try {
      await t.run();
      return undefined;
    } catch (error) {
      return messageOf(error);
    } finally {
      if (id !== undefined) t.ms = performance.now() - start;
      this.#ns.currentTestId = undefined;
    }
  }

  dispose(): void {}
}

interface Tested {
  readonly fileName: string;
  readonly location: { readonly start: { readonly line: number; readonly column: number } };
  readonly mutatorName: string;
  readonly replacement?: string;
  readonly status: string;
}

/** One JSON line a mutant in the file that PATC_MUTATE_LOG names: an interrupted run is not lost. */
class LogReporter {
  onMutantTested({ fileName, location, mutatorName, replacement, status, ...rest }: Tested): void {
    const file = process.env.PATC_MUTATE_LOG;
    if (!file) return;
    const { killedBy } = rest as { killedBy?: readonly string[] };
    const line = { fileName, location, mutatorName, replacement, status, killedBy };
    appendFileSync(file, `${JSON.stringify(line)}\n`);
  }
}

export const strykerPlugins = [
  { kind: 'TestRunner', name: 'in-process', injectableClass: InProcessRunner },
  { kind: 'Reporter', name: 'log', injectableClass: LogReporter },
];
