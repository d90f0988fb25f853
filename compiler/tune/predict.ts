/** The model applied to a program: what its launches take on a device, planned with given tile shapes. */
import type { Lowering } from '../cli/lowering.ts';
import { specOf } from '../cli/options.ts';
import { fail } from '../diagnostics/error.ts';
import type { DeviceShape, KernelTemplate, Program, RunOptions, Spec, Tile } from '../program.ts';
import type { LaunchWork } from '../work.ts';
import { configure, isRefused, type Configuration } from './configuration.ts';
import { figureOf, type DeviceDescription } from './devices.ts';
import { fitOf } from './fits.ts';
import { launchTime, type LaunchPrediction } from './model.ts';
import { workOf } from './work.ts';

export interface Subject {
  readonly program: Program;
  /** The kernel whose shapes are searched; the others take their first that fits. */
  readonly template: KernelTemplate;
  readonly device: DeviceDescription;
  readonly lowering: Lowering;
  readonly options: Omit<RunOptions, 'device'>;
}

export interface PredictedLaunch {
  readonly work: LaunchWork;
  readonly configuration: Configuration;
  readonly prediction: LaunchPrediction;
}

export class Predictor {
  readonly #subject: Subject;
  readonly #configurations = new Map<string, Configuration>();
  readonly #others = new Map<KernelTemplate, Tile>();

  constructor(subject: Subject) {
    this.#subject = subject;
  }

  #key(template: KernelTemplate, spec: Spec, tile: Tile): string {
    return JSON.stringify([template.name, specOf(template, spec), tile]);
  }

  /** Replaces what is known of a shape, for example after nvcc was asked. */
  learn(c: Configuration): void {
    this.#configurations.set(this.#key(c.template, c.spec, c.tile), c);
  }

  configurationOf(template: KernelTemplate, spec: Spec, tile: Tile): Configuration {
    const key = this.#key(template, spec, tile);
    const known = this.#configurations.get(key);
    if (known) return known;
    const found = configure(this.#subject.lowering, template, spec, tile);
    if (isRefused(found)) return fail('PAT0306', found.diagnostic.message);
    this.#configurations.set(key, found);
    return found;
  }

  shape(tiles: readonly Tile[]): DeviceShape {
    const { device, template: searched, lowering } = this.#subject;
    return {
      family: device.family,
      units: figureOf(device, 'units'),
      feasible: (template, spec) => {
        if (template === searched) return tiles;
        const known = this.#others.get(template) ?? lowering.feasible(template, spec)[0];
        if (known) this.#others.set(template, known);
        return known ? [known] : [];
      },
    };
  }

  /** What the launches do when the host plans with these shapes. */
  works(tiles: readonly Tile[]): { works: readonly LaunchWork[]; spec: Spec } {
    const { program, options } = this.#subject;
    const asked = { ...options, device: this.shape(tiles) };
    if (program.plan) {
      const { work, spec } = program.plan(asked);
      if (work) return { works: work, spec: spec ?? options.spec };
    }
    const instance = program.instantiate(asked);
    const count = instance.launches.length;
    const works = instance.launches.map(({ template, tile, grid }): LaunchWork => {
      const w = workOf(template.trace(specOf(template, instance.spec), tile));
      const block = { rows: w.rows, tokens: (w.trips ?? 1) * w.step, count: grid[0] * grid[1] * grid[2] };
      return { template, tile, blocks: [block], bytes: instance.bytes / count };
    });
    return { works, spec: instance.spec };
  }

  launches(tiles: readonly Tile[]): PredictedLaunch[] {
    const { device } = this.#subject;
    const { works, spec } = this.works(tiles);
    return works.map((work) => {
      const configuration = this.configurationOf(work.template, spec, work.tile);
      const prediction = launchTime(work, configuration, device, fitOf(device.family).coefficients);
      return { work, configuration, prediction };
    });
  }

  /** Microseconds of the whole workload. */
  us(tiles: readonly Tile[]): number {
    return this.launches(tiles).reduce((sum, l) => sum + l.prediction.us, 0);
  }
}
