/** The predicted timeline: a row per SM or compute unit, a bar per pack and KV head, launches one after another. */
import type { Job, Prediction } from '../predict.ts';
import type { Palette } from './colour.ts';

const width = 940;
const left = 44;
/** More bars than this are joined where they touch: nobody could tell them apart. */
const mostBars = 6000;

export function timelinePicture(prediction: Prediction, palette: Palette): string {
  const units = prediction.load.length;
  const end = prediction.load.reduce((a, b) => Math.max(a, b), 1);
  const row = Math.max(2, Math.min(12, Math.floor(560 / units)));
  const top = 22;
  const bottom = top + units * row;
  const x = (time: number): number => left + (time / end) * width;
  const parts: string[] = [];
  for (let i = 0; i <= 8; i++) {
    const time = (end * i) / 8;
    parts.push(`<line class="grid" x1="${x(time)}" x2="${x(time)}" y1="${top - 4}" y2="${bottom}"/>`);
    parts.push(
      `<text class="dim" x="${x(time)}" y="${top - 8}" text-anchor="middle">${(time / 1e6).toFixed(1)}</text>`,
    );
  }
  const gap = row > 3 ? 1 : 0;
  for (const j of prediction.jobs.length > mostBars ? joined(prediction.jobs) : prediction.jobs) {
    const wide = Math.max(0.5, x(j.end) - x(j.begin) - (gap ? 0.5 : 0));
    parts.push(
      `<rect class="seg" x="${x(j.begin).toFixed(1)}" y="${top + j.unit * row}" width="${wide.toFixed(1)}" height="${row - gap}" fill="${palette.of(j.pack, true)}"><title>unit ${j.unit}: pack ${j.pack}, KV head ${j.head}</title></rect>`,
    );
  }
  return `<svg viewBox="0 0 ${left + width + 16} ${bottom + 6}" role="img" aria-label="Predicted timeline">${parts.join('')}</svg>`;
}

/** Bars of one unit that follow each other without a gap, as one. */
function joined(jobs: readonly Job[]): Job[] {
  const open = new Map<number, Job>();
  const done: Job[] = [];
  for (const job of jobs) {
    const last = open.get(job.unit);
    if (last && last.end === job.begin) open.set(job.unit, { ...last, end: job.end });
    else {
      if (last) done.push(last);
      open.set(job.unit, job);
    }
  }
  return [...done, ...open.values()];
}

/** What the timeline says in words. */
export function timelineText(prediction: Prediction): string {
  const { load } = prediction;
  const most = load.reduce((a, b) => Math.max(a, b), 0);
  const mean = load.reduce((a, b) => a + b, 0) / Math.max(1, load.length);
  const busy = load.reduce((n, x) => n + (x > 0 ? 1 : 0), 0);
  const ratio = mean > 0 ? (most / mean).toFixed(2) : '-';
  return `A row per unit, microseconds to the right. ${busy} of ${load.length} units have work; the heaviest has ${ratio}× the mean.`;
}
