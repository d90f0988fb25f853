/** Makes a failing random program small: its tape is shortened and its numbers are lowered while it still fails. */
import { judge, type Case, type Executor } from './executors.ts';
import { randomProgram, type RandomProgram } from './random-program.ts';

/** A random program as a case, with the tolerances that the generator derived. */
export const caseOf = (program: RandomProgram): Case => ({
  ...program,
  tolerance: Object.fromEntries(program.buffers.map((b) => [b.name, b.tolerance])),
});

/** Numbers and names vary while a program shrinks; what kind of failure it is does not. */
const kindOf = (message: string): string =>
  /^PAT\d{4}/.exec(message)?.[0] ?? message.replaceAll(/-?\d+(\.\d+)?(e-?\d+)?/g, '#');

export async function shrink(
  program: RandomProgram,
  executor: Executor,
  budgetMs = 60_000,
): Promise<{ program: RandomProgram; message: string } | undefined> {
  const failureOf = async (tape: readonly number[]): Promise<string | undefined> => {
    try {
      const [verdict] = await judge(caseOf(randomProgram(tape)), [executor]);
      return verdict?.outcome === 'failed' ? verdict.message : undefined;
    } catch {
      return undefined;
    }
  };
  let tape = [...program.tape];
  let message = await failureOf(tape);
  if (message === undefined) return undefined;
  const kind = kindOf(message);
  const accept = async (shorter: number[]): Promise<boolean> => {
    const failure = await failureOf(shorter);
    if (failure === undefined || kindOf(failure) !== kind) return false;
    [tape, message] = [shorter, failure];
    return true;
  };
  const until = performance.now() + budgetMs;
  for (let changed = true; changed && performance.now() < until;) {
    changed = false;
    for (let cut = tape.length >> 1; cut >= 1; cut >>= 1)
      for (let at = 0; at + cut <= tape.length;)
        if (await accept(tape.toSpliced(at, cut))) changed = true;
        else at += cut;
    for (let at = 0; at < tape.length; at++)
      for (const lower of [0, 1, 2, tape[at]! >> 8, tape[at]! >> 1, tape[at]! - 1])
        if (lower >= 0 && lower < tape[at]! && (await accept(tape.with(at, lower)))) {
          changed = true;
          break;
        }
  }
  return { program: randomProgram(tape), message: message! };
}
