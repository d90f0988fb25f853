/** The values of options that several commands take, parsed and checked. Everything wrong here is exit code 2. */
import { fail } from '../diagnostics/error.ts';
import { findTarget, targets, type Target } from '../target.ts';
import type { KernelTemplate, Spec, SpecValue } from '../program.ts';
import { closest } from '../diagnostics/closest.ts';

/** `a=1,b=f16` -> [['a', '1'], ['b', 'f16']] */
function assignments(option: string, text: string): [string, string][] {
  const seen = new Set<string>();
  return text
    .split(',')
    .filter((part) => part.trim() !== '')
    .map((part) => {
      const match = /^\s*([A-Za-z_]\w*)\s*=\s*(\S+)\s*$/.exec(part);
      if (!match) {
        fail('PAT0601', `${option}: '${part}' is not NAME=VALUE`, {
          help: `write ${option} name=value,other=value`,
        });
      }
      if (seen.has(match[1]!)) fail('PAT0601', `${option} gives '${match[1]}' twice`);
      seen.add(match[1]!);
      return [match[1]!, match[2]!];
    });
}

const specValue = (text: string): SpecValue => (/^-?\d+(\.\d+)?(e-?\d+)?$/i.test(text) ? Number(text) : text);

export function parseSpec(text: string): Spec {
  return Object.fromEntries(assignments('--spec', text).map(([name, value]) => [name, specValue(value)]));
}

export function parseTile(text: string): Record<string, number> {
  return Object.fromEntries(
    assignments('--tile', text).map(([name, value]) => {
      const number = Number(value);
      if (!Number.isInteger(number) || number < 0) {
        fail('PAT0601', `--tile: ${name}=${value} is not a whole number`);
      }
      return [name, number];
    }),
  );
}

export function parseTargets(text: string): Target[] {
  const names = [
    ...new Set(
      text
        .split(',')
        .map((t) => t.trim())
        .filter(Boolean),
    ),
  ];
  if (names.length === 0) fail('PAT0601', '--target names no target');
  return names.map((name) => {
    const target = findTarget(name);
    if (target) return target;
    const known = targets.map((t) => t.name);
    const near = known.find((k) => k.startsWith(name)) ?? closest(name, known);
    fail('PAT0602', `there is no target '${name}'`, {
      notes: [{ text: `targets: ${known.join(', ')}` }],
      ...(near ? { help: `did you mean '${near}'?` } : {}),
    });
  });
}

const stages = ['tile', 'thread', 'code'] as const;
export type Stage = (typeof stages)[number];

export function parseStages(text: string): Stage[] {
  return text.split(',').map((part) => {
    const stage = stages.find((s) => s === part.trim());
    if (stage) return stage;
    const near = closest(part, stages);
    fail('PAT0601', `--emit: there is no form '${part}'`, {
      notes: [{ text: `forms: ${stages.join(', ')}` }],
      ...(near ? { help: `did you mean '${near}'?` } : {}),
    });
  });
}

export function parseCount(
  option: string,
  text: string,
  least: number,
  most = Number.MAX_SAFE_INTEGER,
): number {
  const value = /^\d+$/.test(text.trim()) ? Number(text) : NaN;
  if (!(value >= least && value <= most)) {
    fail('PAT0601', `${option}: '${text}' is not a whole number of at least ${least}`);
  }
  return value;
}

/** The part of `spec` that one kernel has: a program's kernels need not share every fact. */
export const specOf = (template: KernelTemplate, spec: Spec): Spec =>
  Object.fromEntries(Object.entries(spec).filter(([name]) => name in template.spec));

/** @throws PatcError PAT0105 for a name that no kernel has, PAT0106 for a value of the wrong kind */
export function checkSpec(kernels: readonly KernelTemplate[], spec: Spec): void {
  const known = [...new Set(kernels.flatMap((k) => Object.keys(k.spec)))];
  for (const [name, value] of Object.entries(spec)) {
    if (!known.includes(name)) {
      const near = closest(name, known);
      fail('PAT0105', `no kernel of the program has a spec number '${name}'`, {
        notes: [{ text: known.length ? `it has ${known.join(', ')}` : 'it has none' }],
        ...(near ? { help: `did you mean '${near}'?` } : {}),
      });
    }
    const standard = kernels.find((k) => name in k.spec)!.spec[name]!;
    if (typeof standard !== typeof value) {
      fail('PAT0106', `${name} is a ${typeof standard} (default ${standard}), not '${value}'`);
    }
  }
}

/** @throws PatcError PAT0107 for a name that no kernel has */
export function checkTile(kernels: readonly KernelTemplate[], tile: Readonly<Record<string, number>>): void {
  const known = [...new Set(kernels.flatMap((k) => Object.keys(k.tile)))];
  for (const name of Object.keys(tile)) {
    if (known.includes(name)) continue;
    const near = closest(name, known);
    fail('PAT0107', `no kernel of the program has a tile number '${name}'`, {
      notes: [{ text: known.length ? `it has ${known.join(', ')}` : 'it has none' }],
      ...(near ? { help: `did you mean '${near}'?` } : {}),
    });
  }
}
