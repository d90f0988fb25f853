/** The predicted schedule as bars that a page can draw: which place of the device works on what, and when. */
import { figureOf, type DeviceDescription } from './devices.ts';
import { fitOf } from './fits.ts';
import type { Stretch } from './flow.ts';
import { launchTime } from './model.ts';
import type { PredictedLaunch } from './predict.ts';
import type { TuneJson } from './schemas.ts';

/** Most bars, and most rows of them: an even sample of the places that blocks can have. */
const mostBars = 1500;
const mostRows = 64;

export function timelineOf(
  launches: readonly PredictedLaunch[],
  device: DeviceDescription,
): TuneJson['timeline'] {
  const { coefficients } = fitOf(device.family);
  const units = figureOf(device, 'units');
  const bars: TuneJson['timeline'] = [];
  let start = 0;
  launches.forEach(({ work, configuration, prediction }, launch) => {
    const stretches: Stretch[] = [];
    launchTime(work, configuration, device, coefficients, stretches);
    const ends: number[] = [];
    const own: TuneJson['timeline'] = [];
    const longest = Math.max(0, ...stretches.map((s) => s.end));
    for (const s of stretches.sort((a, b) => a.begin - b.begin || b.end - a.end)) {
      const { rows, tokens } = work.blocks[s.flow.from]!;
      // Blocks that end together and begin together take neighbouring places, as far as places are free.
      let place = 0;
      for (let i = 0; i < s.count && own.length < 40_000; i++, place++) {
        while ((ends[place] ?? 0) > s.begin + 1e-12) place++;
        ends[place] = s.end;
        own.push({ unit: place, begin: s.begin, end: s.end, rows, tokens, launch });
      }
    }
    // The schedule says who does what; how long all of it takes, the launch's prediction says.
    const scale = longest > 0 ? (prediction.us - coefficients.startUs) / longest : 0;
    const every = Math.max(1, Math.ceil(Math.max(units, ends.length) / mostRows));
    for (const bar of own) {
      if (bar.unit % every !== 0 || bars.length >= mostBars) continue;
      const at = (seconds: number): number =>
        Number((start + coefficients.startUs + seconds * scale).toPrecision(5));
      bars.push({ ...bar, unit: bar.unit / every, begin: at(bar.begin), end: at(bar.end) });
    }
    start += prediction.us;
  });
  return bars;
}
