/** The emitted code of a configuration, each line with the author's line that it comes from. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { emitCuda } from '../../backends/cuda/emit/index.ts';
import { emitKernel } from '../../backends/wgsl/emit/index.ts';
import type { Span } from '../ir/span.ts';
import type { Target } from '../target.ts';
import type { Configuration } from './configuration.ts';
import type { TuneJson } from './schemas.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

export function codeOf(program: string, c: Configuration, target: Target): TuneJson['code'] {
  const { text, spans, path } = emitted(program, c, target);
  const { file } = c.kernel.span;
  const lines = text.split('\n').map((line, i) => {
    const span = spans[i];
    return span && span.file === file ? { text: line, from: span.line } : { text: line };
  });
  const source = sourceOf(
    file,
    lines.flatMap((l) => ('from' in l ? [l.from] : [])),
  );
  return { path, lines, ...(source ? { source } : {}) };
}

function emitted(
  program: string,
  c: Configuration,
  target: Target,
): { text: string; spans: readonly (Span | undefined)[]; path: string } {
  if (target.family === 'wgsl') {
    const { code, lines } = emitKernel(c.kernel, { f16: target.features.f16 });
    return { text: code, spans: lines, path: `${program}.wgsl` };
  }
  const { text, spans } = emitCuda(program, [c.kernel], target.name, { launchers: false });
  return { text, spans, path: `${program}.cu` };
}

/** The author's file, as far as the emitted lines reach; it may be gone, or never have been one. */
function sourceOf(file: string, used: readonly number[]): TuneJson['code']['source'] {
  // Shipped programs name their files from patc's own folder.
  const found = [file, join(root, file)].find((path) => existsSync(path));
  if (found === undefined || used.length === 0) return undefined;
  const all = readFileSync(found, 'utf8').split('\n');
  const first = Math.max(1, Math.min(...used) - 2);
  return { file, first, lines: all.slice(first - 1, Math.max(...used) + 2) };
}
