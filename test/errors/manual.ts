/** The examples of docs/errors.md, made from the programs that the tests run. */
import type { Code } from '../../compiler/diagnostics/catalogue.ts';
import { errorExample, exampleCodes } from './examples.ts';

const fence = (language: string, text: string): string => `\`\`\`${language}\n${text}\n\`\`\``;

async function blocks(code: Code): Promise<string> {
  const { language, source, flags, output } = await errorExample(code);
  const command = flags ? [fence('sh', `patc compile kernel.ts --target wgsl --out out ${flags}`)] : [];
  return [fence(language === 'ts' ? 'ts' : 'text', source), ...command, fence('text', output)].join('\n\n');
}

/** The manual with the text behind every `<!-- example CODE -->` replaced. */
export async function withExamples(manual: string, codes: readonly Code[] = exampleCodes): Promise<string> {
  let text = manual;
  for (const code of codes) {
    const made = (await blocks(code)).replaceAll('$', '$$$$');
    const place = new RegExp(`<!-- example ${code} -->\\n(?:\\n[\\s\\S]*?<!-- end -->\\n)?`);
    text = text.replace(place, `<!-- example ${code} -->\n\n${made}\n\n<!-- end -->\n`);
  }
  return text;
}
