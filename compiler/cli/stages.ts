/** Passes by name, as `opt --passes` and `compile --emit-after` give them. */
import { closest } from '../diagnostics/closest.ts';
import { fail } from '../diagnostics/error.ts';
import { passes, type Pass } from '../passes/index.ts';

/** @throws PatcError PAT0203 */
export function findPass(name: string): Pass {
  const pass = passes.get(name.trim());
  if (pass) return pass;
  const known = [...passes.keys()];
  const near = closest(name, known);
  return fail('PAT0203', `there is no pass '${name}'`, {
    notes: [{ text: `passes: ${known.join(', ')}` }],
    ...(near ? { help: `did you mean '${near}'?` } : {}),
  });
}
