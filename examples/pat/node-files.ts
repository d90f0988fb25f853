/** Node's file functions where there are any, so that a page can import the planner without them. */
import { fail } from '../../compiler/diagnostics/error.ts';

type Files = Pick<typeof import('node:fs'), 'mkdirSync' | 'readFileSync' | 'writeFileSync'>;

/** Throws PAT0604 where there are no files (in a browser). */
export function files(): Files {
  const found = globalThis.process?.getBuiltinModule?.('node:fs');
  return (
    found ??
    fail('PAT0604', 'there are no files here', { help: 'give the batch itself instead of a file name' })
  );
}
