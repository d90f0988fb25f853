import type { Span } from '../ir/span.ts';
import { catalogue, type Code } from './catalogue.ts';

export interface Note {
  readonly text: string;
  readonly span?: Span;
}

/** One diagnostic: what is wrong, where, the arithmetic behind it (`notes`) and what would fix it (`help`). */
export interface Diagnostic {
  readonly code: Code;
  readonly message: string;
  readonly span?: Span | undefined;
  readonly notes?: readonly Note[];
  readonly help?: string | undefined;
}

/** Every error that patc raises about its input, its usage or its surroundings. Anything else that is thrown is a bug. */
export class PatcError extends Error {
  readonly diagnostics: readonly Diagnostic[];

  constructor(first: Diagnostic, ...rest: Diagnostic[]) {
    super(`${first.code} ${catalogue[first.code].name}: ${first.message}`);
    this.name = 'PatcError';
    this.diagnostics = [first, ...rest];
  }

  get code(): Code {
    return this.diagnostics[0]!.code;
  }

  get exitCode(): number {
    return catalogue[this.code].exit;
  }
}

export function fail(code: Code, message: string, extra: Omit<Diagnostic, 'code' | 'message'> = {}): never {
  throw new PatcError({ code, message, ...extra });
}
