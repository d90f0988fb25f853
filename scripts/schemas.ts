/** Writes docs/schemas/NAME.json for every document that `--json` prints: `node scripts/schemas.ts`. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { format } from 'prettier';
import { schemas } from '../compiler/cli/schemas.ts';

const folder = new URL('../docs/schemas/', import.meta.url);

export const published = (): Promise<[name: string, text: string][]> =>
  Promise.all(
    Object.entries(schemas).map(async ([name, schema]): Promise<[string, string]> => {
      const text = JSON.stringify({ title: `patc ${name}`, ...z.toJSONSchema(schema, { io: 'output' }) });
      return [`${name}.json`, await format(text, { parser: 'json', printWidth: 110 })];
    }),
  );

if (import.meta.main) {
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of await published()) writeFileSync(new URL(name, folder), text);
}
