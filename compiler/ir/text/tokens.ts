/** Words of textual Tile IR. Keywords are words too: a tensor may be called `load`. */
import { createToken, Lexer, type TokenType } from 'chevrotain';
import type { AtomicFn, BinaryFn, CompareFn, ReduceFn, UnaryFn } from '../nodes.ts';

export const unaryFns: readonly UnaryFn[] = [
  'neg',
  'abs',
  'exp',
  'exp2',
  'log',
  'log2',
  'sqrt',
  'rsqrt',
  'tanh',
  'erf',
  'sin',
  'cos',
  'floor',
  'ceil',
  'not',
];
export const binaryFns: readonly BinaryFn[] = [
  'add',
  'sub',
  'mul',
  'div',
  'rem',
  'min',
  'max',
  'and',
  'or',
  'xor',
  'shl',
  'shr',
];
export const compareFns: readonly CompareFn[] = ['lt', 'le', 'gt', 'ge', 'eq', 'ne'];
export const reduceFns: readonly ReduceFn[] = ['sum', 'max', 'min'];
export const atomicFns: readonly AtomicFn[] = ['add', 'max', 'min'];

export const Word = createToken({ name: 'Word', pattern: /[A-Za-z_$][\w$]*/, label: 'a name' });

const keywords: TokenType[] = [];
function keyword(name: string, text: string, categories: TokenType[] = []): TokenType {
  const token = createToken({
    name,
    pattern: new RegExp(text.replace(/[$]/g, '\\$&')),
    longer_alt: Word,
    categories: [Word, ...categories],
    label: `'${text}'`,
  });
  keywords.push(token);
  return token;
}
/** A class of mnemonics: one token type that the grammar names, one keyword per word. */
function mnemonics(name: string, label: string, words: readonly string[]): TokenType {
  const family = createToken({ name, pattern: Lexer.NA, label });
  // Longer words first: the lexer takes the first that matches.
  for (const word of [...words].sort((a, b) => b.length - a.length))
    keyword(`${name}_${word}`, word, [family]);
  return family;
}

export const UnaryName = mnemonics('UnaryName', 'a unary op', unaryFns);
export const BinaryName = mnemonics('BinaryName', 'a binary op', [...binaryFns, ...compareFns]);
export const ViewName = mnemonics('ViewName', 'cast, broadcast or reshape', ['cast', 'broadcast', 'reshape']);
export const ReduceName = mnemonics(
  'ReduceName',
  'a reduction',
  reduceFns.map((f) => `reduce_${f}`),
);
export const AtomicName = mnemonics(
  'AtomicName',
  'an atomic',
  atomicFns.map((f) => `atomic_${f}`),
);
export const AccessName = mnemonics('AccessName', 'input, output or inout', ['input', 'output', 'inout']);
export const ElementName = mnemonics('ElementName', 'an element type', [
  'f32',
  'f16',
  'bf16',
  'i32',
  'u32',
  'bool',
]);

const words = (...texts: string[]): TokenType[] => texts.map((text) => keyword(`Kw_${text}`, text));
export const [Kernel, Spec, Tile, Scalar, Strides, Files] = words(
  'kernel',
  'spec',
  'tile',
  'scalar',
  'strides',
  'files',
) as [TokenType, TokenType, TokenType, TokenType, TokenType, TokenType];
export const [For, Ragged, Rows, If, Else] = words('for', 'ragged', 'rows', 'if', 'else') as [
  TokenType,
  TokenType,
  TokenType,
  TokenType,
  TokenType,
];
export const [To, Step, Carry, Trips, Each, Predicated, Yield] = words(
  'to',
  'step',
  'carry',
  'trips',
  'each',
  'predicated',
  'yield',
) as [TokenType, TokenType, TokenType, TokenType, TokenType, TokenType, TokenType];
export const [Const, ProgramId, Iota, Select, Transpose, Dot, Load, Store] = words(
  'const',
  'program_id',
  'iota',
  'select',
  'transpose',
  'dot',
  'load',
  'store',
) as [TokenType, TokenType, TokenType, TokenType, TokenType, TokenType, TokenType, TokenType];
export const [Axis, Acc, Mask, Other, EvictFirst, True, False, Inf] = words(
  'axis',
  'acc',
  'mask',
  'other',
  'evict_first',
  'true',
  'false',
  'inf',
) as [TokenType, TokenType, TokenType, TokenType, TokenType, TokenType, TokenType, TokenType];

