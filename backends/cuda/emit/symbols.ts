/** Symbols of a program's kernels: the kernel's name, with the numbers that tell its specialisations apart. */
import type { ThreadKernel } from '../../../compiler/thread/nodes.ts';
import { distinct, legal, libraryNames } from './names.ts';

/** One symbol per kernel, distinct, in the kernels' order. */
export function symbolsOf(kernels: readonly ThreadKernel[]): string[] {
  const groups = new Map<string, ThreadKernel[]>();
  for (const k of kernels) groups.set(k.name, [...(groups.get(k.name) ?? []), k]);
  return distinct(
    kernels.map((k) => legal(k.name) + suffix(k, groups.get(k.name)!)),
    libraryNames,
  );
}

function suffix(kernel: ThreadKernel, group: readonly ThreadKernel[]): string {
  const numbers = (k: ThreadKernel): Readonly<Record<string, number | string>> => ({ ...k.spec, ...k.tile });
  const mine = numbers(kernel);
  const varying = Object.keys(mine).filter((key) => group.some((k) => numbers(k)[key] !== mine[key]));
  return varying.map((key) => `_${key}${mine[key]}`).join('');
}
