/** What `patc devices` prints: the descriptions, and what a device that is here says of itself. */
import { devices, figureOf, type DeviceDescription } from '../tune/devices.ts';
import { isPresent, presentAt, type Absent, type Present } from '../tune/present.ts';
import type { DevicesJson } from '../tune/schemas.ts';
import { bytes, table, type Output } from './output.ts';

export interface DeviceFlags {
  present: boolean;
  sources?: boolean;
}

export async function listDevices(flags: DeviceFlags, out: Output): Promise<number> {
  const found = flags.present ? await Promise.all([presentAt('cuda'), presentAt('webgpu')]) : [];
  const document: DevicesJson = { ok: true, devices: [...devices], present: found.map(presentJson) };
  out.result(document, () => text(found, flags.sources ?? false));
  return 0;
}

const presentJson = (p: Present | Absent): DevicesJson['present'][number] =>
  isPresent(p)
    ? {
        place: p.place,
        description: p.description,
        target: p.target.name,
        units: p.units,
        known: p.known?.id ?? null,
      }
    : { place: p.place, missing: p.why };

const tera = (n: number): string =>
  n >= 1e12 ? `${(n / 1e12).toPrecision(3)} T` : `${(n / 1e9).toPrecision(3)} G`;

function text(found: readonly (Present | Absent)[], sources: boolean): string {
  const head = ['id', 'device', 'units', 'shared/block', 'memory', 'matrix', 'targets'];
  const rows = devices.map((d) => [
    d.id,
    d.name,
    String(figureOf(d, 'units')),
    bytes(figureOf(d, 'sharedPerBlock')),
    `${tera(figureOf(d, 'bandwidth'))}B/s`,
    `${tera(figureOf(d, 'matrixFlops'))}FLOP/s`,
    d.targets.join(' '),
  ]);
  const lines = [table([head, ...rows], '')];
  if (sources) lines.push(...devices.flatMap(sourcesOf));
  for (const p of found) {
    if (isPresent(p)) {
      const known = p.known
        ? `figures of '${p.known.id}'`
        : 'no figures: models take the usual card of the target';
      lines.push(`here, --on ${p.place}: ${p.description}, ${p.units} units, ${p.target.name}; ${known}`);
    } else lines.push(`not here, --on ${p.place}: ${p.why}`);
  }
  return lines.join('\n');
}

const sourcesOf = (d: DeviceDescription): string[] => [
  '',
  d.name,
  table(
    [
      ...Object.entries(d.figures),
      ...Object.entries(d.measured ?? {}).map(([name, f]) => [`${name}, measured`, f] as const),
    ].map(([name, f]) => [name, String(f!.value), f!.source]),
  ),
];
