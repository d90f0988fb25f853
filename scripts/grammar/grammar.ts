/** The grammar of textual Tile IR as EBNF and as railroad diagrams, both from chevrotain's record of the parser. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import vm from 'node:vm';
import { tileParser } from '../../compiler/ir/text/grammar.ts';
import { allTokens } from '../../compiler/ir/text/tokens.ts';

/** A production as chevrotain serialises it; which fields are there depends on `type`. */
interface Production {
  readonly type: string;
  readonly name: string;
  readonly label?: string;
  readonly definition?: readonly Production[];
  readonly separator?: Production;
}

export const grammarRules = (): readonly Production[] =>
  tileParser().getSerializedGastProductions() as readonly unknown[] as readonly Production[];

/** Keywords in quotes; families of words, and shapes of words, by name. */
const terminal = ({ label, name }: Production): string =>
  label?.startsWith("'") ? label.replaceAll("'", '"') : name;

function show(p: Production): string {
  const sequence = (): string => (p.definition ?? []).map(show).filter(Boolean).join(' ');
  switch (p.type) {
    case 'Terminal':
      return terminal(p);
    case 'NonTerminal':
      return p.name;
    case 'Option':
      return `[ ${sequence()} ]`;
    case 'Repetition':
      return `{ ${sequence()} }`;
    case 'RepetitionMandatoryWithSeparator':
      return `${sequence()} { ${terminal(p.separator!)} ${sequence()} }`;
    case 'Alternation': {
      const choices = (p.definition ?? []).map(show);
      return `( ${choices.join(' | ')} )`;
    }
    default:
      return sequence();
  }
}

/** One rule per line; a rule that is one choice gets a line per alternative. */
function ruleText(rule: Production): string {
  const [only, ...rest] = rule.definition ?? [];
  if (only?.type === 'Alternation' && rest.length === 0) {
    const lines = (only.definition ?? []).map(show);
    return `${rule.name} =\n    ${lines.join('\n  | ')} ;`;
  }
  return `${rule.name} = ${show(rule)} ;`;
}

/** Families of words, from the tokens' categories, and the shapes of the others. */
function lexical(): string[] {
  const families = [
    'UnaryName',
    'BinaryName',
    'ViewName',
    'ReduceName',
    'AtomicName',
    'AccessName',
    'ElementName',
  ];
  const words = families.map((family) => {
    const members = allTokens.filter((t) => t.CATEGORIES?.some((c) => c.name === family));
    return `${family} = ${members.map((t) => `"${(t.PATTERN as RegExp).source}"`).join(' | ')} ;`;
  });
  const shapes = ['Word', 'ValueName', 'TileType', 'Location', 'Text', 'NumberText'].map((name) => {
    const token = allTokens.find((t) => t.name === name)!;
    return `${name} = /${(token.PATTERN as RegExp).source}/ ;`;
  });
  return [...words, 'ResultName = ValueName ;  (* the first word of its line *)', ...shapes];
}

export const ebnf = (): string => [...grammarRules().map(ruleText), '', ...lexical()].join('\n');

const style = `path{stroke-width:2;stroke:#333;fill:none}
text{font:bold 14px monospace;text-anchor:middle;fill:#111}
rect{stroke-width:2;stroke:#333;fill:#dff3ff}
g.non-terminal rect{fill:#dfe5ff}`;

interface Railroad {
  convertProductionToDiagram(rule: Production, name: string): { toString(): string };
}
let builder: Railroad | undefined;

/** The diagram builder that chevrotain ships for browsers, run here: its shapes print themselves as SVG. */
function diagramBuilder(): Railroad {
  if (builder) return builder;
  const folder = fileURLToPath(new URL('../../node_modules/chevrotain/diagrams/', import.meta.url));
  const window: { diagrams_builder?: Railroad } = {};
  const context = vm.createContext(window);
  for (const file of ['vendor/railroad-diagrams.js', 'src/diagrams_builder.js'])
    vm.runInContext(readFileSync(folder + file, 'utf8'), context, { filename: file });
  return (builder = window.diagrams_builder!);
}

/** A rule as a static SVG image. */
export function railroad(rule: Production): string {
  const svg = diagramBuilder().convertProductionToDiagram(rule, rule.name).toString();
  // Its marks for browsers are not well-formed XML (a label may hold <) and mean nothing in an image.
  const plain = svg
    .replace(/ (?:occurrenceIdx|topRuleName|dslRuleName|ruleName|tokenName|label)="[^"]*"/g, '')
    .replace(/<title>[\s\S]*?<\/title>\n/g, '');
  const opened = plain.replace(/^<svg/, '<svg xmlns="http://www.w3.org/2000/svg"');
  return `${opened.replace(/>\n?/, `>\n<style>${style}</style>\n<rect width="100%" height="100%" style="fill:#fff;stroke:none"/>\n`).trimEnd()}\n`;
}

/** The page with its generated part replaced. */
export function withGrammar(page: string, text: string): string {
  const images = grammarRules().map(({ name }) => `**${name}**\n\n![${name}](tile-ir/${name}.svg)`);
  const made = `\`\`\`ebnf\n${text}\n\`\`\`\n\n${images.join('\n\n')}`;
  return page.replace(
    /(<!-- grammar -->\n)[\s\S]*?(<!-- end -->)/,
    (_, open: string, close: string) => `${open}\n${made}\n\n${close}`,
  );
}
