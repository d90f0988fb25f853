/**
 * The type-aware lint: finds traced values where JavaScript decides by itself (`if (tile)`, `tile && x`, `a === b`). Such
 * code cannot be trapped while tracing, since a JavaScript object is always true. `patc check` runs it on an author's files.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type * as TypeScript from 'typescript';
import { fail, type Diagnostic } from '../diagnostics/error.ts';
import { conditionsIn } from './conditions.ts';

/** This library's own files: sources in a clone, declarations in a package. */
const root = fileURLToPath(new URL('../../', import.meta.url));
const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.d.ts';

/**
 * Lints `files` and what they import, except packages and this library.
 *
 * @throws PatcError PAT0604 for a file that is not there, PAT0709 where typescript is not installed.
 */
export function lintProgram(files: readonly string[]): Diagnostic[] {
  const paths = files.map((file) => resolve(file));
  for (const path of paths) if (!existsSync(path)) fail('PAT0604', `there is no file ${path}`);
  const ts = loadTypeScript(paths);
  const options = compilerOptions(ts, paths);
  const host = ts.createCompilerHost(options);
  // A file that imports 'patc' may lie where the package cannot be found (in a clone, in a temporary folder).
  host.resolveModuleNameLiterals = (literals, from, redirected, given) =>
    literals.map(({ text }) => {
      const found = ts.resolveModuleName(text, from, given, host, undefined, redirected);
      const own = text === 'patc' ? 'index' : text === 'patc/dsl' ? 'dsl/index' : undefined;
      if (found.resolvedModule || own === undefined) return found;
      return { resolvedModule: { resolvedFileName: `${root}${own}${extension}`, extension } };
    });
  const program = ts.createProgram(paths, options, host);
  const checker = program.getTypeChecker();
  const library = [`${root}dsl/`, `${root}compiler/`].map(forward);
  const isTile = (symbol: TypeScript.Symbol): boolean =>
    symbol.name === 'Tile' &&
    (symbol.declarations ?? []).some((d) => d.getSourceFile().fileName.startsWith(library[0]!));
  return program
    .getSourceFiles()
    .filter(
      (source) => !source.isDeclarationFile && !library.some((folder) => source.fileName.startsWith(folder)),
    )
    .flatMap((source) => conditionsIn(ts, checker, source, isTile));
}

const forward = (path: string): string => path.replaceAll('\\', '/');

/** typescript, from this package or from the author's. */
function loadTypeScript(paths: readonly string[]): typeof TypeScript {
  for (const from of [import.meta.url, ...paths]) {
    try {
      return createRequire(from)('typescript') as typeof TypeScript;
    } catch {
      continue;
    }
  }
  fail('PAT0709', 'typescript is not installed, so traced values in JavaScript conditions cannot be found', {
    help: 'npm install --save-dev typescript@6',
  });
}

/** The author's own options where there are any; strictness is not this lint's business. */
function compilerOptions(ts: typeof TypeScript, paths: readonly string[]): TypeScript.CompilerOptions {
  const found = paths[0] && ts.findConfigFile(paths[0], (name) => ts.sys.fileExists(name));
  const config = found
    ? (ts.readConfigFile(found, (name) => ts.sys.readFile(name)).config as object | undefined)
    : undefined;
  const given = (config as { compilerOptions?: object } | undefined)?.compilerOptions ?? {};
  const { options } = ts.convertCompilerOptionsFromJson(given, found ? resolve(found, '..') : process.cwd());
  return {
    ...options,
    target: ts.ScriptTarget.ESNext,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    strictNullChecks: true,
    allowImportingTsExtensions: true,
    // Tiles are all that matters here; not loading the rest halves the time.
    types: [],
    lib: ['lib.esnext.d.ts'],
    skipLibCheck: true,
    noEmit: true,
  };
}
