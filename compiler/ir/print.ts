/**
 * Tile IR as text (docs/tile-ir.md has the grammar); parse.ts reads it back.
 *
 * Values are named after the author's variables, made unique with a suffix; unnamed ones are numbered in order. A place
 * in the source is printed behind its op as @file:line:column (`@?` when unknown), where file is an index into the table
 * at the end; callers follow after `<`. Without locations, reading the text back gives places in the text itself.
 */
import {
  isRegionOp,
  regionsOf,
  resultsOf,
  showType,
  type Kernel,
  type Op,
  type Param,
  type Region,
  type RegionOp,
  type Value,
} from './nodes.ts';
import type { Span } from './span.ts';

export interface PrintOptions {
  /** Default true. */
  readonly locations?: boolean;
}

export function printKernel(kernel: Kernel, options: PrintOptions = {}): string {
  return new Printer(kernel, options.locations ?? true).kernel();
}

/** The unique name of every value of a kernel, as printed (without the %); emitters may use the same names. */
export function valueNames(kernel: Kernel): Map<Value, string> {
  const names = new Map<Value, string>();
  const taken = new Set<string>();
  const suffix = new Map<string, number>();
  let unnamed = 0;
  for (const p of kernel.params) {
    taken.add(p.name);
    if (p.kind === 'scalar') names.set(p.value, p.name);
  }
  const define = (v: Value): void => {
    if (v.name === undefined || !/^[A-Za-z_$][\w$]*$/.test(v.name)) {
      names.set(v, String(unnamed++));
      return;
    }
    let name = v.name;
    for (let n = suffix.get(v.name) ?? 0; taken.has(name);) {
      name = `${v.name}_${++n}`;
      suffix.set(v.name, n);
    }
    taken.add(name);
    names.set(v, name);
  };
  const region = (r: Region): void => {
    r.params.forEach(define);
    for (const op of r.ops) {
      regionsOf(op).forEach(region);
      resultsOf(op).forEach(define);
    }
  };
  region(kernel.body);
  return names;
}

export function showNumber(x: number | boolean): string {
  if (typeof x === 'boolean') return String(x);
  if (x === Infinity) return 'inf';
  if (x === -Infinity) return '-inf';
  return Object.is(x, -0) ? '-0' : String(x);
}

const accessWord = { read: 'input', write: 'output', readwrite: 'inout' } as const;

class Printer {
  readonly #kernel: Kernel;
  readonly #locations: boolean;
  readonly #names: Map<Value, string>;
  readonly #files = new Map<string, number>();
  readonly #lines: string[] = [];

  constructor(kernel: Kernel, locations: boolean) {
    this.#kernel = kernel;
    this.#locations = locations;
    this.#names = valueNames(kernel);
  }

  kernel(): string {
    const { name, span, spec, tile, params, body } = this.#kernel;
    this.#lines.push(`kernel ${name}${this.#at(span)} {`);
    this.#numbers('spec', spec);
    this.#numbers('tile', tile);
    for (const p of params) this.#lines.push(`  ${this.#param(p)}${this.#at(p.span)}`);
    if (params.length > 0 && body.ops.length > 0) this.#lines.push('');
    this.#ops(body, 1);
    this.#lines.push('}');
    if (this.#files.size > 0) {
      this.#lines.push('files {');
      for (const [file, index] of this.#files) this.#lines.push(`  ${index} = ${JSON.stringify(file)}`);
      this.#lines.push('}');
    }
    return `${this.#lines.join('\n')}\n`;
  }

  #numbers(word: string, record: Readonly<Record<string, number | string>>): void {
    const entries = Object.entries(record).map(
      ([k, v]) => `${k} = ${typeof v === 'string' ? JSON.stringify(v) : showNumber(v)}`,
    );
    if (entries.length > 0) this.#lines.push(`  ${word} ${entries.join(', ')}`);
  }

