/** Lines of C with indentation, and the author's line that each came from. */
import path from 'node:path';
import type { Span } from '../../../compiler/ir/span.ts';

export interface Source {
  readonly text: string;
  /** spans[i] belongs to line i + 1 of `text`. */
  readonly spans: readonly (Span | undefined)[];
}

export interface WriterOptions {
  /** Emit `#line` directives, so that nvcc, cuda-gdb and profilers point at the author's file. */
  readonly lines: boolean;
  /** Name of the file being written, to return to after a `#line`. */
  readonly file: string;
  /** Lines of the file that will stand above. */
  readonly above?: number;
}

export class Writer {
  readonly #lines: string[] = [];
  readonly #spans: (Span | undefined)[] = [];
  readonly #options: WriterOptions;
  #depth = 0;
  #span: Span | undefined;
  #shown = '';

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  line(text = ''): void {
    this.#lines.push(text === '' ? '' : '  '.repeat(this.#depth) + text);
    this.#spans.push(this.#span);
  }

  raw(text: string): void {
    for (const line of text.split('\n')) {
      this.#lines.push(line);
      this.#spans.push(this.#span);
    }
  }

  block(open: string, body: () => void, close = '}'): void {
    this.line(open);
    this.indented(body);
    this.line(close);
  }

  indented(body: () => void): void {
    this.#depth++;
    body();
    this.#depth--;
  }

  get length(): number {
    return this.#lines.length;
  }

  append(other: Writer): void {
    for (const line of other.#lines) this.#lines.push(line);
    for (const span of other.#spans) this.#spans.push(span);
  }

  /** What follows comes from `span`; says so in a comment where the author's line changes. */
  from(span: Span): void {
    if (span === this.#span) return;
    this.#span = span;
    if (span.line === 0) return;
    const place = `${path.basename(span.file)}:${span.line}`;
    if (place === this.#shown) return;
    this.#shown = place;
    if (this.#options.lines) this.raw(`#line ${span.line} ${JSON.stringify(span.file)}`);
    else this.line(`// ${place}`);
  }

  /** What follows is the compiler's own again. */
  own(): void {
    this.#span = undefined;
    this.#shown = '';
    if (this.#options.lines)
      this.raw(
        `#line ${(this.#options.above ?? 0) + this.#lines.length + 2} ${JSON.stringify(this.#options.file)}`,
      );
  }

  source(): Source {
    return { text: this.#lines.join('\n') + '\n', spans: this.#spans };
  }
}
