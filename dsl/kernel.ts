/** kernel(): a function over tiles becomes a template, traced once per specialisation. */
import type { Kernel } from '../compiler/ir/nodes.ts';
import type { Span } from '../compiler/ir/span.ts';
import type { KernelTemplate, Spec, SpecValue, Tile as TileNumbers } from '../compiler/program.ts';
import { fail } from '../compiler/diagnostics/error.ts';
import { closest } from '../compiler/diagnostics/closest.ts';
import { KernelContext } from './context.ts';
import { isElement } from './elements.ts';
import { callSite } from './location.ts';
import type { TypedTemplate } from './program.ts';
import { describe, Tracer } from './tracer.ts';

/** A spec default as the kernel function sees it: any number, any float element, or a string. */
type Opened<V extends SpecValue> = V extends number
  ? number
  : V extends 'f32' | 'f16' | 'bf16'
    ? 'f32' | 'f16' | 'bf16'
    : V extends 'i32' | 'u32'
      ? 'i32' | 'u32'
      : string;

type Chosen<V> = V extends readonly (infer N)[] ? N : V;

/** Spec numbers and tile numbers together, as the kernel function receives them. */
export type Numbers<S extends Spec, T extends TileSpace> = { readonly [K in keyof S]: Opened<S[K]> } & {
  readonly [K in keyof T]: Chosen<T[K]>;
};

/** For each tile number its candidates (see tune), or one number. */
export type TileSpace = Readonly<Record<string, number | readonly number[]>>;

export interface KernelOptions<S extends Spec, T extends TileSpace> {
  /** Facts of the model with defaults: strings for element types, numbers otherwise. */
  readonly spec?: S;
  /** What the tuner may choose. */
  readonly tile?: T;
  /** Which combinations of the candidates are worth trying; all of them where absent. Any may still be asked for by name. */
  readonly where?: (tile: { readonly [K in keyof T]: number }) => boolean;
}

/**
 * Defines a kernel. `body` runs once per (spec, tile) and its calls on `k` and on tiles become the kernel.
 *
 * @throws PatcError PAT0101 … PAT0111 from `trace`, each with the author's line.
 */
export function kernel<
  const S extends Spec = Record<never, never>,
  const T extends TileSpace = Record<never, never>,
>(
  name: string,
  options: KernelOptions<S, T>,
  body: (k: KernelContext, numbers: Numbers<S, T>) => void,
): TypedTemplate<Numbers<S, T>> {
  const { span } = callSite();
  if (typeof name !== 'string' || !/^[A-Za-z][A-Za-z0-9_]*$/.test(name))
    fail('PAT0110', `a kernel is named ${describe(name)}; a name is letters, digits and _`, { span });
  if (typeof body !== 'function')
    fail('PAT0110', `kernel \`${name}\`: its body is ${describe(body)}`, { span });
  const spec: Spec = { ...options.spec };
  const tile: Record<string, readonly number[]> = {};
  for (const [key, values] of Object.entries<number | readonly number[]>(options.tile ?? {})) {
    tile[key] = typeof values === 'number' ? [values] : [...values];
    if (tile[key].length === 0 || !tile[key].every((v) => Number.isInteger(v) && v >= 0))
      fail(
        'PAT0107',
        `kernel \`${name}\`: tile number \`${key}\` has candidates [${tile[key].join(', ')}]; integers from 0 are needed`,
        { span },
      );
    if (key in spec)
      fail('PAT0107', `kernel \`${name}\`: \`${key}\` is both a spec and a tile number`, { span });
  }
  const { where } = options;
  return {
    name,
    spec,
    tile,
    ...(where ? { where: (t: TileNumbers) => where(t as { readonly [K in keyof T]: number }) } : {}),
    trace: (givenSpec, givenTile, reads) => {
      const specNumbers = checkSpec(name, spec, givenSpec, span);
      const tileNumbers = checkTile(name, tile, givenTile, span);
      return trace(name, specNumbers, tileNumbers, span, (k) =>
        body(k, watched({ ...specNumbers, ...tileNumbers }, tile, reads) as Numbers<S, T>),
      );
    },
  };
}

/** The numbers, noting in `reads` which of the tile's are looked at. */
const watched = (numbers: object, tile: KernelTemplate['tile'], reads: Set<string> | undefined): object =>
  reads === undefined
    ? numbers
    : new Proxy(numbers, {
        get(target, key, receiver) {
          if (typeof key === 'string' && key in tile) reads.add(key);
          return Reflect.get(target, key, receiver) as unknown;
        },
      });

function trace(
  name: string,
  spec: Spec,
  tile: TileNumbers,
  span: Span,
  run: (k: KernelContext) => void,
): Kernel {
  const tracer = new Tracer(name);
  const body = tracer.builder.region(
    () => [],
    () => {
      const returned: unknown = run(new KernelContext(tracer));
      if (returned instanceof Promise)
        fail('PAT0110', `kernel \`${name}\` is an async function; tracing is synchronous`, { span });
      return [];
    },
  );
  return { name, params: tracer.params, body, spec, tile, span };
}

function checkSpec(kernelName: string, defaults: Spec, given: Spec, span: Span): Spec {
  const result: Record<string, SpecValue> = { ...defaults };
  for (const [key, value] of Object.entries(given)) {
    const usual = Object.hasOwn(defaults, key) ? defaults[key] : undefined;
    if (usual === undefined)
      fail('PAT0105', `kernel \`${kernelName}\` has no spec number \`${key}\``, {
        span,
        help: suggest(key, Object.keys(defaults)),
      });
    const at = `kernel \`${kernelName}\`: spec \`${key}\``;
    if (typeof value !== typeof usual)
      fail('PAT0106', `${at} is ${describe(value)}; a ${typeof usual} like ${describe(usual)} is needed`, {
        span,
      });
    if (typeof value === 'number' && !Number.isFinite(value)) fail('PAT0106', `${at} is ${value}`, { span });
    if (isElement(usual) && !isElement(value))
      fail('PAT0106', `${at} is '${value}', which is no element type`, {
        span,
        help: suggest(String(value), ['f32', 'f16', 'bf16', 'i32', 'u32']),
      });
    result[key] = value;
  }
  return result;
}

function checkTile(
  kernelName: string,
  space: KernelTemplate['tile'],
  given: TileNumbers,
  span: Span,
): TileNumbers {
  const result: Record<string, number> = {};
  for (const [key, values] of Object.entries(space)) result[key] = values[0]!;
  for (const [key, value] of Object.entries(given)) {
    const values = Object.hasOwn(space, key) ? space[key] : undefined;
    if (!values)
      fail('PAT0107', `kernel \`${kernelName}\` has no tile number \`${key}\``, {
        span,
        help: suggest(key, Object.keys(space)),
      });
    if (!values.includes(value))
      fail(
        'PAT0107',
        `kernel \`${kernelName}\`: tile \`${key}\` is ${describe(value)}; its candidates are ${values.join(', ')}`,
        {
          span,
          help: `to allow it, add it where the kernel says ${key}: tune(${values.join(', ')})`,
        },
      );
    result[key] = value;
  }
  return result;
}

function suggest(given: string, known: readonly string[]): string {
  const near = closest(given, known);
  if (near) return `did you mean \`${near}\`?`;
  return known.length ? `it has: ${known.join(', ')}` : 'it has none';
}
