/** A result as one SVG: time over the floor per case, with the peers' where they are given. */
import { compile, type TopLevelSpec } from 'vega-lite';
import { parse, View } from 'vega';
import { peerOf, type Peers } from './peers.ts';
import type { BenchResult } from './results.ts';

interface Point {
  readonly label: string;
  readonly series: string;
  readonly over: number;
  readonly heads: string;
}

export function chartSpec(result: BenchResult, peers?: Peers): TopLevelSpec {
  const points = result.rows.flatMap((row): Point[] => {
    if (row.floorUs === null) return [];
    const base = { label: row.tree, heads: row.heads };
    const peer = peerOf(peers, row);
    const given: [string, number | null | undefined][] = [
      ['patc, events', row.timeUs && row.timeUs / row.floorUs],
      ['patc, graph', row.graphUs && row.graphUs / row.floorUs],
      [`PAT (${peers?.device ?? ''})`, peer?.pat_us && peer.pat_us / peer.floor_us],
    ];
    return given.flatMap(([series, over]) => (over ? [{ ...base, series, over }] : []));
  });
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    title: `${result.suite} on ${result.device} (${result.target}): time over the floor`,
    background: 'white',
    data: { values: points },
    facet: { row: { field: 'heads', type: 'nominal', sort: null, title: 'query heads / KV heads' } },
    spec: {
      width: 760,
      height: 150,
      mark: { type: 'point', filled: true, size: 45 },
      encoding: {
        x: {
          field: 'label',
          type: 'nominal',
          sort: null,
          title: null,
          axis: { labelAngle: -35, labelLimit: 240 },
        },
        y: { field: 'over', type: 'quantitative', title: 'time / floor', scale: { zero: false } },
        color: { field: 'series', type: 'nominal', title: null, sort: null },
        shape: { field: 'series', type: 'nominal', title: null, sort: null },
      },
    },
  };
}

export async function chartSvg(result: BenchResult, peers?: Peers): Promise<string> {
  const view = new View(parse(compile(chartSpec(result, peers)).spec), { renderer: 'none' });
  try {
    return await view.toSVG();
  } finally {
    view.finalize();
  }
}
