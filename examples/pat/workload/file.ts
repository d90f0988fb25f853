/** `batch:FILE.json`: an engine's own block table. */
import { fail, PatcError, type Diagnostic } from '../../../compiler/diagnostics/error.ts';
import { batchSchema, type BatchFile } from '../batch.ts';
import { files } from '../node-files.ts';

/** File text. Throws PAT0604. */
export function readText(file: string): string {
  try {
    return files().readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof PatcError) throw error;
    return fail('PAT0604', `cannot read ${file}: ${(error as Error).message}`);
  }
}

/** Throws PAT0501 for anything that is not a batch, naming each field. */
export function parseBatchFile(text: string, file: string): BatchFile {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const at = /position (\d+)/.exec((error as Error).message);
    const before = text.slice(0, at ? Number(at[1]) : 0).split('\n');
    return fail('PAT0501', `${file} is not JSON: ${(error as Error).message}`, {
      span: { file, line: before.length, column: before.at(-1)!.length + 1 },
    });
  }
  const parsed = batchSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.slice(0, 20).map((issue): Diagnostic => {
    const path = issue.path.map((p) => (typeof p === 'number' ? `[${p}]` : `.${String(p)}`)).join('');
    return {
      code: 'PAT0501',
      message: `${file}: ${path.replace(/^\./, '') || 'the document'}: ${issue.message}`,
      help: '{"page": 16, "sequences": [{"length": 37, "pages": [4, 9, 2]}, …]}',
    };
  });
  throw new PatcError(faults[0]!, ...faults.slice(1));
}
