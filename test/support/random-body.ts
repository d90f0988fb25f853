/** Grows the body of a random program: a pool of values, and steps that add to it. */
import type { BinaryFn, Element, UnaryFn } from '../../compiler/ir/nodes.ts';
import type { Tile, TileRecord } from '../../dsl/index.ts';
import type { Setting } from './random-program.ts';
import {
  binaryOf,
  castOf,
  coarse,
  elementOf,
  isFloatVal,
  isIntVal,
  magnitude,
  rounding,
  shapeOf,
  sizeOfVal,
  tame,
  unaryOf,
  type Val,
} from './random-values.ts';

interface Frame {
  readonly rows: number;
  readonly columns: number;
  readonly live: Tile;
  readonly grid: readonly [number, number, number];
}

const binaryFns: readonly BinaryFn[] = [
  'add',
  'mul',
  'sub',
  'max',
  'min',
  'div',
  'and',
  'or',
  'xor',
  'rem',
  'shl',
  'shr',
];
const unaryFns: readonly UnaryFn[] = [
  'neg',
  'exp',
  'abs',
  'exp2',
  'log',
  'log2',
  'sqrt',
  'rsqrt',
  'tanh',
  'erf',
  'sin',
  'cos',
  'floor',
  'ceil',
  'not',
];
const compareFns = ['lt', 'le', 'gt', 'ge', 'eq', 'ne'] as const;
const reduceFns = ['reduceSum', 'reduceMax', 'reduceMin'] as const;

/** Largest tile generated, in elements. */
const largest = 4096;
type Made = Val | undefined;

export class RandomBody {
  readonly setting: Setting;
  readonly #frame: Frame;
  #pool: Val[] = [];
  #depth = 0;

  constructor(setting: Setting, frame: Frame) {
    this.setting = setting;
    this.#frame = frame;
    this.#pool.push(...setting.scalars, this.#contiguous());
  }

  /** Adds about `count` values to the pool. */
  grow(count: number): void {
    for (let i = 0; i < count && !this.setting.choices.exhausted; i++) this.#step();
  }

  /** Values worth storing, newest first; some integers through atomics. */
  chooseOutputs(count: number): { value: Val; atomic: boolean }[] {
    const { choices } = this.setting;
    const chosen: { value: Val; atomic: boolean }[] = [];
    const seen = new Set<Tile>();
    for (const value of this.#pool.toReversed()) {
      if (chosen.length === count) break;
      if (seen.has(value.t) || this.setting.scalars.includes(value)) continue;
      if (chosen.length > 0 && choices.chance(40)) continue;
      seen.add(value.t);
      chosen.push({ value, atomic: elementOf(value) === 'i32' && choices.chance(30) });
    }
    return chosen;
  }

