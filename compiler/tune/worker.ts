/**
 * The child process that runs candidates: it loads the program, opens the device, and for each request checks the candidate
 * against the interpreter on a small instance, then times it. Whatever happens here happens to this process alone.
 */
import type { HostArray, HostBuffer } from '../backend.ts';
import { loadRunnable } from '../cli/loader.ts';
import { openRunner, type Runner } from '../cli/runners.ts';
import { PatcError } from '../diagnostics/error.ts';
import { decodeArray } from '../ir/numeric.ts';
import type { Instance, Program, RunOptions } from '../program.ts';
import type { CandidateReply, CandidateRequest, WorkerBroken, WorkerReady } from './protocol.ts';

const [, , name, on] = process.argv;
const say = (message: CandidateReply | WorkerReady | WorkerBroken): void => void process.send!(message);

/** Largest difference from the interpreter, relative to the norm of the output, that rounding may make. */
const allowed: Readonly<Record<HostBuffer['element'], number>> = {
  f32: 2e-3,
  f16: 5e-3,
  bf16: 3e-2,
  i32: 0,
  u32: 0,
};

/** The device's shape, with one kernel held at one tile. */
const held = (runner: Runner, { kernel, tile }: CandidateRequest): RunOptions['device'] => ({
  ...runner.shape,
  feasible: (template, spec) =>
    template.name === kernel ? [tile] : runner.shape.feasible(template, spec).slice(0, 1),
});

async function candidate(program: Program, runner: Runner, r: CandidateRequest): Promise<CandidateReply> {
  const device = held(runner, r);
  const error = r.check ? await difference(program, runner, r, device) : 0;
  const instance = program.instantiate({
    ...(r.workload === undefined ? {} : { workload: r.workload }),
    seed: r.seed,
    spec: r.spec,
    flags: r.flags,
    verify: false,
    device,
  });
  const begin = performance.now();
  const result = await runner.run(instance, r.repeats);
  const wall = (performance.now() - begin) * 1000;
  const us = result.timeUs ?? wall;
  return { id: r.id, ok: true, us, error, clock: result.timeUs === undefined ? 'host' : 'device' };
}

async function difference(
  program: Program,
  runner: Runner,
  r: CandidateRequest,
  device: RunOptions['device'],
): Promise<number> {
  const { small } = program;
  const workload = small?.workload ?? r.workload;
  const options: RunOptions = {
    ...(workload === undefined ? {} : { workload }),
    seed: r.seed,
    spec: { ...small?.spec, ...r.spec },
    flags: { ...small?.flags, ...r.flags },
    verify: false,
    device,
  };
  const instance = program.instantiate(options);
  const expected = await interpreted(instance);
  const { outputs } = await runner.run(instance, 0);
  let worst = 0;
  for (const { name: buffer, element } of instance.buffers.filter((b) => b.output)) {
    const d = distance(
      decodeArray(element, outputs.get(buffer)!),
      decodeArray(element, expected.get(buffer)!),
    );
    if (!(d <= allowed[element])) {
      throw new WrongResult(
        `${buffer} differs from the interpreter by ${d.toExponential(2)} of its norm; ${allowed[element]} is rounding`,
      );
    }
    worst = Math.max(worst, d);
  }
  return worst;
}

class WrongResult extends Error {}

async function interpreted(instance: Instance): Promise<ReadonlyMap<string, HostArray>> {
  const { interpret } = await import('../../backends/cpu/interpreter/index.ts');
  const { specOf } = await import('../cli/options.ts');
  const memory = new Map(instance.buffers.map((b): [string, HostArray] => [b.name, b.data.slice()]));
  for (const launch of instance.launches) {
    const kernel = launch.template.trace(specOf(launch.template, instance.spec), launch.tile);
    const tensors = kernel.params.filter((p) => p.kind === 'tensor');
    const bound = new Map(tensors.map((p) => [p.name, memory.get(launch.buffers[p.name] ?? '')!]));
    interpret(kernel, [...launch.grid], bound, launch.scalars);
  }
  return memory;
}

/** Norm of the difference over the norm; what neither wrote counts as equal, and so do equal infinities. */
function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [off, norm] = [0, 0];
  for (let i = 0; i < b.length; i++) {
    const [x, y] = [a[i]!, b[i]!];
    if (Object.is(x, y) || x === y) {
      if (Number.isFinite(y)) norm += y * y;
      continue;
    }
    if (!Number.isFinite(x) || !Number.isFinite(y)) return Infinity;
    off += (x - y) ** 2;
    norm += y * y;
  }
  return off === 0 ? 0 : Math.sqrt(off / Math.max(norm, 1e-30));
}

async function main(): Promise<void> {
  let runner: Runner;
  let program: Program;
  try {
    program = await loadRunnable(name!);
    runner = await openRunner(on!);
  } catch (error) {
    const d = error instanceof PatcError ? error.diagnostics[0]! : undefined;
    say({
      ready: false,
      code: d?.code ?? 'internal',
      message: d?.message ?? String(error),
      ...(d?.help === undefined ? {} : { help: d.help }),
    });
    process.disconnect();
    return;
  }
  process.on('message', (request: CandidateRequest) => {
    candidate(program, runner, request).then(say, (error: unknown) =>
      say({
        id: request.id,
        ok: false,
        why:
          error instanceof PatcError || error instanceof WrongResult
            ? error.message
            : `internal: ${String(error)}`,
      }),
    );
  });
  process.on('disconnect', () => process.exit(0));
  say({ ready: true, device: runner.description });
}

await main();
