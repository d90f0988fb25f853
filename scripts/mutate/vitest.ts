/**
 * What the tests import as 'vitest' when Stryker runs them in its own process (stryker-runner.ts): declarations are
 * collected, matchers are vitest's own. Only what the tests of passes and lowering use.
 */
import { readFileSync } from 'node:fs';
import { format } from 'node:util';
import * as chai from 'chai';
import {
  ASYMMETRIC_MATCHERS_OBJECT,
  JestAsymmetricMatchers,
  JestChaiExpect,
  JestExtend,
} from '@vitest/expect';

type Body = (...args: never[]) => unknown;

export interface CollectedTest {
  readonly name: string;
  readonly run: () => unknown;
}
export const collected: CollectedTest[] = [];
let path: string[] = [];

/** `$key` and `%s` as vitest has them; values that are lists are spread. */
function rowsOf(name: string, rows: readonly unknown[]): { name: string; args: never[] }[] {
  return rows.map((row) => {
    const args = Array.isArray(row) ? row : [row];
    const named = name.replace(/\$(\w+)/g, (_, key: string) => format((row as Record<string, unknown>)[key]));
    const count = named.match(/%[sdifjoO]/g)?.length ?? 0;
    return { name: format(named, ...(args.slice(0, count) as unknown[])), args: args as never[] };
  });
}

const declare = (use: (name: string, body: Body, args: never[]) => void) => {
  const one = (name: string, body: Body): void => use(name, body, []);
  const each = (rows: readonly unknown[]) => (name: string, body: Body) => {
    for (const row of rowsOf(name, rows)) use(row.name, body, row.args);
  };
  return Object.assign(one, { each });
};

export const describe = declare((name, body, args) => {
  const outer = path;
  path = [...outer, name];
  body(...args);
  path = outer;
});
export const test = declare((name, body, args) => {
  collected.push({ name: [...path, name].join(' > '), run: () => body(...args) });
});
export const it = test;

chai.use(JestExtend);
chai.use(JestChaiExpect);
chai.use(JestAsymmetricMatchers);
chai.use((_, utils) => {
  // Never written: what a mutant makes is not what is expected.
  utils.addMethod(
    chai.Assertion.prototype,
    'toMatchFileSnapshot',
    function (this: Chai.AssertionStatic, file: string) {
      new chai.Assertion(utils.flag(this, 'object')).to.equal(readFileSync(file, 'utf8'));
    },
  );
});
export const expect = Object.assign(
  (value: unknown, message?: string) => chai.expect(value, message),
  chai.expect,
  (globalThis as Record<symbol, object>)[ASYMMETRIC_MATCHERS_OBJECT],
);
