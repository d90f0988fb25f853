/** Structured control flow: loops, ragged loops, row regions and branches, with records of carried tiles. */
import { sameShape, showType, type Region, type TileType, type Value } from '../compiler/ir/nodes.ts';
import type { Span } from '../compiler/ir/span.ts';
import { fail } from '../compiler/diagnostics/error.ts';
import { Tile } from './tile.ts';
import { describe, type Tracer } from './tracer.ts';

export type TileRecord = Readonly<Record<string, Tile>>;

interface Carried {
  readonly keys: readonly string[];
  readonly inits: readonly Value[];
  readonly span: Span;
}

function carriedOf(tracer: Tracer, record: unknown, what: string, span: Span): Carried {
  if (typeof record !== 'object' || record === null || Array.isArray(record) || record instanceof Tile)
    fail(
      'PAT0110',
      `${what}: carried values are ${describe(record)}; a record of tiles such as { acc } is needed`,
      { span },
    );
  const keys = Object.keys(record);
  const inits = keys.map((key) => {
    const value = tracer.use((record as Record<string, unknown>)[key], `carried \`${key}\``, span);
    value.name ??= key;
    return value;
  });
  return { keys, inits, span };
}

/** The record that a region returned, checked against what it was given. */
function yieldsOf(
  tracer: Tracer,
  carried: Carried,
  types: readonly TileType[],
  record: unknown,
  what: string,
): Value[] {
  const { keys, span } = carried;
  if (record === undefined && keys.length === 0) return [];
  if (typeof record !== 'object' || record === null || Array.isArray(record) || record instanceof Tile)
    fail('PAT0109', `${what} returns ${describe(record)}; it must return the record { ${keys.join(', ')} }`, {
      span,
    });
  const given = Object.keys(record);
  const missing = keys.filter((key) => !given.includes(key));
  const extra = given.filter((key) => !keys.includes(key));
  if (missing.length || extra.length)
    fail('PAT0109', `${what} must return the record { ${keys.join(', ')} }, not { ${given.join(', ')} }`, {
      span,
      notes: [
        ...missing.map((key) => ({ text: `\`${key}\` is missing` })),
        ...extra.map((key) => ({ text: `\`${key}\` is not carried; it needs an initial value` })),
      ],
    });
  return keys.map((key, i) => {
    const value = tracer.use(
      (record as Record<string, unknown>)[key],
      `\`${key}\`, returned by ${what},`,
      span,
    );
    const type = types[i]!;
    if (value.type.element !== type.element || !sameShape(value.type.shape, type.shape))
      fail(
        'PAT0109',
        `carried \`${key}\` changes type: it starts as ${showType(type)}, ${what} returns ${showType(value.type)}`,
        {
          span,
          notes: [tracer.madeHere(value, `\`${key}\` is ${showType(value.type)} here`)],
          help:
            value.type.element !== type.element
              ? `.cast('${type.element}')`
              : 'keep its shape from one step to the next',
        },
      );
    value.name ??= key;
    return value;
  });
}

const tileRecord = (
  tracer: Tracer,
  keys: readonly string[],
  values: readonly Value[],
): Record<string, Tile> => Object.fromEntries(keys.map((key, i) => [key, new Tile(tracer, values[i]!)]));

const i32: TileType = { element: 'i32', shape: [] };

/** Opens a region with scalar parameters and the carried values, and checks what it returns. */
function body(
  tracer: Tracer,
  carried: Carried,
  scalars: readonly string[],
  what: string,
  run: (scalars: Tile[], record: Record<string, Tile>) => unknown,
): Region {
  const types = carried.inits.map((v) => v.type);
  const params = [
    ...scalars.map((name) => ({ type: i32, name })),
    ...carried.keys.map((name, i) => ({ type: types[i]!, name })),
  ];
  return tracer.region(params, (values) => {
    const tiles = values.slice(0, scalars.length).map((v) => new Tile(tracer, v));
    const record = run(tiles, tileRecord(tracer, carried.keys, values.slice(scalars.length)));
    return yieldsOf(tracer, carried, types, record, what);
  });
}

