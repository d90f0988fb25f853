/** Builds Tile IR in order: fresh values, a stack of open regions, ops appended to the innermost. */
import { fail } from '../diagnostics/error.ts';
import {
  mostElements,
  showType,
  sizeOf,
  type Op,
  type PureOp,
  type Region,
  type TileType,
  type Value,
} from './nodes.ts';
import { resultType, type Draft } from './rules.ts';

interface Scope {
  readonly ops: Op[];
}

export class Builder {
  #nextId = 0;
  readonly #open: Scope[] = [];
  /** Where each value was defined; a value is visible while its scope is open. */
  readonly #home = new WeakMap<Value, Scope>();

  /** Starts above the ids of an existing kernel when a pass builds into it. */
  constructor(firstId = 0) {
    this.#nextId = firstId;
  }

  value(type: TileType, name?: string): Value {
    const value: Value = { id: this.#nextId++, type };
    if (name !== undefined) value.name = name;
    const scope = this.#open.at(-1);
    if (scope) this.#home.set(value, scope);
    return value;
  }

  /** Appends a pure op; its result type follows from the rules (`declared` where the op does not determine it). */
  pure(draft: Draft, declared: TileType, name?: string): Value {
    const type = resultType(draft, declared);
    if (sizeOf(type) > mostElements)
      fail('PAT0110', `${showType(type)} is ${sizeOf(type)} elements; a tile has at most 2^24`, {
        span: draft.span,
        help: 'a tile is what one block works on: cover a tensor by the launch grid and loops',
      });
    const result = this.value(type, name);
    this.append({ ...draft, result } as PureOp);
    return result;
  }

  append(op: Op): void {
    const scope = this.#open.at(-1);
    if (!scope) throw new Error('no region is open');
    scope.ops.push(op);
  }

  /** Builds a region: `body` appends its ops, with `params` in scope, and returns what it yields. */
  region(params: (builder: this) => Value[], body: (params: Value[]) => readonly Value[]): Region {
    const scope: Scope = { ops: [] };
    this.#open.push(scope);
    try {
      const values = params(this);
      const yields = body(values);
      return { params: values, ops: scope.ops, yields };
    } finally {
      this.#open.pop();
    }
  }

  /** Whether `value` was made by this builder in a region that is still open. */
  inScope(value: Value): boolean {
    const scope = this.#home.get(value);
    return scope !== undefined && this.#open.includes(scope);
  }

  /** Whether `value` was made by this builder at all. */
  owns(value: Value): boolean {
    return this.#home.has(value);
  }
}