  #param(p: Param): string {
    if (p.kind === 'scalar') return `scalar ${p.name}: ${showType(p.value.type)}`;
    const strides = p.strides ? ` strides [${p.strides.join(', ')}]` : '';
    return `${accessWord[p.access]} ${p.name}: ${p.element}[${p.dims.join(', ')}]${strides}`;
  }

  #at(span: Span): string {
    if (!this.#locations) return '';
    if (span.line === 0) return ' @?';
    return ` @${[span, ...(span.chain ?? [])].map((s) => this.#place(s)).join('<')}`;
  }

  #place(span: Span): string {
    let file = this.#files.get(span.file);
    if (file === undefined) this.#files.set(span.file, (file = this.#files.size));
    return `${file}:${span.line}:${span.column}`;
  }

  #v = (v: Value): string => `%${this.#names.get(v) ?? `undefined_${v.id}`}`;

  #list(values: readonly Value[]): string {
    return values.map(this.#v).join(', ');
  }

  #ops(region: Region, depth: number): void {
    for (const op of region.ops) this.#op(op, depth);
    if (region.yields.length > 0) this.#lines.push(`${'  '.repeat(depth)}yield ${this.#list(region.yields)}`);
  }

  #op(op: Op, depth: number): void {
    const results = resultsOf(op);
    const left = results.length > 0 ? `${this.#list(results)} = ` : '';
    const indent = '  '.repeat(depth);
    if (!isRegionOp(op)) {
      const type = results[0] ? ` : ${showType(results[0].type)}` : '';
      this.#lines.push(`${indent}${left}${this.#flat(op)}${type}${this.#at(op.span)}`);
      return;
    }
    const regions = regionsOf(op);
    this.#heads(op).forEach((head, i) => {
      if (op.op === 'if' && i === 1 && op.else.ops.length + op.results.length === 0) return;
      const first = i === 0 ? `${left}` : '} ';
      const at = i === 0 ? this.#at(op.span) : '';
      this.#lines.push(`${indent}${first}${head}${at} {`);
      this.#ops(regions[i]!, depth + 1);
    });
    this.#lines.push(`${indent}}`);
  }

  /** What stands before each region of an op. */
  #heads(op: RegionOp): string[] {
    const v = this.#v;
    switch (op.op) {
      case 'for':
        return [
          `for ${v(op.body.params[0]!)} = ${v(op.lo)} to ${v(op.hi)} step ${op.step}${this.#carry(op.inits, op.body.params.slice(1))}`,
        ];
      case 'ragged':
        return [
          `ragged ${v(op.trips.params[0]!)} = ${v(op.lo)} to ${v(op.hi)}${op.step === 1 ? '' : ` step ${op.step}`} trips`,
          `each ${this.#list(op.body.params.slice(0, 2))}${this.#carry(op.inits, op.body.params.slice(2))}`,
        ];
      case 'rows':
        return [
          `rows ${v(op.lo)} to ${v(op.hi)}${op.mask ? ` mask ${v(op.mask)}` : ''}${op.predicated ? ' predicated' : ''}${this.#carry(op.inits, op.body.params)}`,
        ];
      case 'if':
        return [`if ${v(op.cond)}`, 'else'];
    }
  }

  #carry(inits: readonly Value[], params: readonly Value[]): string {
    if (inits.length === 0) return '';
    return ` carry ${params.map((p, i) => `${this.#v(p)} = ${this.#v(inits[i]!)} : ${showType(p.type)}`).join(', ')}`;
  }

  #flat(op: Exclude<Op, RegionOp>): string {
    const v = this.#v;
    switch (op.op) {
      case 'const':
        return `const ${showNumber(op.value)}`;
      case 'programId':
        return `program_id ${op.axis}`;
      case 'iota':
        return 'iota';
      case 'unary':
        return `${op.fn} ${v(op.a)}`;
      case 'binary':
      case 'compare':
        return `${op.fn} ${v(op.a)}, ${v(op.b)}`;
      case 'select':
        return `select ${v(op.cond)}, ${v(op.a)}, ${v(op.b)}`;
      case 'cast':
      case 'broadcast':
      case 'reshape':
        return `${op.op} ${v(op.a)}`;
      case 'transpose':
        return `transpose ${v(op.a)} [${op.permutation.join(', ')}]`;
      case 'reduce':
        return `reduce_${op.fn} ${v(op.a)} axis ${op.axis}`;
      case 'dot':
        return `dot ${v(op.a)}, ${v(op.b)}${op.acc ? ` acc ${v(op.acc)}` : ''}`;
      case 'load':
        return `load ${op.tensor.name}[${this.#list(op.indices)}]${this.#mask(op.mask)}${op.other ? ` other ${v(op.other)}` : ''}${op.evictFirst ? ` evict_first ${v(op.evictFirst)}` : ''}`;
      case 'store':
        return `store ${op.tensor.name}[${this.#list(op.indices)}] = ${v(op.value)}${this.#mask(op.mask)}`;
      case 'atomic':
        return `atomic_${op.fn} ${op.tensor.name}[${this.#list(op.indices)}] = ${v(op.value)}${this.#mask(op.mask)}`;
    }
  }

  #mask(mask: Value | undefined): string {
    return mask ? ` mask ${this.#v(mask)}` : '';
  }
}
