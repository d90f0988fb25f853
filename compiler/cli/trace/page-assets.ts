/** Style and script of the page that `--trace-html` writes; nothing comes from the network. */
export const style = `
:root { color-scheme: light dark; --ink: light-dark(#1d2430, #e6e9ef); --dim: light-dark(#5c6675, #9aa4b2);
  --line: light-dark(#dfe3e9, #2e3642); --panel: light-dark(#f7f8fa, #1a1f27); --back: light-dark(#fff, #12161c);
  --gone: light-dark(#ffe3e0, #4a1f22); --come: light-dark(#dcf5e1, #17391f); --mark: light-dark(#fff1b8, #54481a); }
* { box-sizing: border-box; }
html, body { height: 100%; margin: 0; }
body { display: flex; flex-direction: column; background: var(--back); color: var(--ink); font: 14px/1.45 system-ui, sans-serif; }
header { padding: .6rem 1rem; border-bottom: 1px solid var(--line); background: var(--panel); }
h1 { display: inline; font-size: 1rem; margin: 0 1rem 0 0; }
header ol { display: inline-flex; flex-wrap: wrap; gap: .3rem; margin: 0; padding: 0; list-style: none; }
header p { margin: .3rem 0 0; color: var(--dim); font-size: .8rem; }
kbd { border: 1px solid var(--line); border-radius: 4px; padding: 0 .3em; font: inherit; }
button { border: 1px solid var(--line); border-radius: 6px; background: var(--back); color: var(--ink); font: inherit; padding: .1rem .5rem; cursor: pointer; }
button[aria-current] { border-color: var(--ink); font-weight: 600; } small { color: var(--dim); }
main { flex: 1; min-height: 0; display: grid; grid-template-columns: minmax(0, 2fr) minmax(0, 1fr); }
#steps, aside { overflow: auto; min-height: 0; } aside { border-left: 1px solid var(--line); }
table { border-collapse: collapse; width: 100%; table-layout: fixed; font: 12px/1.5 ui-monospace, monospace; }
th { position: sticky; top: 0; background: var(--panel); text-align: left; padding: .2rem .6rem; border-bottom: 1px solid var(--line); }
td { white-space: pre-wrap; overflow-wrap: anywhere; padding: 0 .6rem; vertical-align: top; width: 50%; }
td + td, th + th { border-left: 1px solid var(--line); }
td.removed { background: var(--gone); } td.added { background: var(--come); } td.none { background: var(--panel); }
[data-at] { cursor: pointer; } aside .marked { background: var(--mark); } td.marked { box-shadow: inset 4px 0 light-dark(#d69e00, #e0b43a); }
aside h2 { font-size: .8rem; margin: 0; padding: .25rem .6rem; background: var(--panel); position: sticky; top: 0; border-bottom: 1px solid var(--line); }
.source { margin: 0; padding: 0 0 1rem 3rem; font: 12px/1.5 ui-monospace, monospace; color: var(--dim); }
.source code { color: var(--ink); white-space: pre-wrap; overflow-wrap: anywhere; font: inherit; }
`;

export const script = `
const sections = [...document.querySelectorAll('section')];
const buttons = [...document.querySelectorAll('button')];
let current = 0;
function show(n) {
  if (!sections[n]) return;
  current = n;
  sections.forEach((s, i) => (s.hidden = i !== n));
  buttons.forEach((b, i) => (i === n ? b.setAttribute('aria-current', 'step') : b.removeAttribute('aria-current')));
  history.replaceState(null, '', '#' + n);
  sections[n].querySelector('.added, .removed')?.scrollIntoView({ block: 'center' });
}
function mark(at, from) {
  document.querySelectorAll('.marked').forEach((e) => e.classList.remove('marked'));
  const same = [...document.querySelectorAll('[data-at="' + at + '"]')].filter((e) => !e.closest('[hidden]'));
  same.forEach((e) => e.classList.add('marked'));
  const inSource = from.closest('aside') !== null;
  same.find((e) => (e.closest('aside') === null) === inSource)?.scrollIntoView({ block: 'center' });
}
document.addEventListener('keydown', (e) => {
  if (e.ctrlKey || e.metaKey || e.altKey) return;
  if (['j', 'ArrowRight', 'ArrowDown'].includes(e.key)) show(current + 1);
  else if (['k', 'ArrowLeft', 'ArrowUp'].includes(e.key)) show(current - 1);
  else return;
  e.preventDefault();
});
document.addEventListener('click', (e) => {
  const button = e.target.closest('button');
  if (button) return show(Number(button.dataset.step));
  const line = e.target.closest('[data-at]');
  if (line) mark(line.dataset.at, line);
});
show(Number(location.hash.slice(1)) || 0);
`;
