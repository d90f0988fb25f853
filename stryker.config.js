/**
 * Mutation testing of the passes and the lowering; docs/mutation.md says how to run it and what came of it. Stryker is not
 * among the dependencies: it is run rarely and brings over a hundred packages.
 */
export default {
  mutate: ['compiler/passes/**/*.ts', 'compiler/lower/**/*.ts'],
  // Literals name ops and registers or are words of a message: a mistake in one fails everywhere or nowhere.
  mutator: { excludedMutations: ['StringLiteral', 'ObjectLiteral', 'ArrayDeclaration'] },
  plugins: [import.meta.dirname + '/scripts/mutate/stryker-runner.ts'],
  testRunner: 'in-process',
  coverageAnalysis: 'perTest',
  ignoreStatic: true,
  disableTypeChecks: false,
  // Rewriting one would need a typescript of Stryker's own; Node runs the sources as they are.
  tsconfigFile: 'none',
  // A mutant may loop for ever; the tests that reach one take some seconds together.
  timeoutMS: 6_000,
  timeoutFactor: 1.25,
  dryRunTimeoutMinutes: 10,
  concurrency: 1,
  incremental: true,
  incrementalFile: 'out/stryker/incremental.json',
  reporters: ['log', 'json', 'progress-append-only'],
  jsonReporter: { fileName: 'out/stryker/mutation.json' },
  tempDirName: 'out/stryker/tmp',
  ignorePatterns: ['/out', '/dist', '/docs', '/bench', '/research', '/test/golden', '/.gpu'],
  allowConsoleColors: false,
};
