/** One sheet, no fonts to fetch. */
export const style = `
:root { color-scheme: light; --ink: #1f2933; --soft: #616e7c; --line: #e4e7eb; --paper: #ffffff; --wash: #f5f7fa; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--wash); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
header { background: var(--paper); border-bottom: 1px solid var(--line); padding: 28px 36px 20px; }
h1 { font-size: 26px; margin: 0 0 16px; font-weight: 650; }
h2 { font-size: 17px; margin: 0 0 10px; font-weight: 600; }
dl { display: flex; flex-wrap: wrap; gap: 10px 34px; margin: 0; }
dt { color: var(--soft); font-size: 12px; }
dd { margin: 0; font-weight: 550; font-variant-numeric: tabular-nums; }
main { max-width: 1280px; margin: 0 auto; padding: 24px 36px 60px; display: grid; gap: 20px; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(540px, 1fr)); gap: 20px; padding: 0; background: none; border: 0; }
figure, section:not(.charts) { margin: 0; background: var(--paper); border: 1px solid var(--line); border-radius: 10px; padding: 18px 22px; min-width: 0; }
figure.timeline, figure.sensitivity { grid-column: 1 / -1; }
figure svg { max-width: 100%; height: auto; display: block; }
figcaption { color: var(--soft); font-size: 13px; margin-top: 10px; max-width: 68ch; }
table { border-collapse: collapse; font-size: 13px; width: 100%; font-variant-numeric: tabular-nums; }
th { text-align: left; color: var(--soft); font-weight: 550; }
th, td { padding: 3px 14px 3px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
summary { cursor: pointer; color: var(--soft); padding: 2px 0 6px; }
.scroll { max-height: 460px; overflow: auto; }
.listing td { border: 0; padding: 0 12px 0 0; white-space: pre; font: 12px/1.45 ui-monospace, monospace; }
.listing .n { color: #9aa5b1; text-align: right; user-select: none; }
.listing .a { color: #2f6f9f; }
pre.command { background: var(--wash); padding: 12px 14px; border-radius: 6px; overflow: auto; font: 13px ui-monospace, monospace; }
`;
