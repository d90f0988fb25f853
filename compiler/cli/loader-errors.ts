/** What Node says when an author's file does not load, turned into what to change. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Diagnostic, PatcError, fail } from '../diagnostics/error.ts';
import type { Span } from '../ir/span.ts';

/**
 * A `.ts` file is an ES module only where its package says so. Node would guess for a package that says nothing; tsc
 * would not, and reads the same file as CommonJS, so the author would see errors in the editor that patc does not have.
 */
export function refuseWrongModuleType(shown: string, file: string): void {
  if (!['.ts', '.js'].includes(extname(file))) return;
  for (let at = dirname(file); ; at = dirname(at)) {
    const path = join(at, 'package.json');
    if (existsSync(path)) {
      const type = packageType(path);
      if (type === 'module') return;
      fail(
        'PAT0603',
        `${shown} is not an ES module: its package ${type ? `says "type": "${type}"` : 'has no "type"'}`,
        {
          notes: [{ text: `the nearest package.json is ${path}` }],
          help: `add "type": "module" to ${path} (\`npm pkg set type=module\`), or name the file ${shown.replace(/\.(ts|js)$/, '.m$1')}`,
        },
      );
    }
    if (dirname(at) === at) return;
  }
}

function packageType(path: string): string | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    fail('PAT0603', `${path} is not JSON`, { notes: [{ text: String((error as Error).message) }] });
  }
  const type = (parsed as { type?: unknown } | null)?.type;
  return typeof type === 'string' ? type : undefined;
}

/** The PatcError for whatever `import(file)` threw. One that the author's own code raised through patc stays as it is. */
export function importFailure(shown: string, file: string, error: unknown): PatcError {
  if (error instanceof PatcError) return error;
  if (!(error instanceof Error)) return problem(shown, `it threw ${String(error)}`, {});
  const code = (error as { code?: string }).code;
  const span = place(error, file);
  const at = span ? { span } : {};
  if (code === 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX') {
    return problem(shown, error.message, { ...at, help: erasable(error.message) });
  }
  if (code === 'ERR_INVALID_TYPESCRIPT_SYNTAX') {
    return problem(shown, `syntax error: ${error.message}`, at);
  }
  if (
    code === 'ERR_MODULE_NOT_FOUND' ||
    code === 'ERR_UNSUPPORTED_DIR_IMPORT' ||
    code === 'ERR_PACKAGE_PATH_NOT_EXPORTED'
  ) {
    return problem(shown, error.message.replace(/ Did you mean.*$/s, ''), { help: missing(error) });
  }
  const noExport = /does not provide an export named '(.+)'/.exec(error.message);
  if (noExport) {
    return problem(shown, error.message, {
      ...at,
      help: `if '${noExport[1]}' is a type, write \`import type { ${noExport[1]} }\` (types are erased, not compiled); otherwise export it`,
    });
  }
  if (error.message.includes('Cannot use import statement outside a module')) {
    return problem(shown, 'it is read as CommonJS', {
      ...at,
      help: 'add "type": "module" to the nearest package.json',
    });
  }
  return problem(shown, `it threw ${error.name}: ${error.message}`, at);
}

function problem(shown: string, message: string, extra: Omit<Diagnostic, 'code' | 'message'>): PatcError {
  return new PatcError({ code: 'PAT0603', message: `${shown} cannot be loaded: ${message}`, ...extra });
}

function erasable(message: string): string {
  if (/enum/.test(message)) {
    return 'write `const Kind = { A: 0, B: 1 } as const` instead of the enum: patc runs the file as it is, with its types erased, and an enum is not a type';
  }
  if (/namespace|module/i.test(message))
    return 'use an ES module (a file of its own) or a plain object instead of the namespace';
  if (/parameter property/i.test(message)) return 'declare the field and assign it in the constructor';
  return 'patc runs the file with its types erased; use only TypeScript that erases (`"erasableSyntaxOnly": true` in tsconfig.json shows such places)';
}

/** For an import that leads nowhere: the file that was probably meant. */
function missing(error: Error): string {
  const url = (error as { url?: string }).url;
  const path = url?.startsWith('file:') ? fileURLToPath(url) : undefined;
  const asked = path ?? /Cannot find (?:module|package) '(.+?)'/.exec(error.message)?.[1] ?? '';
  const candidates = [
    asked + '.ts',
    asked.replace(/\.js$/, '.ts'),
    asked.replace(/\.mjs$/, '.mts'),
    join(asked, 'index.ts'),
  ];
  const found = candidates.find((c) => c !== asked && existsSync(c));
  if (found) return `imports name the file itself: write the path of ${found}, with its ending`;
  if (/Cannot find package '(.+?)'/.test(error.message))
    return 'install the package in the folder of the file that imports it';
  return 'check the path; imports name the file with its ending (./tiles.ts)';
}

/** Where: the first line of the stack is FILE:LINE for a syntax error; for a throw it is the first frame in the file. */
function place(error: Error, file: string): Span | undefined {
  const stack = error.stack ?? '';
  const first = /^(?:file:\/\/)?(\S+?):(\d+)\n(?:.*\n){1,3}?( *)\^/.exec(stack);
  if (first) return { file: first[1]!, line: Number(first[2]), column: first[3]!.length + 1 };
  const frame = stack
    .split('\n')
    .map((line) => /\(?((?:file:\/\/)?\/?[^()\s]+):(\d+):(\d+)\)?$/.exec(line))
    .find((m) => m && m[1]!.endsWith(file));
  return frame ? { file, line: Number(frame[2]), column: Number(frame[3]) } : undefined;
}
