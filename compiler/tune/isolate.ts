/** Candidates in a child process: one that crashes or hangs costs a restart and its own result, nothing else. */
import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { fail } from '../diagnostics/error.ts';
import type { Code } from '../diagnostics/catalogue.ts';
import type { CandidateReply, CandidateRequest, WorkerBroken, WorkerReady, WorkerStart } from './protocol.ts';

export type Outcome =
  | { readonly ok: true; readonly us: number; readonly error: number; readonly clock: string }
  | { readonly ok: false; readonly why: string };

/** Sources in a clone, built files in a package. */
const script = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url),
);

export class Isolate {
  readonly #start: WorkerStart;
  #child: ChildProcess | undefined;
  #next = 0;
  device = '';

  constructor(start: WorkerStart) {
    this.#start = start;
  }

  /** @throws PatcError when the program does not load or the device is not there */
  async open(): Promise<void> {
    const { program, on } = this.#start;
    const child = fork(script, [program, on], {
      // What the candidate prints is no part of our output.
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    const first = await new Promise<WorkerReady | WorkerBroken>((resolve) => {
      child.once('message', (m) => resolve(m as WorkerReady | WorkerBroken));
      child.once('exit', (code, signal) =>
        resolve({
          ready: false,
          code: 'PAT0708',
          message: `the device process ended with ${signal ?? code}`,
        }),
      );
    });
    if (!first.ready) {
      fail(
        /^PAT\d{4}$/.test(first.code) ? (first.code as Code) : 'PAT0708',
        first.message,
        first.help === undefined ? {} : { help: first.help },
      );
    }
    this.#child = child;
    this.device = first.device;
  }

  async run(asked: Omit<CandidateRequest, 'id'>, limitMs: number): Promise<Outcome> {
    if (!this.#child) await this.open();
    const child = this.#child!;
    const id = this.#next++;
    const outcome = await new Promise<Outcome>((resolve) => {
      const done = (o: Outcome): void => {
        clearTimeout(timer);
        child.off('message', answered);
        child.off('exit', ended);
        resolve(o);
      };
      const answered = (m: CandidateReply): void => {
        if (m.id === id) done(m.ok ? { ok: true, us: m.us, error: m.error, clock: m.clock } : m);
      };
      const ended = (code: number | null, signal: NodeJS.Signals | null): void => {
        this.#child = undefined;
        done({ ok: false, why: `the process ended with ${signal ?? `exit code ${code}`}` });
      };
      const timer = setTimeout(() => {
        this.#child = undefined;
        child.kill('SIGKILL');
        done({ ok: false, why: `no answer in ${(limitMs / 1000).toFixed(0)} s` });
      }, limitMs);
      child.on('message', answered);
      child.on('exit', ended);
      child.send({ ...asked, id }, (error) => {
        if (error) ended(null, null);
      });
    });
    return outcome;
  }

  close(): void {
    const child = this.#child;
    this.#child = undefined;
    if (child?.connected) child.disconnect();
    // A device that does not let go must not keep us.
    setTimeout(() => child?.kill('SIGKILL'), 2000).unref();
  }
}
