/** From syntax to Tile IR: names to values, words to ops, locations to spans. Reports every unknown name it meets. */
import type { IToken } from 'chevrotain';
import type { Diagnostic } from '../../diagnostics/error.ts';
import { closest } from '../../diagnostics/closest.ts';
import type {
  AtomicFn,
  BinaryFn,
  CompareFn,
  Dim,
  Element,
  Kernel,
  Op,
  Param,
  ReduceFn,
  Region,
  TensorParam,
  TileType,
  UnaryFn,
  Value,
} from '../nodes.ts';
import type { Span } from '../span.ts';
import { unknownSpan } from '../span.ts';
import type {
  BlockSyntax,
  FlatSyntax,
  IfSyntax,
  KernelSyntax,
  LoopSyntax,
  OpSyntax,
  ParamSyntax,
} from './syntax.ts';
import { compareFns, unaryFns } from './tokens.ts';

const accessOf = { input: 'read', output: 'write', inout: 'readwrite' } as const;
const i32: TileType = { element: 'i32', shape: [] };
const elements: readonly string[] = ['f32', 'f16', 'bf16', 'i32', 'u32', 'bool'];

export class Elaborator {
  readonly found: Diagnostic[] = [];
  readonly #file: string;
  readonly #files = new Map<string, string>();
  readonly #values = new Map<string, Value>();
  readonly #tensors = new Map<string, TensorParam>();
  #nextId = 0;

  constructor(file: string) {
    this.#file = file;
  }

  kernel(syntax: KernelSyntax): Kernel {
    for (const { key, value } of syntax.files) this.#files.set(key.image, this.#string(value));
    const numbers = (list: KernelSyntax['spec']): [string, string | number][] =>
      list.map(({ key, value }) => [
        key.image,
        value.image.startsWith('"') ? this.#string(value) : Number(value.image),
      ]);
    const tile = numbers(syntax.tile);
    for (const [key, value] of tile)
      if (typeof value === 'string')
        this.#report(syntax.name, `tile number \`${key}\` is the string "${value}"`);
    const params = syntax.params.map((p) => this.#param(p));
    const body = this.#region([], syntax.block);
    return {
      name: syntax.name.image,
      params,
      body,
      spec: Object.fromEntries(numbers(syntax.spec)),
      tile: Object.fromEntries(tile) as Record<string, number>,
      span: this.#span(syntax.at, syntax.name),
    };
  }

  #report(at: IToken, message: string, help?: string): void {
    this.found.push({ code: 'PAT0201', message, span: this.#position(at), ...(help && { help }) });
  }

  /** What was probably meant; only for the first errors, since each looks at every name. */
  #near(word: string, known: Iterable<string>): string | undefined {
    return this.found.length < 50 ? closest(word, [...known]) : undefined;
  }

  #position(token: IToken): Span {
    return { file: this.#file, line: token.startLine ?? 1, column: token.startColumn ?? 1 };
  }

  #string(token: IToken): string {
    try {
      return JSON.parse(token.image) as string;
    } catch {
      this.#report(token, `${token.image} is not a string`);
      return '';
    }
  }

  /** The place an op names, or its place in this text. */
  #span(at: IToken | undefined, start: IToken): Span {
    if (!at) return this.#position(start);
    if (at.image === '@?') return unknownSpan;
    const [first, ...chain] = at.image
      .slice(1)
      .split('<')
      .map((text): Span => {
        const [file, line, column] = text.split(':') as [string, string, string];
        const name = this.#files.get(file);
        if (name === undefined) this.#report(at, `there is no file ${file} in the table of files`);
        return { file: name ?? this.#file, line: Number(line), column: Number(column) };
      });
    return chain.length > 0 ? { ...first!, chain } : first!;
  }

