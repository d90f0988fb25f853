/** Colours of a plan: the hue says which tile shape a pack runs in, the shade tells it from its neighbours. */
import type { PackJson } from './picture.ts';

const hues = [205, 28, 150, 285, 55, 340];

export const shapeName = (pack: PackJson): string => `${pack.tile['m']} rows × ${pack.tile['n']} tokens`;

export interface Palette {
  /** Tile shapes in use, with their colour. */
  readonly shapes: readonly { readonly name: string; readonly colour: string }[];
  /** `shared`: what several sequences read; paler without. */
  of(pack: number, shared: boolean): string;
}

export function paletteOf(packs: readonly PackJson[]): Palette {
  const names = [...new Set(packs.map(shapeName))];
  const hue = (name: string) => hues[names.indexOf(name) % hues.length]!;
  return {
    shapes: names.map((name) => ({ name, colour: `hsl(${hue(name)} 60% 52%)` })),
    of(pack, shared) {
      // Five shades in an order in which neighbours are far apart.
      const shade = (pack * 2) % 5;
      const base = hue(shapeName(packs[pack]!)) + (shade - 2) * 5;
      return shared ? `hsl(${base} 62% ${40 + shade * 7}%)` : `hsl(${base} 48% ${34 + shade * 7}% / 0.6)`;
    },
  };
}

export const legend = (palette: Palette): string =>
  palette.shapes.map((s) => `<span class="key" style="--key:${s.colour}">${s.name}</span>`).join(' ');