const resultsOf = (tracer: Tracer, carried: Carried): Value[] =>
  carried.inits.map((v, i) => tracer.builder.value(v.type, carried.keys[i]!));

function callable(f: unknown, what: string, span: Span): void {
  if (typeof f !== 'function') fail('PAT0110', `${what} is ${describe(f)}; a function is needed`, { span });
}

/** The parameter names of a closure, for the names of the loop variables. */
function parameterName(f: (...args: never[]) => unknown, index: number, fallback: string): string {
  const head =
    /^(?:async\s+)?(?:function\s*[\w$]*\s*)?\(?\s*([^)=]*)/.exec(Function.prototype.toString.call(f))?.[1] ??
    '';
  const name = /^[A-Za-z_$][\w$]*/.exec(head.split(/[,{]/)[index]?.trim() ?? '')?.[0];
  return name && /^[A-Za-z]/.test(name) ? name : fallback;
}

function bounds(
  range: unknown,
  what: string,
  span: Span,
): { from: unknown; to: unknown; step: number; trips?: unknown } {
  if (typeof range !== 'object' || range === null || range instanceof Tile)
    fail('PAT0110', `${what}: the range is ${describe(range)}; { from, to } is needed`, { span });
  const { from = 0, to, step = 1 } = range as { from?: unknown; to?: unknown; step?: unknown };
  if (to === undefined) fail('PAT0110', `${what}: the range has no \`to\``, { span });
  if (typeof step !== 'number' || !Number.isInteger(step) || step < 1)
    fail(
      'PAT0110',
      `${what}: the step is ${describe(step)}; a positive integer known at trace time is needed`,
      {
        span,
      },
    );
  return { ...range, from, to, step };
}

export function loop(
  tracer: Tracer,
  range: unknown,
  record: unknown,
  run: (i: Tile, c: never) => unknown,
): Record<string, Tile> {
  const { span } = tracer.place();
  const { from, to, step } = bounds(range, 'loop', span);
  callable(run, 'the body of a loop', span);
  const lo = tracer.integer(from, '`from`', span);
  const hi = tracer.integer(to, '`to`', span);
  const carried = carriedOf(tracer, record, 'loop', span);
  const region = body(tracer, carried, [parameterName(run, 0, 'i')], 'the loop body', ([i], c) =>
    run(i!, c as never),
  );
  const results = resultsOf(tracer, carried);
  tracer.append({ op: 'for', lo, hi, step, inits: carried.inits, body: region, results, span });
  return tileRecord(tracer, carried.keys, results);
}

export function ragged(
  tracer: Tracer,
  range: unknown,
  record: unknown,
  run: (e: Tile, t: Tile, c: never) => unknown,
): Record<string, Tile> {
  const { span } = tracer.place();
  const { from, to, step, trips } = bounds(range, 'ragged', span);
  callable(trips, '`trips`', span);
  callable(run, 'the body of a ragged loop', span);
  const lo = tracer.integer(from, '`from`', span);
  const hi = tracer.integer(to, '`to`', span);
  const carried = carriedOf(tracer, record, 'ragged', span);
  const count = trips as (e: Tile) => unknown;
  const entry = parameterName(run, 0, 'e');
  const tripsRegion = withoutStores(tracer, 'the `trips` function of a ragged loop', () =>
    tracer.region([{ type: i32, name: entry }], ([e]) => [
      tracer.integer(count(new Tile(tracer, e!)), 'the count that `trips` returns', span),
    ]),
  );
  const names = [entry, parameterName(run, 1, 't')];
  const region = body(tracer, carried, names, 'the body of the ragged loop', ([e, t], c) =>
    run(e!, t!, c as never),
  );
  const results = resultsOf(tracer, carried);
  tracer.append({
    op: 'ragged',
    lo,
    hi,
    step,
    trips: tripsRegion,
    inits: carried.inits,
    body: region,
    results,
    span,
  });
  return tileRecord(tracer, carried.keys, results);
}

/** The mask of a row region, if it has one. */
function maskOf(tracer: Tracer, range: unknown, span: Span): Value | undefined {
  if (typeof range !== 'object' || range === null || !('where' in range)) return undefined;
  const mask = tracer.use(range.where, '`where`', span);
  if (mask.type.element !== 'bool' || mask.type.shape.length !== 1)
    fail(
      mask.type.element === 'bool' ? 'PAT0101' : 'PAT0102',
      `rows: \`where\` is ${showType(mask.type)}; a bool for each row is needed`,
      { span },
    );
  return mask;
}

export function rows(
  tracer: Tracer,
  range: unknown,
  record: unknown,
  run: (c: never) => unknown,
): Record<string, Tile> {
  const { span } = tracer.place();
  callable(run, 'the body of a row region', span);
  const where = maskOf(tracer, range, span);
  const { from, to } = bounds(
    where ? { to: where.type.shape[0], ...(range as object) } : range,
    'rows',
    span,
  );
  const lo = tracer.integer(from, '`from`', span);
  const hi = tracer.integer(to, '`to`', span);
  const carried = carriedOf(tracer, record, 'rows', span);
  const [first, ...others] = carried.inits;
  if (!first) fail('PAT0110', 'rows: a row region without carried tiles computes nothing', { span });
  for (const v of [first, ...others])
    if (v.type.shape.length === 0 || v.type.shape[0] !== first.type.shape[0])
      fail('PAT0101', 'rows: carried tiles share the extent of axis 0, the rows', {
        span,
        notes: carried.inits.map((x, i) => ({ text: `\`${carried.keys[i]}\` is ${showType(x.type)}` })),
      });
  if (where && where.type.shape[0] !== first.type.shape[0])
    fail(
      'PAT0101',
      `rows: \`where\` has ${where.type.shape[0]} rows, the carried tiles ${first.type.shape[0]}`,
      {
        span,
      },
    );
  const region = withoutStores(tracer, 'a row region', () =>
    body(tracer, carried, [], 'the row region', (_, c) => run(c as never)),
  );
  const results = resultsOf(tracer, carried);
  tracer.append({
    op: 'rows',
    lo,
    hi,
    ...(where && { mask: where }),
    inits: carried.inits,
    body: region,
    results,
    predicated: false,
    span,
  });
  return tileRecord(tracer, carried.keys, results);
}

export function when(
  tracer: Tracer,
  cond: unknown,
  then: () => unknown,
  otherwise?: () => unknown,
): Record<string, Tile> {
  const { span } = tracer.place();
  const condition = tracer.use(cond, 'the condition', span);
  if (condition.type.element !== 'bool' || condition.type.shape.length > 0)
    fail(
      condition.type.shape.length ? 'PAT0101' : 'PAT0102',
      `when: the condition is ${showType(condition.type)}; a scalar bool is needed`,
      {
        span,
        help: 'choose elementwise with cond.where(a, b), or reduce the tile to a scalar first',
      },
    );
  callable(then, 'the branch of when', span);
  if (otherwise !== undefined) callable(otherwise, 'the other branch of when', span);
  let keys: string[] = [];
  const thenRegion = tracer.region([], () => {
    const record = then();
    if (record === undefined) return [];
    const made = carriedOf(tracer, record, 'when', span);
    keys = [...made.keys];
    return made.inits;
  });
  const types = thenRegion.yields.map((v) => v.type);
  const carried: Carried = { keys, inits: thenRegion.yields, span };
  if (keys.length > 0 && !otherwise)
    fail(
      'PAT0109',
      `when: the branch gives { ${keys.join(', ')} }, so there must be another that gives the same`,
      { span },
    );
  const elseRegion = tracer.region([], () =>
    otherwise ? yieldsOf(tracer, carried, types, otherwise(), 'the other branch') : [],
  );
  const results = types.map((type, i) => tracer.builder.value(type, keys[i]!));
  tracer.append({ op: 'if', cond: condition, then: thenRegion, else: elseRegion, results, span });
  return tileRecord(tracer, keys, results);
}

function withoutStores<T>(tracer: Tracer, region: string, run: () => T): T {
  tracer.noStores.push(region);
  try {
    return run();
  } finally {
    tracer.noStores.pop();
  }
}
