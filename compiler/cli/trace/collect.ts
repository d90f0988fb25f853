/** What a kernel looks like between its passes and after lowering: the material of `--trace-html`. */
import { PatcError } from '../../diagnostics/error.ts';
import { readFromDisk } from '../../diagnostics/source.ts';
import type { Kernel } from '../../ir/nodes.ts';
import { printKernel } from '../../ir/print.ts';
import { lowerKernel } from '../../lower/index.ts';
import type { Pass } from '../../passes/index.ts';
import type { Target } from '../../target.ts';
import { printThread } from '../../thread/print.ts';

export interface Line {
  readonly text: string;
  /** The author's `file:line` that the line came from. */
  readonly place?: string;
}

export interface Step {
  readonly kernel: string;
  readonly title: string;
  readonly before: readonly Line[];
  readonly after: readonly Line[];
  /** Whether both are one language, so that a diff says something. */
  readonly comparable: boolean;
}

export interface Trace {
  readonly steps: readonly Step[];
  /** Author files by the names that places use. */
  readonly sources: ReadonlyMap<string, string>;
}

/** Every pass, then the lowering for each target. A target that the kernel does not fit is a step that says why. */
export function traceKernel(kernel: Kernel, passes: readonly Pass[], targets: readonly Target[]): Trace {
  const steps: Step[] = [];
  let k = kernel;
  let before = tileLines(printKernel(k));
  for (const pass of passes) {
    k = pass.run(k);
    const after = tileLines(printKernel(k));
    steps.push({ kernel: kernel.name, title: pass.name, before, after, comparable: true });
    before = after;
  }
  for (const target of targets) {
    const after = loweredLines(kernel, target);
    steps.push({ kernel: kernel.name, title: `lower for ${target.name}`, before, after, comparable: false });
  }
  return { steps, sources: sourcesOf(steps) };
}

function loweredLines(kernel: Kernel, target: Target): Line[] {
  try {
    return threadLines(printThread(lowerKernel(kernel, target), { spans: true }));
  } catch (error) {
    if (!(error instanceof PatcError)) throw error;
    const [d] = error.diagnostics;
    return [d!.message, ...(d!.notes ?? []).map((n) => n.text)].map((text) => ({ text: `// ${text}` }));
  }
}

/** Places leave the text and become the lines' own. */
function tileLines(text: string): Line[] {
  const [body, table = ''] = text.split(/^files \{$/m);
  const files = new Map(
    [...table.matchAll(/^ {2}(\d+) = (".*")$/gm)].map((m) => [m[1]!, JSON.parse(m[2]!) as string]),
  );
  return body!
    .trimEnd()
    .split('\n')
    .map((line) => {
      const at = / @(?:\?|(\d+):(\d+):\d+(?:<[\d:<]+)?)(?= \{$|$)/.exec(line);
      if (!at) return { text: line };
      const shown = line.replace(at[0], '');
      const file = at[1] === undefined ? undefined : files.get(at[1]);
      return file === undefined ? { text: shown } : { text: shown, place: `${file}:${at[2]}` };
    });
}

/** A place is printed where it changes; it holds for the lines that follow. */
function threadLines(text: string): Line[] {
  let place: string | undefined;
  return text
    .trimEnd()
    .split('\n')
    .map((line) => {
      const at = / {2}\/\/ (\S+:\d+)$/.exec(line);
      if (at) place = at[1];
      const shown = at ? line.slice(0, at.index) : line;
      return { text: shown, ...(place === undefined ? {} : { place }) };
    });
}

function sourcesOf(steps: readonly Step[]): Map<string, string> {
  const sources = new Map<string, string>();
  for (const line of steps.flatMap((s) => [...s.before, ...s.after])) {
    const file = line.place?.replace(/:\d+$/, '');
    if (file === undefined || sources.has(file)) continue;
    const text = readFromDisk(file);
    if (text !== undefined) sources.set(file, text);
  }
  return sources;
}

export const merged = (traces: readonly Trace[]): Trace => ({
  steps: traces.flatMap((t) => t.steps),
  sources: new Map(traces.flatMap((t) => [...t.sources])),
});
