/** Text with indentation, a remark at each change of the author's line, and a table from line back to author. */
import type { Span } from '../../../compiler/ir/span.ts';

const baseName = (file: string): string => file.replace(/^.*[\\/]/, '');

export class Writer {
  private readonly out: string[] = [];
  private readonly spans: (Span | undefined)[] = [];
  private depth = 0;
  private here: Span | undefined;

  /** Lines written from now on belong to `span`. */
  at(span: Span): void {
    if (span.line > 0 && (span.line !== this.here?.line || span.file !== this.here.file)) {
      this.here = span;
      this.line(`// ${baseName(span.file)}:${span.line}`);
    }
    this.here = span.line > 0 ? span : this.here;
  }

  /** Lines written from now on belong to nobody. */
  nowhere(): void {
    this.here = undefined;
  }

  line(text: string): void {
    for (const part of text.split('\n')) {
      this.out.push(part === '' ? '' : '  '.repeat(this.depth) + part);
      this.spans.push(this.here);
    }
  }

  /** `head {`, the body, `}`. */
  block(head: string, body: () => void, tail = '}'): void {
    this.line(`${head} {`);
    this.indented(body);
    this.line(tail);
  }

  indented(body: () => void): void {
    this.depth++;
    body();
    this.depth--;
  }

  /** Everything that `other` wrote, places included. */
  append(other: Writer): void {
    other.out.forEach((text, i) => {
      this.out.push(text);
      this.spans.push(other.spans[i]);
    });
  }

  text(): string {
    return this.out.join('\n') + '\n';
  }

  /** Entry i is the author's place of line i + 1. */
  lineTable(): readonly (Span | undefined)[] {
    return this.spans;
  }
}