  #add(value: Made): void {
    if (value) this.#pool.push(value);
  }

  /** A value of the pool, the newest most often. */
  #any(accept: (v: Val) => boolean = () => true): Made {
    const candidates = this.#pool.filter(accept);
    if (candidates.length === 0) return undefined;
    const back = Math.min(
      this.setting.choices.below(candidates.length),
      this.setting.choices.below(candidates.length),
    );
    return candidates[candidates.length - 1 - back];
  }

  #step(): void {
    const { choices } = this.setting;
    const steps: (() => void)[] = [
      () => this.#add(this.#binary()),
      () => this.#add(this.#unary()),
      () => this.#add(this.#contiguous()),
      () => this.#add(this.#dot()),
      () => this.#add(this.#reduce()),
      () => this.#add(this.#binary()),
      () => this.#add(this.#select()),
      () => this.#add(this.#cast()),
      () => this.#add(this.#gather()),
      () => this.#add(this.#view()),
      () => this.#add(this.#integers()),
      () => this.#loop(),
      () => this.#rows(),
      () => this.#when(),
      () => this.#ragged(),
    ];
    // Regions nest two deep at most.
    choices.pick(this.#depth < 2 ? steps : steps.slice(0, -4))();
  }

  /** Rows of an input that this instance owns, masked past the live ones. */
  #contiguous(): Val {
    const { k, choices, floats, length, width } = this.setting;
    const { rows, columns, live } = this.#frame;
    const source = choices.pick(floats);
    const row = k.programId(0).mul(rows).add(k.iota(rows));
    const column = k.iota(columns);
    if (choices.chance(30)) {
      // A transposed read: the tile's first axis walks along the row.
      const at = [row.expand(0).min(length - 1), column.expand(1).min(width - 1)];
      return { t: source.tensor.load(at), lo: source.lo, hi: source.hi, err: 0 };
    }
    const masked = choices.chance(60);
    const mask = row
      .lt(live)
      .expand(1)
      .and(column.lt(columns - choices.below(2)).expand(0));
    const other = choices.chance(30) ? -1 : 0;
    const at = [row.expand(1), column.expand(0)];
    const t = masked
      ? source.tensor.load(at, { mask, other })
      : source.tensor.load([at[0]!.min(length - 1), at[1]!]);
    return { t, lo: source.lo, hi: source.hi, err: 0 };
  }

  /** Rows named by a table: a paged read. */
  #gather(): Made {
    const { k, choices, floats, sizes, length, width, table } = this.setting;
    const source = choices.pick(floats);
    const [n, m] = [choices.pick(sizes), Math.min(width, choices.pick(sizes))];
    if (n * m > largest) return undefined;
    const start = this.#any((v) => elementOf(v) === 'i32' && shapeOf(v).length === 0);
    let where: Tile = k.iota(n);
    if (start) where = where.add(start.t);
    const page = table.tensor.load([where.rem(length).max(0)]) as Tile;
    const column = k.iota(m).add(choices.below(width - m + 1));
    if (choices.chance(20)) {
      // One element per row, by an index tile of full rank.
      const t = source.tensor.load([page, page.rem(width)]);
      return { t, lo: source.lo, hi: source.hi, err: 0 };
    }
    const options = choices.chance(40) ? { mask: page.ge(length >> 2).expand(1) } : {};
    const t = source.tensor.load([page.expand(1), column.expand(0)], options);
    return { t, lo: source.lo, hi: source.hi, err: 0 };
  }

  #integers(): Val {
    const { k, choices, sizes, length, table, counts } = this.setting;
    switch (choices.below(4)) {
      case 0: {
        const n = choices.pick(sizes);
        return { t: k.iota(n), lo: 0, hi: n - 1, err: 0 };
      }
      case 1:
        return { t: k.programId(choices.below(2) as 0 | 1), lo: 0, hi: 3, err: 0 };
      case 2: {
        const n = Math.min(length, choices.pick(sizes));
        return { t: table.tensor.load([k.iota(n)]), lo: table.lo, hi: table.hi, err: 0 };
      }
      default:
        return { t: counts.tensor.at(choices.below(8)), lo: counts.lo, hi: counts.hi, err: 0 };
    }
  }

  /** Whether two shapes meet without the result growing too large. */
  #meets(a: Val, b: Val): boolean {
    const [s, t] = [shapeOf(a), shapeOf(b)];
    if (s.length === 0 || t.length === 0) return true;
    if (s.length !== t.length) return false;
    if (!s.every((x, i) => x === t[i] || x === 1 || t[i] === 1)) return false;
    return s.reduce((n, x, i) => n * Math.max(x, t[i]!), 1) <= largest;
  }

  #partner(a: Val): Val {
    const { k, choices } = this.setting;
    const element = elementOf(a);
    const found = this.#any((v) => elementOf(v) === element && this.#meets(a, v) && v !== a);
    if (found && !choices.chance(20)) return found;
    const value = element === 'bool' ? 1 : choices.pick([1, 2, 3, 0.5, 4]);
    const number = isFloatVal(a) ? value : Math.ceil(value);
    return { t: k.const(element === 'bool' ? true : number, element), lo: number, hi: number, err: 0 };
  }

  #binary(): Made {
    const a = this.#any();
    if (!a) return undefined;
    const b = this.#partner(a);
    return (
      binaryOf(this.setting.choices.pick(binaryFns), a, b) ??
      binaryOf(elementOf(a) === 'bool' ? 'xor' : 'max', a, b)
    );
  }

  #unary(): Made {
    const a = this.#any();
    if (!a || elementOf(a) === 'i32') return a && unaryOf('abs', a);
    const fn = this.setting.choices.pick(unaryFns);
    const direct = unaryOf(fn, a);
    if (direct || !isFloatVal(a)) return direct;
    // Bring the argument where the function is tame: [0.5, 2.5], or [-2, 2].
    const near = {
      t: a.t.min(2).max(-2),
      lo: Math.max(-2, Math.min(2, a.lo)),
      hi: Math.min(2, Math.max(-2, a.hi)),
      err: a.err,
    };
    return (
      unaryOf(fn, near) ??
      unaryOf(fn, { t: near.t.abs().add(0.5), lo: 0.5, hi: 2.5, err: a.err + rounding(elementOf(a), 2.5) })
    );
  }

  #select(): Made {
    const { choices } = this.setting;
    const x = this.#any((v) => v.err === 0 && elementOf(v) !== 'bool');
    if (!x) return undefined;
    const y = this.#partner(x);
    if (y.err > 0) return undefined;
    const fn = choices.pick(compareFns);
    const compared = (x.t as unknown as Record<string, (b: Tile) => Tile>)[fn]!(y.t);
    const cond: Val = { t: compared, lo: 0, hi: 1, err: 0 };
    const a = this.#any((v) => this.#meets(cond, v) && elementOf(v) !== 'bool');
    if (!a || choices.chance(25)) return cond;
    const b = this.#partner(a);
    if (!this.#meets(cond, b) || sizeOfVal(cond) * sizeOfVal(a) * sizeOfVal(b) > largest ** 2) return cond;
    return {
      t: cond.t.where(a.t, b.t),
      lo: Math.min(a.lo, b.lo),
      hi: Math.max(a.hi, b.hi),
      err: Math.max(a.err, b.err),
    };
  }

  #cast(): Made {
    const a = this.#any();
    return a && castOf(a, this.setting.choices.pick<Element>(['f32', 'f16', 'bf16', 'i32', 'u32']));
  }

  #view(): Made {
    const { choices, sizes } = this.setting;
    const a = this.#any((v) => shapeOf(v).length > 0);
    if (!a) return undefined;
    const shape = shapeOf(a);
    const keep = (t: Tile): Val => ({ ...a, t });
    if (shape.length === 1) return keep(a.t.expand(choices.below(2)));
    const [m, n] = shape as [number, number];
    const kind = choices.below(4);
    if (kind === 0) return keep(a.t.T);
    if (kind === 1 && (m === 1 || n === 1)) {
      const size = choices.pick(sizes);
      const to = m === 1 ? [size, n] : [m, size];
      return to[0]! * to[1]! <= largest ? keep(a.t.broadcast(to)) : undefined;
    }
    if (kind === 2 && m % 2 === 0) return keep(a.t.reshape([m / 2, n * 2]));
    if (kind === 3 && m * n <= 256) return keep(a.t.reshape([m * n]));
    return keep(a.t.transpose([1, 0]));
  }

  #reduce(): Made {
    const { choices } = this.setting;
    const a = this.#any((v) => shapeOf(v).length > 0 && elementOf(v) !== 'bool');
    if (!a) return undefined;
    const fn = choices.pick(reduceFns);
    const axis = shapeOf(a).length - 1 - choices.below(shapeOf(a).length);
    const n = shapeOf(a)[axis]!;
    let operand = a;
    if (fn === 'reduceSum') {
      // A sum in a half rounds after every addition, in an order that executors choose.
      if (isFloatVal(a) && elementOf(a) !== 'f32') operand = { ...a, t: a.t.cast('f32') };
      const err = isIntVal(a) ? 0 : n * a.err + rounding('f32', n * magnitude(a)) * Math.max(1, Math.log2(n));
      if (n * magnitude(a) > 4096 || err > coarse * Math.max(1, n * magnitude(a))) return undefined;
      return tame(operand.t.reduceSum(axis), n * Math.min(0, a.lo), n * Math.max(0, a.hi), err);
    }
    const t = fn === 'reduceMax' ? operand.t.reduceMax(axis) : operand.t.reduceMin(axis);
    return { ...a, t };
  }

  #dot(accumulator?: Val): Made {
    const { choices, k } = this.setting;
    const matrix = (v: Val): boolean =>
      isFloatVal(v) && shapeOf(v).length === 2 && magnitude(v) <= 4 && sizeOfVal(v) > 1;
    const a = this.#any(matrix);
    if (!a) return undefined;
    const depth = shapeOf(a)[1]!;
    const fits = (v: Val): boolean =>
      matrix(v) &&
      elementOf(v) === elementOf(a) &&
      shapeOf(v)[0]! * shapeOf(a)[0]! <= largest &&
      shapeOf(v)[1]! * shapeOf(a)[0]! <= largest;
    // b is [depth, n], or [n, depth] and transposed, as keys are.
    const b = this.#any((v) => fits(v) && (shapeOf(v)[0] === depth || shapeOf(v)[1] === depth));
    if (!b) return undefined;
    const straight = shapeOf(b)[0] === depth && (shapeOf(b)[1] !== depth || choices.chance(50));
    const right = straight ? b.t : b.t.T;
    const mag = depth * magnitude(a) * magnitude(b) + (accumulator ? magnitude(accumulator) : 0);
    const err =
      depth * (magnitude(a) * b.err + magnitude(b) * a.err + a.err * b.err) +
      rounding('f32', mag) * 2 +
      (accumulator?.err ?? 0);
    if (mag > 4096 || err > coarse * Math.max(1, mag)) return undefined;
    return { t: k.dot(a.t, right, accumulator?.t), lo: -mag, hi: mag, err };
  }

  /** Runs `build` in a region: what it adds to the pool is forgotten afterwards. */
  #inside<T>(params: readonly Val[], build: () => T): T {
    const outer = this.#pool;
    this.#pool = [...outer, ...params];
    this.#depth++;
    const result = build();
    this.#depth--;
    this.#pool = outer;
    return result;
  }

  /** Float tiles to carry, and the rule by which each step changes them; `trips` bounds how often. */
  #carried(count: number, accept: (v: Val) => boolean): Val[] {
    const chosen: Val[] = [];
    for (let i = 0; i < count; i++) {
      const v = this.#any((x) => isFloatVal(x) && accept(x) && !chosen.some((c) => c.t === x.t));
      if (v) chosen.push(v);
    }
    return chosen;
  }

  /**
   * One step of a carried value: it grows by at most 8, so that bounds hold over all trips. Returns the next value and how
   * much error a step adds; the error that it had is passed on unamplified.
   */
  #next(param: Tile, init: Val, addition: Val): Tile {
    const { choices } = this.setting;
    const element = elementOf(init);
    const v = elementOf(addition) === element ? addition.t : addition.t.cast(element);
    switch (choices.below(3)) {
      case 0:
        return param.add(v);
      case 1:
        return param.max(v);
      default:
        return param.mul(0.5).add(v);
    }
  }

  /** Something that fits a carried tile: same shape after broadcasting, magnitude at most 8. */
  #addition(init: Val): Val {
    const { k } = this.setting;
    const shape = shapeOf(init);
    const fits = (v: Val): boolean =>
      isFloatVal(v) &&
      magnitude(v) <= 8 &&
      (shapeOf(v).length === 0 ||
        (shapeOf(v).length === shape.length && shapeOf(v).every((x, i) => x === shape[i] || x === 1)));
    return this.#any(fits) ?? { t: k.const(1, elementOf(init)), lo: 1, hi: 1, err: 0 };
  }

  /** After `trips` steps: each adds at most 8, its own error and a rounding. */
  #after(result: Tile, init: Val, worst: number, trips: number): Made {
    const mag = magnitude(init) + 8 * trips;
    const err = init.err + trips * (worst + 2 * rounding(elementOf(init), mag));
    return { t: result, lo: -mag, hi: mag, err };
  }

  #repeat(
    carried: readonly Val[],
    trips: number,
    open: (
      record: TileRecord,
      body: (scalars: Tile[], record: TileRecord) => Record<string, Tile>,
    ) => TileRecord,
    scalars: readonly { lo: number; hi: number }[],
  ): void {
    const { choices } = this.setting;
    const keys = carried.map((_, i) => `c${i}`);
    const worst: number[] = carried.map(() => 0);
    const results = open(Object.fromEntries(carried.map((v, i) => [keys[i]!, v.t])), (tiles, record) =>
      this.#inside(
        tiles.map((t, i) => ({ t, lo: scalars[i]!.lo, hi: scalars[i]!.hi, err: 0 })),
        () => {
          this.grow(1 + choices.below(4));
          return Object.fromEntries(
            carried.map((init, i) => {
              const param = record[keys[i]!]!;
              const product = this.#accumulate(param, init, trips);
              if (product) {
                worst[i] = product.err;
                return [keys[i]!, product.t];
              }
              const addition = this.#addition(init);
              const rounds = elementOf(addition) === elementOf(init) ? 0 : rounding(elementOf(init), 8);
              worst[i] = addition.err + rounds;
              return [keys[i]!, this.#next(param, init, addition)];
            }),
          );
        },
      ),
    );
    carried.forEach((init, i) => {
      const value = this.#after(results[keys[i]!]!, init, worst[i]!, trips);
      // Too coarse to compare: it stays in the program, but nothing reads it.
      if (value && value.err <= coarse * Math.max(1, magnitude(value)) && magnitude(value) <= 120)
        this.#add(value);
    });
  }

  /** A dot into the carried accumulator, scaled so that the step stays small. */
  #accumulate(param: Tile, init: Val, trips: number): Made {
    if (
      elementOf(init) !== 'f32' ||
      shapeOf(init).length !== 2 ||
      trips > 8 ||
      !this.setting.choices.chance(50)
    )
      return undefined;
    const [m, n] = shapeOf(init) as [number, number];
    const k = this.setting.k;
    const left = this.#any(
      (v) => isFloatVal(v) && magnitude(v) <= 2 && shapeOf(v).length === 2 && shapeOf(v)[0] === m,
    );
    const depth = left ? shapeOf(left)[1]! : 0;
    const right = this.#any(
      (v) =>
        !!left &&
        elementOf(v) === elementOf(left) &&
        magnitude(v) <= 2 &&
        shapeOf(v).length === 2 &&
        shapeOf(v)[0] === depth &&
        shapeOf(v)[1] === n,
    );
    if (!left || !right) return undefined;
    const element = elementOf(left);
    const shrink = 2 ** -Math.ceil(Math.log2(Math.max(1, (depth * 4) / 8)));
    const err =
      depth * shrink * 2 * (left.err + right.err + rounding(element, 2) * shrink) + rounding('f32', 8);
    return { t: k.dot(left.t.mul(shrink), right.t, param), lo: -8, hi: 8, err };
  }

  #loop(): void {
    const { k, choices, scalars } = this.setting;
    const carried = this.#carried(1 + choices.below(2), () => true);
    const step = 1 + choices.below(2);
    const from = choices.below(2);
    const to = choices.chance(40) ? scalars[0]!.t : from + choices.below(5);
    const last = typeof to === 'number' ? to : 3;
    const trips = Math.max(0, Math.ceil((last - from) / step));
    this.#repeat(
      carried,
      trips,
      (record, body) => k.loop({ from, to, step }, record, (i, c) => body([i], c) as never) as TileRecord,
      [{ lo: from, hi: Math.max(from, last) }],
    );
  }

  #ragged(): void {
    const { k, choices, counts } = this.setting;
    const carried = this.#carried(1 + choices.below(2), () => true);
    const from = choices.below(3);
    const to = from + choices.below(4);
    const step = 1 + choices.below(2);
    this.#repeat(
      carried,
      (to - from) * 3,
      (record, body) =>
        k.ragged(
          { from, to, step, trips: (e) => counts.tensor.at(e) },
          record,
          (e, t, c) => body([e, t], c) as never,
        ) as TileRecord,
      [
        { lo: from, hi: to },
        { lo: 0, hi: 3 },
      ],
    );
  }

  #rows(): void {
    const { k, choices } = this.setting;
    const first = this.#any((v) => isFloatVal(v) && shapeOf(v).length > 0);
    if (!first) return;
    const extent = shapeOf(first)[0]!;
    const others = this.#carried(choices.below(2), (v) => shapeOf(v)[0] === extent && v.t !== first.t);
    const bound = (): Tile | number => {
      const scalar = this.#any((v) => elementOf(v) === 'i32' && shapeOf(v).length === 0);
      return scalar && choices.chance(60) ? scalar.t : choices.below(extent + 2);
    };
    const [from, to] = [bound(), bound()];
    this.#repeat(
      [first, ...others],
      1,
      (record, body) => k.rows({ from, to }, record, (c) => body([], c) as never),
      [],
    );
  }

  #when(): void {
    const { k, choices } = this.setting;
    const scalar = this.#any((v) => elementOf(v) === 'i32' && shapeOf(v).length === 0);
    if (!scalar) return;
    const cond = scalar.t.lt(choices.below(4));
    const a = this.#any((v) => isFloatVal(v));
    if (!a) return;
    const branch = (): Val =>
      this.#inside([], () => {
        this.grow(choices.below(3));
        return (
          this.#any((v) => elementOf(v) === elementOf(a) && shapeOf(v).join() === shapeOf(a).join()) ?? a
        );
      });
    const made: Val[] = [];
    const build = (): TileRecord => {
      const v = branch();
      made.push(v);
      return { r: v.t };
    };
    const { r } = k.when(cond, build, build) as TileRecord;
    const lo = Math.min(...made.map((v) => v.lo));
    const hi = Math.max(...made.map((v) => v.hi));
    this.#add({ t: r!, lo, hi, err: Math.max(...made.map((v) => v.err)) });
  }
}
