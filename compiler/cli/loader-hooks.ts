/**
 * `import … from 'patc/dsl'` in an author's file gives the patc that is running, wherever the file lies: outside any
 * package, beside another installed version, or in this clone, whose `exports` point at files that are not built.
 */
import { existsSync, readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const inSource = import.meta.url.endsWith('.ts');
/** The package's folder: this file is compiler/cli/… in a clone and dist/compiler/cli/… when installed. */
export const packageRoot = fileURLToPath(new URL(inSource ? '../../' : '../../../', import.meta.url));

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly exports: Readonly<Record<string, string | { readonly default: string }>>;
}

export const manifest = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as Manifest;

/** The file that an export such as `patc/dsl` names here. */
function ownExport(specifier: string): string | undefined {
  const entry = manifest.exports[`.${specifier.slice(manifest.name.length)}`];
  if (entry === undefined) return undefined;
  const built = typeof entry === 'string' ? entry : entry.default;
  const path = inSource ? built.replace(/^\.\/dist\/(.*)\.js$/, './$1.ts') : built;
  const file = join(packageRoot, path);
  return existsSync(file) ? file : undefined;
}

let registered = false;

export function resolveOwnPackage(): void {
  if (registered) return;
  registered = true;
  registerHooks({
    resolve(specifier, context, next) {
      if (specifier === manifest.name || specifier.startsWith(`${manifest.name}/`)) {
        const file = ownExport(specifier);
        if (file) return { url: pathToFileURL(file).href, shortCircuit: true };
      }
      return next(specifier, context);
    },
  });
}
