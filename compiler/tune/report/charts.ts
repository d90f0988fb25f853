/** The charts of the report as inline SVG, drawn when the report is written: the page itself runs no script. */
import { compile, type TopLevelSpec } from 'vega-lite';
import { parse, View } from 'vega';
import { showTile } from '../../cli/output.ts';
import type { TuneJson } from '../schemas.ts';

export interface Chart {
  readonly id: string;
  readonly title: string;
  readonly caption: string;
  readonly svg: string;
}

const ink = '#1f2933';
const config = {
  background: 'transparent',
  font: 'system-ui, sans-serif',
  view: { stroke: null },
  axis: {
    labelColor: ink,
    titleColor: ink,
    gridColor: '#e4e7eb',
    domainColor: '#9aa5b1',
    tickColor: '#9aa5b1',
    labelFontSize: 11,
    titleFontSize: 12,
    titleFontWeight: 500,
  },
  legend: { labelColor: ink, titleColor: ink, labelFontSize: 11, titleFontSize: 12, labelLimit: 0 },
  range: {
    category: ['#2f6f9f', '#e08e45', '#4f9d69', '#b04a5a', '#7a68ae', '#8c6d4f', '#3aa6a6', '#c9a227'],
  },
} as const;

type Row = Readonly<Record<string, string | number | boolean | null>>;

