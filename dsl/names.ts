/**
 * The author's variable names. A traced program has no names, so `const p = s.sub(m).exp()` is read back from the
 * source text at the captured position: the outermost call of an initialiser names its result. Where the source cannot
 * be read (a browser, a bundle) there are no names, and nothing else changes.
 */
const sources = new Map<string, readonly string[] | undefined>();
const names = new Map<string, string | undefined>();

interface FileSystem {
  readFileSync(path: string, encoding: 'utf8'): string;
}

function linesOf(file: string): readonly string[] | undefined {
  if (sources.has(file)) return sources.get(file);
  let lines: readonly string[] | undefined;
  try {
    const fs = globalThis.process?.getBuiltinModule?.('node:fs') as FileSystem | undefined;
    lines = fs?.readFileSync(file, 'utf8').split('\n');
  } catch {
    lines = undefined;
  }
  sources.set(file, lines);
  return lines;
}

/** How many lines an initialiser may span before the call. */
const reach = 40;

export function declaredName(file: string, line: number, column: number): string | undefined {
  const key = `${file}:${line}:${column}`;
  if (names.has(key)) return names.get(key);
  const lines = linesOf(file);
  const name = lines ? nameAt(lines, line - 1, column - 1) : undefined;
  names.set(key, name);
  return name;
}

/** `const x =`, or `x =` at the start of a line. */
const initialiser =
  /(?:(?<![\w$.])(?:const|let|var)\s+([A-Za-z_$][\w$]*)\s*(?::[^=;]+)?|(?:^|[\n{;])[ \t]*([A-Za-z_$][\w$]*)\s*)=(?![=>])/g;

function nameAt(lines: readonly string[], row: number, column: number): string | undefined {
  const first = Math.max(0, row - reach);
  const before = [...lines.slice(first, row), (lines[row] ?? '').slice(0, column)].join('\n');
  const match = [...before.matchAll(initialiser)].at(-1);
  if (!match) return undefined;
  // The call must stand in this initialiser at bracket depth 0 …
  if (!atDepthZero(before.slice(match.index + match[0].length))) return undefined;
  // … and be the last of its chain.
  const after = [(lines[row] ?? '').slice(column), ...lines.slice(row + 1, row + 1 + reach)].join('\n');
  return endsInitialiser(after) ? (match[1] ?? match[2]) : undefined;
}

/** Text without strings, templates and comments, each replaced by as many spaces (newlines kept). */
function blank(text: string): string {
  return text.replace(
    /\/\/[^\n]*|\/\*[\s\S]*?\*\/|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`/g,
    (found) => found.replace(/[^\n]/g, ' '),
  );
}

function atDepthZero(text: string): boolean {
  let depth = 0;
  for (const c of blank(text)) {
    if (c === '(' || c === '[' || c === '{') depth++;
    else if (c === ')' || c === ']' || c === '}') depth--;
    if (depth < 0 || (depth === 0 && (c === ';' || c === ','))) return false;
  }
  const flat = topLevel(blank(text));
  // A line that ends like an operand, before one that starts like one, ends the statement without a semicolon.
  return depth === 0 && !/=>|\?|\b(?:return|if|for)\b|[\w$)\]}]\s*\n\s*[\w$]/.test(flat);
}

/** The text outside all brackets. */
function topLevel(text: string): string {
  let depth = 0;
  let result = '';
  for (const c of text) {
    if (c === ')' || c === ']' || c === '}') depth--;
    if (depth === 0) result += c;
    if (c === '(' || c === '[' || c === '{') depth++;
  }
  return result;
}

/** From a call's name on: whether nothing is chained behind its closing parenthesis. */
function endsInitialiser(after: string): boolean {
  const text = blank(after);
  const open = /^[\w$]*(?:<[^()]*>)?\(/.exec(text);
  // A getter such as `.T` has no parenthesis.
  let i = open ? open[0].length : (/^[\w$]*/.exec(text)?.[0].length ?? 0);
  for (let depth = open ? 1 : 0; depth > 0 && i < text.length; i++) {
    const c = text[i]!;
    if (c === '(' || c === '[' || c === '{') depth++;
    else if (c === ')' || c === ']' || c === '}') depth--;
  }
  return !/^\s*(?:!?\.|\?\.|\[|\()/.test(text.slice(i));
}
