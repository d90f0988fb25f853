/**
 * patc. Exit codes: 0 what was asked held, 1 a diagnostic about the input (or a result that did not verify), 2 wrong
 * usage, 3 a device or tool that was asked for is missing.
 */
import { Command, CommanderError, Option } from 'commander';
import { PatcError } from '../diagnostics/error.ts';
import { renderDiagnostics } from '../diagnostics/terminal.ts';
import { manifest } from './loader-hooks.ts';
import { describe, errorDocument, terminal, type Output } from './output.ts';

export async function main(argv: readonly string[]): Promise<number> {
  // A reader that has seen enough (`| head`) closes the pipe; that is not an error of ours.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
  const out = terminal(argv.includes('--json') || /(^| )--format[ =]json( |$)/.test(argv.join(' ')));
  let exitCode = 0;
  const cli = await buildCli(
    argv[0],
    async (work) => {
      exitCode = await work(out);
    },
    out,
  );
  try {
    if (argv.length === 0) {
      cli.outputHelp({ error: true });
      return 2;
    }
    await cli.parseAsync(argv, { from: 'user' });
    return exitCode;
  } catch (error) {
    return report(error, out);
  }
}

type Action = (work: (out: Output) => Promise<number>) => Promise<void>;

/** In the order of the help. A command line that names one loads that one alone. */
const commands: Readonly<Record<string, () => Promise<(cli: Command, action: Action) => void>>> = {
  compile: async () => (await import('./commands/compile.ts')).addCompile,
  check: async () => (await import('./commands/check.ts')).addCheck,
  opt: async () => (await import('./commands/opt.ts')).addOpt,
  plan: async () => (await import('./commands/plan.ts')).addPlan,
  run: async () => (await import('./commands/run.ts')).addRun,
  tune: async () => (await import('./commands/tune.ts')).addTune,
  explain: async () => (await import('./commands/explain.ts')).addExplain,
  devices: async () => (await import('./commands/devices.ts')).addDevices,
  report: async () => (await import('./commands/report.ts')).addReport,
  cache: async () => (await import('./commands/cache.ts')).addCache,
  bench: async () => (await import('./commands/bench.ts')).addBench,
};

async function buildCli(named: string | undefined, action: Action, out: Output): Promise<Command> {
  const cli = new Command('patc')
    .description('A tile-kernel language in TypeScript, compiled to CUDA C++ and WGSL.')
    .version(manifest.version)
    .exitOverride()
    .showSuggestionAfterError(true)
    .configureOutput({
      writeErr: (text) => void (out.json || process.stderr.write(text)),
      outputError: () => {},
    });
  const names = named !== undefined && Object.hasOwn(commands, named) ? [named] : Object.keys(commands);
  for (const add of await Promise.all(names.map((name) => commands[name]!()))) add(cli, action);
  for (const command of cli.commands) {
    command.option('--json', 'print one JSON document on stdout');
    command.addOption(
      new Option('--format <form>', 'text, or json: the same as --json').choices(['text', 'json']),
    );
  }
  return cli;
}

function report(error: unknown, out: Output): number {
  const known = error instanceof CommanderError ? usage(error) : error;
  if (known === undefined) return 0;
  if (out.json) out.result(errorDocument(known), () => '');
  else if (known instanceof PatcError) process.stderr.write(renderDiagnostics(known.diagnostics));
  else process.stderr.write(`patc: internal error, please report it\n${describe(known)}\n`);
  return known instanceof PatcError ? known.exitCode : 1;
}

/** Commander's own errors are all wrong usage, except that it also throws to say that it printed the help. */
function usage(error: CommanderError): PatcError | undefined {
  if (error.exitCode === 0) return undefined;
  const [message, hint] = error.message.replace(/^error: /, '').split('\n');
  const near = /Did you mean (?:one of )?(.+)\?\)/.exec(hint ?? '');
  return new PatcError({
    code: 'PAT0601',
    message: message!,
    help: near ? `did you mean '${near[1]}'?` : '`patc --help` and `patc COMMAND --help` list what there is',
  });
}
