/** The report as one page that opens from disk: text, tables and drawings, no script and nothing to fetch. */
import { showTile } from '../../cli/output.ts';
import type { TuneJson } from '../schemas.ts';
import { chartsOf } from './charts.ts';
import { escape } from './escape.ts';
import { codeSection } from './listing.ts';
import { micro } from './summary.ts';
import { style } from './style.ts';

export async function reportPage(d: TuneJson): Promise<string> {
  const charts = await chartsOf(d);
  const figures = charts.map(
    (c) =>
      `<figure class="${c.id}"><h2>${escape(c.title)}</h2>${c.svg}<figcaption>${escape(c.caption)}</figcaption></figure>`,
  );
  const title = `${d.program} tuned for ${d.device.name}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<link rel="icon" href="data:,">
<title>${escape(title)}</title>
<style>${style}</style>
</head>
<body>
<header><h1>${escape(title)}</h1>${headline(d)}</header>
<main>
<section class="charts">${figures.join('\n')}</section>
${modelSection(d)}
${rejectedSection(d)}
${configurationsSection(d)}
${codeSection(d)}
<section><h2>Again</h2><pre class="command">${escape(d.command)}</pre>
<p>${escape(d.toolchain)}; seed ${d.seed}, budget ${d.budgetSeconds} s, ${d.elapsedSeconds} s used.</p></section>
</main>
</body>
</html>
`;
}

function headline(d: TuneJson): string {
  const best = d.best.measuredUs ?? d.best.predictedUs;
  const facts: [string, string][] = [
    ['best shape', showTile(d.best.tile)],
    [d.best.measuredUs === undefined ? 'predicted' : 'measured', micro(best)],
    ['floor', `${micro(d.floorUs)} (${(best / d.floorUs).toFixed(2)}x)`],
    ['workload', d.workload ?? 'of the program'],
    ['kernel', d.kernel],
    ['target', d.target],
    [
      'facts',
      Object.entries(d.spec)
        .map(([n, v]) => `${n}=${v}`)
        .join(' '),
    ],
    ['units', String(d.device.units)],
  ];
  const cells = facts.map(([name, value]) => `<div><dt>${escape(name)}</dt><dd>${escape(value)}</dd></div>`);
  return `<dl>${cells.join('')}</dl>`;
}

function modelSection({ model: m }: TuneJson): string {
  const here = m.here
    ? `<p>In this run: ${m.here.rmsPercent.toFixed(0)} % off over ${m.here.runs} shapes, rank correlation ${m.here.spearman?.toFixed(2) ?? 'undefined (the model tells no shape from another)'}.</p>`
    : '<p>Nothing was measured in this run: every time here is the model’s.</p>';
  const fitted =
    m.runs === 0
      ? '<p>The model is not fitted on this family of devices: trust the order no further than the arithmetic behind it.</p>'
      : `<p>Fitted to ${m.runs} measured runs (${escape(m.source)}): ${m.rmsPercent} % off (root mean square), ${m.heldOutRmsPercent} % on workloads left out of the fit, rank correlation over shapes ${m.spearman}; the shape it would choose is ${m.regretPercent} % slower than the best measured one in the geometric mean.</p>`;
  return `<section><h2>How far to trust it</h2>${here}
${fitted}</section>`;
}

function rejectedSection(d: TuneJson): string {
  const rejected = d.configurations.filter((c) => c.rejection || c.error !== undefined);
  const groups = Map.groupBy(rejected, (c) => c.rejection?.reason ?? 'failed');
  if (groups.size === 0) return `<section><h2>Rejected</h2><p>Every shape fits.${unseen(d)}</p></section>`;
  const parts = [...groups]
    .sort((a, b) => b[1].length - a[1].length)
    .map(([reason, list]) => {
      const rows = list.map(
        (c) =>
          `<tr><td>${escape(showTile(c.tile))}</td><td>${escape(c.rejection?.arithmetic ?? c.error ?? '')}</td><td>${escape(c.rejection?.fix ?? '')}</td></tr>`,
      );
      return `<details><summary>${escape(reason)}: ${list.length}</summary><table><tr><th>tile</th><th>arithmetic</th><th>what would fit</th></tr>${rows.join('')}</table></details>`;
    });
  return `<section><h2>Rejected</h2>${parts.join('')}<p>${unseen(d)}</p></section>`;
}

const unseen = (d: TuneJson): string =>
  d.unseen > 0 ? ` ${d.unseen} shapes were not looked at: the budget or the limit left them out.` : '';

function configurationsSection(d: TuneJson): string {
  const time = (c: TuneJson['configurations'][number]): number => c.measuredUs ?? c.predictedUs ?? Infinity;
  const fit = d.configurations
    .filter((c) => c.state === 'modelled' || c.state === 'measured')
    .sort((a, b) => time(a) - time(b));
  const rows = fit.map((c) => {
    const cells = [
      showTile(c.tile),
      c.threads ?? '',
      c.sharedBytes?.toLocaleString('en') ?? '',
      `${c.registers ?? ''}${c.registersFrom === 'nvcc' ? '' : ' est.'}`,
      c.blocksPerUnit ?? '',
      c.binding ?? '',
      c.predictedUs?.toFixed(1) ?? '',
      c.measuredUs?.toFixed(1) ?? '',
    ];
    return `<tr>${cells.map((x) => `<td>${escape(String(x))}</td>`).join('')}</tr>`;
  });
  const head = [
    'tile',
    'threads',
    'shared B',
    'registers',
    'blocks a unit',
    'tightest budget',
    'predicted us',
    'measured us',
  ];
  return `<section><h2>Every shape that fits</h2><details open><summary>${fit.length} shapes, best first</summary>
<div class="scroll"><table><tr>${head.map((h) => `<th>${h}</th>`).join('')}</tr>${rows.join('')}</table></div></details></section>`;
}
