/** The winner's code beside the author's lines that it comes from. */
import type { TuneJson } from '../schemas.ts';
import { escape } from './escape.ts';

export function codeSection({ code }: TuneJson): string {
  const { source } = code;
  let last: number | undefined;
  const rows = code.lines.map(({ text, from }, i) => {
    // The author's line stands where the emitted lines begin to come from it.
    const starts = from !== undefined && from !== last;
    last = from ?? last;
    const author = starts && source ? (source.lines[from - source.first] ?? '').trim() : '';
    const place = starts ? `<a id="l${i + 1}"></a><b>${from}</b> ${escape(author)}` : '';
    return `<tr><td class="n">${i + 1}</td><td><code>${escape(text)}</code></td><td class="a">${place}</td></tr>`;
  });
  const named = source ? ` and the lines of ${escape(source.file)}` : '';
  return `<section><h2>The winner’s code</h2><details><summary>${escape(code.path)}, ${code.lines.length} lines${named}</summary>
<div class="scroll listing"><table>${rows.join('')}</table></div></details></section>`;
}