  #type(token: IToken): TileType {
    const text = token.image;
    if (!text.startsWith('tile<')) return { element: text as Element, shape: [] };
    const parts = text.slice(5, -1).split('x');
    const element = parts.pop()!;
    const shape = parts.map(Number);
    if (
      !elements.includes(element) ||
      shape.length === 0 ||
      !shape.every((n) => Number.isInteger(n) && n > 0)
    ) {
      this.#report(
        token,
        `\`${text}\` is not a type`,
        'a tile type is tile<16x8xf32>: extents, then the element',
      );
      return { element: 'f32', shape: [] };
    }
    return { element: element as Element, shape };
  }

  #define(token: IToken, type: TileType): Value {
    const name = token.image.replace(/^%/, '');
    if (this.#values.has(name)) this.#report(token, `%${name} is defined twice`);
    const id = this.#nextId++;
    const value: Value = /^\d+$/.test(name) ? { id, type } : { id, type, name };
    this.#values.set(name, value);
    return value;
  }

  #use = (token: IToken): Value => {
    const value = this.#values.get(token.image.slice(1));
    if (value) return value;
    const near = this.#near(token.image.slice(1), this.#values.keys());
    this.#report(token, `${token.image} is not defined above`, near && `did you mean %${near}?`);
    return { id: -1, type: { element: 'f32', shape: [] } };
  };

  #tensor(token: IToken): TensorParam {
    const tensor = this.#tensors.get(token.image);
    if (tensor) return tensor;
    const near = this.#near(token.image, this.#tensors.keys());
    this.#report(token, `there is no tensor \`${token.image}\``, near && `did you mean ${near}?`);
    return {
      kind: 'tensor',
      name: token.image,
      element: 'f32',
      dims: [],
      access: 'readwrite',
      span: unknownSpan,
    };
  }

  #param(p: ParamSyntax): Param {
    const span = this.#span(p.at, p.start);
    const name = p.name.image;
    if (p.kind === 'scalar') {
      const value = this.#define(p.name, { element: p.type.image as Element, shape: [] });
      return { kind: 'scalar', name, value, span };
    }
    const dim = (token: IToken): Dim => (/^[-\d]/.test(token.image) ? Number(token.image) : token.image);
    const tensor: TensorParam = {
      kind: 'tensor',
      name,
      element: p.element.image as TensorParam['element'],
      dims: p.dims.map(dim),
      ...(p.strides && { strides: p.strides.map(dim) }),
      access: accessOf[p.access.image as keyof typeof accessOf],
      span,
    };
    if (this.#tensors.has(name)) this.#report(p.name, `tensor \`${name}\` is declared twice`);
    this.#tensors.set(name, tensor);
    return tensor;
  }

  #region(params: readonly Value[], block: BlockSyntax): Region {
    const ops = block.ops.map((op) => this.#op(op));
    return { params, ops, yields: block.yields.map(this.#use) };
  }

  #op(syntax: OpSyntax): Op {
    const { body, results } = syntax;
    const span = this.#span(syntax.at, results[0] ?? body.word);
    if (body.kind === 'flat') return this.#flat(body, results, span);
    if (body.kind === 'if') return this.#branch(body, results, span);
    return this.#loop(body, results, span);
  }

  #branch(body: IfSyntax, results: readonly IToken[], span: Span): Op {
    const cond = this.#use(body.cond);
    const then = this.#region([], body.then);
    const otherwise = body.else ? this.#region([], body.else) : { params: [], ops: [], yields: [] };
    this.#count(body.word, 'a branch', results.length, then.yields.length);
    const defined = results.map((r, i) => this.#define(r, then.yields[i]?.type ?? i32));
    return { op: 'if', cond, then, else: otherwise, results: defined, span };
  }

  #loop(body: LoopSyntax, results: readonly IToken[], span: Span): Op {
    const [lo, hi] = [this.#use(body.lo), this.#use(body.hi)];
    const mask = body.mask && { mask: this.#use(body.mask) };
    const inits = body.carry.map((c) => this.#use(c.init));
    const types = body.carry.map((c) => this.#type(c.type));
    let trips: Region | undefined;
    if (body.kind === 'ragged') {
      const entry = this.#define(body.variable!, i32);
      trips = this.#region([entry], body.trips!);
      this.#count(body.word, '`each`', body.each!.length, 2);
    }
    const scalars = body.kind === 'for' ? [body.variable!] : (body.each ?? []);
    const params = scalars.map((v) => this.#define(v, i32));
    params.push(...body.carry.map((c, i) => this.#define(c.param, types[i]!)));
    const inner = this.#region(params, body.body);
    this.#count(body.word, body.kind, results.length, types.length);
    const defined = results.map((r, i) => this.#define(r, types[i] ?? i32));
    const rest = { lo, hi, inits, body: inner, results: defined, span };
    const step = Number(body.step?.image ?? 1);
    if (body.kind === 'for') return { op: 'for', ...rest, step };
    if (body.kind === 'rows')
      return { op: 'rows', ...rest, ...mask, predicated: body.predicated !== undefined };
    return { op: 'ragged', ...rest, step, trips: trips! };
  }

  #count(at: IToken, what: string, given: number, expected: number): void {
    if (given !== expected)
      this.#report(at, `${what}: ${given} values on the left, ${expected} on the right`);
  }

  #flat(s: FlatSyntax, results: readonly IToken[], span: Span): Op {
    const word = s.word.image;
    const operands = s.operands.map(this.#use);
    const numbers = s.numbers.map((n) => Number(n.image));
    const access = (): { tensor: TensorParam; indices: Value[]; mask?: Value } => ({
      tensor: this.#tensor(s.tensor!),
      indices: s.indices!.map(this.#use),
      ...(s.mask && { mask: this.#use(s.mask) }),
    });
    const arity = (n: number): void => {
      if (operands.length !== n) this.#report(s.word, `${word} takes ${n} operands, not ${operands.length}`);
    };
    if (word === 'store') return { op: 'store', ...access(), value: operands[0]!, span };
    if (word.startsWith('atomic_'))
      return { op: 'atomic', fn: word.slice(7) as AtomicFn, ...access(), value: operands[0]!, span };
    const load =
      word === 'load'
        ? {
            ...access(),
            ...(s.other && { other: this.#use(s.other) }),
            ...(s.evictFirst && { evictFirst: this.#use(s.evictFirst) }),
          }
        : undefined;
    const acc = s.acc && this.#use(s.acc);
    if (results.length !== 1) this.#report(s.word, `${word} has one result, not ${results.length}`);
    const result = this.#define(results[0]!, this.#type(s.type!));
    const [a, b, c] = operands as [Value, Value, Value];
    if (load) return { op: 'load', ...load, result, span };
    switch (word) {
      case 'const':
        return { op: 'const', value: constant(s.numbers[0]!.image), result, span };
      case 'program_id':
        return { op: 'programId', axis: numbers[0] as 0 | 1 | 2, result, span };
      case 'iota':
        return { op: 'iota', result, span };
      case 'cast':
      case 'broadcast':
      case 'reshape':
        return { op: word, a, result, span };
      case 'select':
        arity(3);
        return { op: 'select', cond: a, a: b, b: c, result, span };
      case 'transpose':
        return { op: 'transpose', a, permutation: numbers, result, span };
      case 'dot':
        arity(2);
        return { op: 'dot', a, b, ...(acc && { acc }), result, span };
    }
    if (word.startsWith('reduce_'))
      return { op: 'reduce', fn: word.slice(7) as ReduceFn, a, axis: numbers[0]!, result, span };
    if ((unaryFns as readonly string[]).includes(word))
      return { op: 'unary', fn: word as UnaryFn, a, result, span };
    arity(2);
    if ((compareFns as readonly string[]).includes(word))
      return { op: 'compare', fn: word as CompareFn, a, b, result, span };
    return { op: 'binary', fn: word as BinaryFn, a, b, result, span };
  }
}

function constant(text: string): number | boolean {
  if (text === 'true' || text === 'false') return text === 'true';
  if (text === 'inf' || text === '-inf') return text === 'inf' ? Infinity : -Infinity;
  return Number(text);
}
