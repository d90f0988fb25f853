/** `--trace-html`: one page with every pass's before and after side by side, the author's source beside them. */
import type { Line, Step, Trace } from './collect.ts';
import { diffLines, type Row } from './diff.ts';
import { script, style } from './page-assets.ts';

const escape = (text: string): string =>
  text.replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c]!);

export function tracePage(title: string, { steps, sources }: Trace): string {
  const files = [...sources.keys()];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escape(title)}: pass by pass</title>
<style>${style}</style>
</head>
<body>
<header>
<h1>${escape(title)}</h1>
<ol>${steps.map((s, i) => `<li><button data-step="${i}">${escape(stepTitle(steps, i))} <small>${changed(s)}</small></button></li>`).join('')}</ol>
<p><kbd>j</kbd> <kbd>k</kbd> or arrows: next and previous pass · click a line to see where it comes from</p>
</header>
<main>
<div id="steps">${steps.map((s, i) => section(s, i, files)).join('\n')}</div>
<aside>${files.map((f, i) => source(f, i, sources.get(f)!)).join('') || '<p>The source is not at hand.</p>'}</aside>
</main>
<script>${script}</script>
</body>
</html>
`;
}

/** With the kernel's name where there are several. */
const stepTitle = (steps: readonly Step[], i: number): string =>
  new Set(steps.map((s) => s.kernel)).size > 1 ? `${steps[i]!.kernel}: ${steps[i]!.title}` : steps[i]!.title;

/** Numbers of unnamed values shift with every line that goes; they are no change. */
const key = (line: Line): string => `${line.text.replace(/%\d+/g, '%')} ${line.place ?? ''}`;

const rowsOf = (s: Step): Row[] =>
  s.comparable
    ? diffLines(s.before.map(key), s.after.map(key))
    : Array.from({ length: Math.max(s.before.length, s.after.length) }, (_, i): Row => {
        if (i >= s.before.length) return { kind: 'added', right: i };
        return i >= s.after.length ? { kind: 'removed', left: i } : { kind: 'same', left: i, right: i };
      });

function changed(s: Step): string {
  if (!s.comparable) return `${s.after.length} lines`;
  const rows = rowsOf(s);
  const gone = rows.filter((r) => r.kind === 'removed' || r.kind === 'changed').length;
  const come = rows.filter((r) => r.kind === 'added' || r.kind === 'changed').length;
  return gone + come === 0 ? 'unchanged' : `−${gone} +${come}`;
}

function section(s: Step, index: number, files: readonly string[]): string {
  const cell = (line: Line | undefined, kind: string): string => {
    if (!line) return '<td class="none"></td>';
    const at = line.place === undefined ? undefined : /^(.*):(\d+)$/.exec(line.place);
    const file = at ? files.indexOf(at[1]!) : -1;
    const place = file < 0 ? '' : ` data-at="${file}:${at![2]}"`;
    return `<td class="${kind}"${place}>${escape(line.text)}</td>`;
  };
  const rows = rowsOf(s).map((r) => {
    const kind = s.comparable ? r.kind : 'same';
    const left = 'left' in r ? s.before[r.left] : undefined;
    const right = 'right' in r ? s.after[r.right] : undefined;
    return `<tr>${cell(left, kind === 'changed' ? 'removed' : kind)}${cell(right, kind === 'changed' ? 'added' : kind)}</tr>`;
  });
  return `<section data-step="${index}" hidden><table><thead><tr><th>before</th><th>after ${escape(s.title)}</th></tr></thead><tbody>${rows.join('')}</tbody></table></section>`;
}

const source = (file: string, index: number, text: string): string =>
  `<h2>${escape(file)}</h2><ol class="source">${text
    .trimEnd()
    .split('\n')
    .map((line, i) => `<li data-at="${index}:${i + 1}"><code>${escape(line) || ' '}</code></li>`)
    .join('')}</ol>`;