async function draw(id: string, spec: object, rows: readonly Row[]): Promise<string> {
  const whole = { config, data: { values: rows }, ...spec } as unknown as TopLevelSpec;
  const view = new View(parse(compile(whole).spec), { renderer: 'none' });
  const svg = await view.toSVG();
  view.finalize();
  // Several drawings share a page, and so do their ids.
  return svg
    .replaceAll(/\bid="([^"]+)"/g, `id="${id}-$1"`)
    .replaceAll(/url\(#([^)]+)\)/g, `url(#${id}-$1)`)
    .replace('<svg ', `<svg role="img" data-chart="${id}" `);
}

export async function chartsOf(d: TuneJson): Promise<Chart[]> {
  const made = [
    winnerMap(d),
    comparisons(d),
    points(d),
    occupancy(d),
    roofline(d),
    timeline(d),
    sensitivity(d),
  ].filter((c) => c !== undefined);
  return Promise.all(
    made.map(async ({ id, title, caption, spec, rows }) => ({
      id,
      title,
      caption,
      svg: await draw(id, spec, rows),
    })),
  );
}

interface Drawing {
  readonly id: string;
  readonly title: string;
  readonly caption: string;
  readonly spec: object;
  readonly rows: readonly Row[];
}

function winnerMap({ table: t }: TuneJson): Drawing | undefined {
  if (!t) return undefined;
  const rows = t.rows.flatMap((r, i) =>
    t.tokens.map((tokens, j) => ({
      rows: r,
      tokens,
      tile: showTile(t.tiles[t.winner[i]![j]!]!),
      mark: String.fromCharCode(65 + t.winner[i]![j]!),
    })),
  );
  const legend = t.tiles.map((tile) => showTile(tile));
  return {
    id: 'winners',
    title: 'Which shape wins where',
    caption: `For packs of so many rows and so many tokens, two a unit: the tile shape that takes the least time (${t.from}). A shape must win by 3 % to be listed.`,
    rows,
    spec: {
      width: 420,
      height: 250,
      encoding: {
        x: { field: 'tokens', type: 'ordinal', title: 'tokens, up to', axis: { labelAngle: 0 } },
        y: { field: 'rows', type: 'ordinal', title: 'rows, up to', sort: 'descending' },
      },
      layer: [
        {
          mark: { type: 'rect', stroke: 'white', strokeWidth: 2, cornerRadius: 3 },
          encoding: {
            color: { field: 'tile', type: 'nominal', title: 'tile', scale: { domain: legend } },
          },
        },
        {
          mark: { type: 'text', color: 'white', fontSize: 11, fontWeight: 600 },
          encoding: { text: { field: 'mark' } },
        },
      ],
    },
  };
}

const log = { type: 'log', nice: true } as const;

function points(d: TuneJson): Drawing | undefined {
  const rows = d.configurations
    .filter((c) => c.measuredUs !== undefined && c.predictedUs !== undefined)
    .map((c) => ({ predicted: c.predictedUs!, measured: c.measuredUs!, bound: c.binding ?? '' }));
  if (rows.length < 2) return undefined;
  const all = rows.flatMap((r) => [r.predicted, r.measured]);
  const [lo, hi] = [Math.min(...all), Math.max(...all)];
  return {
    id: 'predicted',
    title: 'Predicted against measured',
    caption:
      'Every shape that was run, in microseconds. On the line the model is right; what matters for a choice is the order.',
    rows,
    spec: {
      width: 360,
      height: 260,
      layer: [
        {
          data: { values: [{ v: lo }, { v: hi }] },
          mark: { type: 'line', color: '#9aa5b1', strokeDash: [4, 4] },
          encoding: { x: { field: 'v', type: 'quantitative' }, y: { field: 'v', type: 'quantitative' } },
        },
        {
          mark: { type: 'circle', size: 60, opacity: 0.8 },
          encoding: {
            x: { field: 'predicted', type: 'quantitative', scale: log, title: 'predicted, us' },
            y: { field: 'measured', type: 'quantitative', scale: log, title: 'measured, us' },
            color: { field: 'bound', type: 'nominal', title: 'tightest budget' },
          },
        },
      ],
    },
  };
}

function occupancy(d: TuneJson): Drawing | undefined {
  const rows = d.configurations
    .filter((c) => c.predictedUs !== undefined && (c.bytesInFlight ?? 0) > 0)
    .map((c) => ({
      us: c.measuredUs ?? c.predictedUs!,
      flying: c.bytesInFlight! / 2 ** 20,
      blocks: c.blocksPerUnit ?? 0,
    }));
  if (rows.length < 2) return undefined;
  return {
    id: 'occupancy',
    title: 'Time against bytes in flight',
    caption:
      'Every shape that fits: the whole workload in that one shape. More bytes on their way help until the memory is busy; after that something else decides.',
    rows,
    spec: {
      width: 430,
      height: 260,
      mark: { type: 'circle', size: 60, opacity: 0.8 },
      encoding: {
        x: { field: 'flying', type: 'quantitative', scale: log, title: 'MiB in flight on the device' },
        y: { field: 'us', type: 'quantitative', scale: log, title: 'time, us' },
        color: { field: 'blocks', type: 'ordinal', title: 'blocks a unit', scale: { scheme: 'viridis' } },
      },
    },
  };
}

function roofline(d: TuneJson): Drawing {
  const { bandwidth, matrixFlops } = d.device;
  const ridge = matrixFlops / bandwidth;
  const intensity = d.bytes > 0 ? Math.max(d.flops / d.bytes, 1e-3) : ridge;
  const [lo, hi] = [Math.min(intensity, ridge) / 8, Math.max(intensity, ridge) * 8];
  const tera = (flops: number): number => flops / 1e12;
  const roof = [lo, ridge, hi].map((x) => ({ x, y: tera(Math.min(matrixFlops, x * bandwidth)) }));
  const achieved = (us: number): number => tera(d.flops / (us * 1e-6));
  const rows = [
    ...d.comparisons.map((c) => ({ x: intensity, y: achieved(c.us), what: c.name })),
    { x: intensity, y: achieved(d.floorUs), what: 'the floor' },
  ].filter((r) => r.y > 0);
  return {
    id: 'roofline',
    title: 'Roofline',
    caption: `${intensity.toFixed(1)} operations per byte that must move; the roof is ${(bandwidth / 1e12).toPrecision(3)} TB/s and ${tera(matrixFlops).toPrecision(3)} TFLOP/s. The floor is where the workload meets the roof.`,
    rows: rows.length > 0 ? rows : [{ x: intensity, y: 1e-6, what: 'no products' }],
    spec: {
      width: 480,
      height: 240,
      layer: [
        {
          data: { values: roof },
          mark: { type: 'line', color: ink },
          encoding: {
            x: { field: 'x', type: 'quantitative', scale: log },
            y: { field: 'y', type: 'quantitative', scale: log },
          },
        },
        {
          mark: { type: 'point', filled: true, size: 80 },
          encoding: {
            x: { field: 'x', type: 'quantitative', scale: log, title: 'operations per byte' },
            y: { field: 'y', type: 'quantitative', scale: log, title: 'TFLOP/s' },
            color: {
              field: 'what',
              type: 'nominal',
              title: null,
              sort: null,
              legend: { orient: 'bottom', columns: 2 },
            },
          },
        },
      ],
    },
  };
}

function timeline(d: TuneJson): Drawing | undefined {
  if (d.timeline.length === 0) return undefined;
  return {
    id: 'timeline',
    title: 'Who does what when',
    caption: `Predicted: one line for each place that a block can have on the ${d.device.units} units (an even sample of at most 64), one bar a block, longest first. What stands before the first bar is the launch.`,
    rows: d.timeline,
    spec: {
      width: 1000,
      height: 300,
      mark: { type: 'bar', stroke: 'white', strokeWidth: 0.4 },
      encoding: {
        x: { field: 'begin', type: 'quantitative', title: 'us' },
        x2: { field: 'end' },
        y: { field: 'unit', type: 'ordinal', axis: null },
        color: {
          field: 'tokens',
          type: 'quantitative',
          bin: { maxbins: 6 },
          title: 'tokens',
          scale: { scheme: 'blues' },
        },
      },
    },
  };
}

function sensitivity(d: TuneJson): Drawing | undefined {
  const best = d.best.measuredUs ?? d.best.predictedUs;
  const rows = d.sensitivity.flatMap(({ parameter, points }) =>
    points.map(({ value, us }) => ({ parameter, value: String(value), us: us / best, order: value })),
  );
  if (rows.length === 0) return undefined;
  return {
    id: 'sensitivity',
    title: 'How much each number matters',
    caption: 'One number at a time, the others as in the best shape; 1 is the best shape.',
    rows,
    spec: {
      facet: { column: { field: 'parameter', type: 'nominal', title: null } },
      spec: {
        width: 220,
        height: 160,
        mark: { type: 'line', point: { size: 50 } },
        encoding: {
          x: {
            field: 'value',
            type: 'ordinal',
            sort: { field: 'order' },
            title: null,
            axis: { labelAngle: 0 },
          },
          y: { field: 'us', type: 'quantitative', title: 'time / best', scale: { zero: false } },
        },
      },
      resolve: { scale: { x: 'independent' } },
    },
  };
}

function comparisons(d: TuneJson): Drawing {
  const rows = [
    ...d.comparisons.map((c) => ({ name: c.name, us: c.us, what: c.measured ? 'measured' : 'predicted' })),
    { name: 'the floor', us: d.floorUs, what: 'floor' },
  ];
  return {
    id: 'comparisons',
    title: 'What tuning is worth',
    caption: 'The whole workload. The floor is what the bytes and the products need on this device.',
    rows,
    spec: {
      width: 270,
      height: { step: 34 },
      encoding: {
        y: { field: 'name', type: 'nominal', sort: null, title: null, axis: { labelLimit: 0 } },
        x: {
          field: 'us',
          type: 'quantitative',
          title: 'us',
          // Room for the number at the end of the longest bar.
          scale: { domainMax: 1.15 * Math.max(...rows.map((r) => r.us)) },
        },
      },
      layer: [
        {
          mark: { type: 'bar', cornerRadiusEnd: 3 },
          encoding: {
            color: {
              field: 'what',
              type: 'nominal',
              title: null,
              sort: null,
              legend: { orient: 'bottom' },
            },
          },
        },
        {
          mark: { type: 'text', align: 'left', dx: 4, color: ink },
          encoding: { text: { field: 'us', type: 'quantitative', format: '.3~s' } },
        },
      ],
    },
  };
}