export const ValueName = createToken({ name: 'ValueName', pattern: /%[\w$]+/, label: 'a value such as %x' });

/**
 * A value at the start of a line, where an op's results stand. The grammar takes it only there, so that after an error
 * parsing resumes at the next op and not at the next operand.
 */
export const ResultName = createToken({
  name: 'ResultName',
  pattern: {
    exec(text: string, offset: number): RegExpExecArray | null {
      for (let i = offset - 1; i >= 0 && text[i] !== '\n'; i--)
        if (text[i] !== ' ' && text[i] !== '\t') return null;
      const name = /%[\w$]+/y;
      name.lastIndex = offset;
      return name.exec(text);
    },
  },
  start_chars_hint: ['%'],
  line_breaks: false,
  categories: [ValueName],
  label: 'an op',
});

export const TileType = createToken({
  name: 'TileType',
  pattern: /tile<[^>\n]*>/,
  label: 'a type such as tile<16x8xf32>',
});
export const Location = createToken({
  name: 'Location',
  pattern: /@(?:\?|\d+:\d+:\d+(?:<\d+:\d+:\d+)*)/,
  label: 'a location such as @0:12:5',
});
// The closing quote may be missing (elaborate.ts says so): to look for it again from every character is quadratic.
export const Text = createToken({ name: 'Text', pattern: /"(?:[^"\\\n]|\\.)*"?/, label: 'a string' });
export const NumberText = createToken({
  name: 'NumberText',
  pattern: /-inf\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/,
  label: 'a number',
});

const punctuation = (name: string, pattern: string): TokenType =>
  createToken({ name, pattern, label: `'${pattern}'` });
export const BraceOpen = punctuation('BraceOpen', '{');
export const BraceClose = punctuation('BraceClose', '}');
export const BracketOpen = punctuation('BracketOpen', '[');
export const BracketClose = punctuation('BracketClose', ']');
export const Equals = punctuation('Equals', '=');
export const Colon = punctuation('Colon', ':');
export const Comma = punctuation('Comma', ',');

const Space = createToken({ name: 'Space', pattern: /\s+/, group: Lexer.SKIPPED });
const Comment = createToken({ name: 'Comment', pattern: /\/\/[^\n]*/, group: Lexer.SKIPPED });

const families = [UnaryName, BinaryName, ViewName, ReduceName, AtomicName, AccessName, ElementName];
export const allTokens: TokenType[] = [
  Space,
  Comment,
  ResultName,
  ValueName,
  TileType,
  Location,
  Text,
  NumberText,
  // Longer keywords first: `input` before `in…`, `exp2` before `exp`.
  ...keywords.sort((a, b) => (b.LABEL?.length ?? 0) - (a.LABEL?.length ?? 0)),
  Word,
  BraceOpen,
  BraceClose,
  BracketOpen,
  BracketClose,
  Equals,
  Colon,
  Comma,
  ...families,
];

export const tileLexer = new Lexer(allTokens, { ensureOptimizations: true, positionTracking: 'full' });

/** Words that begin an op, for suggestions. */
export const opWords: readonly string[] = [
  ...unaryFns,
  ...binaryFns,
  ...compareFns,
  ...[
    'cast',
    'broadcast',
    'reshape',
    'const',
    'program_id',
    'iota',
    'select',
    'transpose',
    'dot',
    'load',
    'store',
  ],
  ...reduceFns.map((f) => `reduce_${f}`),
  ...atomicFns.map((f) => `atomic_${f}`),
  ...['for', 'ragged', 'rows', 'if', 'yield'],
];
