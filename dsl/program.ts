/**
 * program(): how kernels are fed, launched and judged. A program's function runs once per run on the host: it makes inputs,
 * chooses a tile shape that the device can hold, says what is launched on what, and gives a float64 reference.
 */
import { fail } from '../compiler/diagnostics/error.ts';
import {
  decodeArray,
  encodeArray,
  poisoned,
  Random,
  type HostArray,
  type HostElement,
} from '../compiler/ir/numeric.ts';
import type {
  Instance,
  KernelTemplate,
  Program,
  ProgramLaunch,
  RunOptions,
  Spec,
  Tile,
} from '../compiler/program.ts';
import { judge, usualTolerance, type Expected } from './judge.ts';
import { callSite } from './location.ts';

/** What kernel() returns: a template that remembers the types of its numbers. */
export interface TypedTemplate<N> extends KernelTemplate {
  /** Never present; carries the type. */
  readonly numbers?: N;
}

type NumbersOf<K> = K extends { readonly numbers?: infer N }
  ? NonNullable<N>
  : Record<string, number | string>;

/** A buffer of the run. `values` are its numbers as the element type rounds them: what a reference must start from. */
export interface RunBuffer {
  readonly name: string;
  readonly element: HostElement;
  readonly length: number;
  readonly values: Float64Array;
}

export interface LaunchOptions {
  /** Blocks along x, y and z; axes left out are 1. */
  readonly grid: readonly number[];
  /** The kernel's tensors by name. */
  readonly buffers: Readonly<Record<string, RunBuffer>>;
  /** The kernel's run-time numbers by name, named dimensions among them. */
  readonly scalars?: Readonly<Record<string, number>>;
}

const preferred = (tiles: readonly Tile[], prefer: Tile): Tile | undefined =>
  tiles.find((t) => Object.entries(prefer).every(([name, value]) => t[name] === value)) ?? tiles[0];

/** What a program's function receives. */
export class Run {
  readonly #options: RunOptions;
  readonly #random: Random;
  readonly #buffers = new Map<string, { buffer: RunBuffer; data: HostArray; output: boolean }>();
  readonly #launches: ProgramLaunch[] = [];
  readonly #tiles = new Map<KernelTemplate, Tile>();
  readonly #expected: Expected[] = [];
  #spec: Spec = {};
  #flops = 0;

  constructor(options: RunOptions) {
    this.#options = options;
    this.#random = new Random(options.seed);
  }

  /** The workload as given on the command line. */
  get workload(): string | undefined {
    return this.#options.workload;
  }

  /**
   * The kernel's spec numbers, as the command line sets them, and the tile numbers chosen for the device: the first that fit and
   * have the numbers of `prefer`, else the first that fit.
   */
  use<K extends KernelTemplate>(template: K, prefer: Tile = {}): NumbersOf<K> {
    const given = Object.entries(this.#options.spec).filter(([name]) => name in template.spec);
    const spec = { ...template.spec, ...Object.fromEntries(given) };
    const tile =
      this.#tiles.get(template) ?? preferred(this.#options.device.feasible(template, spec), prefer);
    if (!tile)
      fail('PAT0306', `no tile shape of ${template.name} fits the device`, { span: callSite().span });
    this.#tiles.set(template, tile);
    this.#spec = { ...this.#spec, ...spec };
    return { ...spec, ...tile } as NumbersOf<K>;
  }

  /** A positive whole number from one of the program's own flags. */
  flag(name: string, usual: number): number {
    const text = this.#options.flags[name] ?? String(usual);
    const value = Number(text);
    if (Number.isInteger(value) && value >= 1) return value;
    return fail('PAT0601', `--${name} is '${text}'; a whole number from 1 is needed`);
  }

  /** One of the program's own flags as it was given. */
  text(name: string, usual: string): string {
    return this.#options.flags[name] ?? usual;
  }

  /**
   * A buffer that kernels read: that many seeded normals of standard deviation `deviation` (or what the caller of the run has
   * for the name), or the numbers given.
   */
  input(name: string, element: HostElement, content: number | ArrayLike<number>, deviation = 1): RunBuffer {
    const data =
      typeof content === 'number'
        ? (this.#options.inputs?.take(name, element, content) ??
          this.#random.normals(element, content, deviation))
        : encodeArray(element, content);
    return this.#add(name, element, data, false);
  }

  /** A buffer of `length` elements that kernels write; what they leave out shows. */
  output(name: string, element: HostElement, length: number): RunBuffer {
    return this.#add(name, element, poisoned(element, length), true);
  }

  launch(template: KernelTemplate, { grid, buffers, scalars = {} }: LaunchOptions): void {
    this.use(template);
    const [x = 1, y = 1, z = 1] = grid;
    const names = Object.entries(buffers).map(([tensor, buffer]) => [tensor, buffer.name]);
    this.#launches.push({
      template,
      tile: this.#tiles.get(template)!,
      grid: [x, y, z],
      buffers: Object.fromEntries(names) as Record<string, string>,
      scalars,
    });
  }

  /** What `output` must hold, in float64, row-major. `reference` runs only when the result is checked. */
  expect(
    output: RunBuffer,
    reference: () => ArrayLike<number>,
    tolerance = usualTolerance[output.element],
  ): void {
    this.#expected.push({ buffer: output, reference, tolerance });
  }

  /** Floating-point operations that any implementation needs; the bytes are those of the buffers. */
  work(flops: number): void {
    this.#flops = flops;
  }

  #add(name: string, element: HostElement, data: HostArray, output: boolean): RunBuffer {
    if (this.#buffers.has(name))
      fail('PAT0110', `two buffers are named \`${name}\``, { span: callSite().span });
    const buffer = {
      name,
      element,
      length: data.length,
      get values() {
        return decodeArray(element, data);
      },
    };
    this.#buffers.set(name, { buffer, data, output });
    return buffer;
  }

  finish(program: string): Instance {
    if (this.#launches.length === 0) fail('PAT0110', `program \`${program}\` launches nothing`);
    const buffers = [...this.#buffers.values()];
    return {
      spec: this.#spec,
      buffers: buffers.map(({ buffer: { name, element }, data, output }) => ({
        name,
        element,
        data,
        output,
      })),
      launches: this.#launches,
      verify: (outputs) => judge(program, this.#expected, outputs),
      flops: this.#flops,
      bytes: buffers.reduce((sum, { data }) => sum + data.byteLength, 0),
      report: {},
    };
  }
}

export interface ProgramOptions {
  readonly kernels: readonly KernelTemplate[];
  /** Command-line flags of the program's own, each with what it means. */
  readonly flags?: Readonly<Record<string, string>>;
  /** What `patc check` simulates where the command line says nothing else. */
  readonly small?: Program['small'];
}

/**
 * Defines a program, for `patc run`; export it as `default`.
 * @throws PatcError PAT0306 when no tile shape fits the device, PAT0601 for a bad flag
 */
export function program(name: string, options: ProgramOptions, body: (run: Run) => void): Program {
  return {
    name,
    kernels: options.kernels,
    flags: options.flags ?? {},
    ...(options.small ? { small: options.small } : {}),
    instantiate(runOptions) {
      const run = new Run(runOptions);
      body(run);
      return run.finish(name);
    },
  };
}
