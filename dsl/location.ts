/**
 * Where the author's code is when it calls the library.
 *
 * Error.stack is read rather than util.getCallSites: it costs the same (about 10 µs), exists in browsers, and goes
 * through the source maps of every loader, which getCallSites does not (vitest, tsx).
 */
import { unknownSpan, type Span } from '../compiler/ir/span.ts';
import { declaredName } from './names.ts';

interface Frame {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export interface Place {
  readonly span: Span;
  /** The variable that the call's result initialises, where the source shows it. */
  readonly name: string | undefined;
}

const chainLimit = 6;
/** Each frame costs, and few mostly show the author's chain to its end; as many as it takes where they do not. */
const fewFrames = 9;
const stackLimit = 25;
const framePattern = /(?:\(|@|at (?:async )?)((?:file:|https?:|blob:|\/|[A-Za-z]:[\\/]).*?):(\d+):(\d+)\)?$/;

const here = parentOf(import.meta.url);

function parentOf(url: string): string {
  return normalise(url).replace(/[^/]*$/, '');
}

/** URL or path to a plain path without query, forward slashes. */
function normalise(file: string): string {
  let path = file.replace(/[?#].*$/, '');
  if (path.startsWith('file://')) {
    path = decodeURIComponent(path.slice(7));
    if (/^\/[A-Za-z]:/.test(path)) path = path.slice(1);
  }
  return path.replaceAll('\\', '/');
}

/** The same lines come again and again: a kernel is traced many times over, and a loop calls from one place. */
const parsed = new Map<string, Frame | undefined>();

function parse(text: string): Frame | undefined {
  if (parsed.has(text)) return parsed.get(text);
  const match = framePattern.exec(text.trim());
  const frame = match
    ? { file: normalise(match[1]!), line: Number(match[2]), column: Number(match[3]) }
    : undefined;
  parsed.set(text, frame);
  return frame;
}

function frames(count: number): Frame[] {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = count;
  const stack: unknown = new Error().stack;
  Error.stackTraceLimit = limit;
  if (typeof stack !== 'string') return [];
  const result: Frame[] = [];
  for (const text of stack.split('\n')) {
    const frame = parse(text);
    if (frame) result.push(frame);
  }
  return result;
}

const inLibrary = (frame: Frame): boolean => frame.file.startsWith(here);

/** The innermost frame outside the library. */
const authorIndex = (all: readonly Frame[]): number =>
  all.findIndex((frame, i) => i > 0 && !inLibrary(frame));

/** As many frames as `callSite` needs: to where the author's chain meets the library again. */
function neededFrames(): Frame[] {
  const few = frames(fewFrames);
  const first = authorIndex(few);
  return first >= 0 && few.slice(first + 1).some(inLibrary) ? few : frames(stackLimit);
}

/** Paths under the working directory are shown relative to it, so that output does not depend on the machine. */
function shown(file: string): string {
  const cwd = globalThis.process?.cwd?.().replaceAll('\\', '/');
  return cwd && file.startsWith(`${cwd}/`) ? file.slice(cwd.length + 1) : file;
}

const toSpan = (frame: Frame): Span => ({ file: shown(frame.file), line: frame.line, column: frame.column });

/** The innermost frame outside the library, with the author frames that lead to it. */
export function callSite(): Place {
  const all = neededFrames();
  const first = authorIndex(all);
  const frame = all[first];
  if (!frame) return { span: unknownSpan, name: undefined };
  const chain: Span[] = [];
  for (const outer of all.slice(first + 1, first + 1 + chainLimit)) {
    if (inLibrary(outer)) break;
    chain.push(toSpan(outer));
  }
  // A chain that never meets the library again is not the author's: it is the host that runs the file.
  const author = all.slice(first + 1).some(inLibrary);
  const span = author && chain.length > 0 ? { ...toSpan(frame), chain } : toSpan(frame);
  return { span, name: declaredName(frame.file, frame.line, frame.column) };
}
