/** A script's end: its exit code, or an error as text and the exit code that it has on the command line. */
import { PatcError } from '../compiler/diagnostics/error.ts';

export async function runScript(main: () => Promise<number>): Promise<void> {
  try {
    process.exitCode = await main();
  } catch (error) {
    if (!(error instanceof PatcError)) {
      console.error(error);
      process.exitCode = 70;
      return;
    }
    console.error(error.message);
    for (const d of error.diagnostics) {
      for (const note of d.notes ?? []) console.error(`  ${note.text}`);
      if (d.help) console.error(`  help: ${d.help}`);
    }
    process.exitCode = error.exitCode;
  }
}
