/** Words of the workload language. Newlines mean nothing; `#` starts a comment. */
import { createToken, Lexer, type ITokenConfig, type TokenType } from 'chevrotain';

export const Name = createToken({ name: 'Name', label: 'a name', pattern: /[A-Za-z_][\w-]*/ });
const word = (text: string, more: Partial<ITokenConfig> = {}): TokenType =>
  createToken({ name: `Word-${text}`, label: `'${text}'`, pattern: text, longer_alt: Name, ...more });
const mark = (name: string, text: string): TokenType =>
  createToken({ name, label: `'${text}'`, pattern: text });

export const Page = word('page');
export const Heads = word('heads');
export const HeadDim = word('head-dim');
export const Dtype = word('dtype');
export const Seed = word('seed');
export const Group = word('group');
export const Use = word('use');
export const Decode = word('decode');
export const Leave = word('leave');
export const Stop = word('stop');
export const Tokens = word('tokens');
export const Queries = word('queries');
export const InPlace = word('in-place');
export const Integer = createToken({ name: 'Integer', label: 'a number', pattern: /\d+/ });
export const DotDot = mark('DotDot', '..');
export const Star = mark('Star', '*');
export const Slash = mark('Slash', '/');
export const LeftBrace = mark('LeftBrace', '{');
export const RightBrace = mark('RightBrace', '}');
export const Comment = createToken({ name: 'Comment', pattern: /#[^\n]*/, group: 'comments' });
const Space = createToken({ name: 'Space', pattern: /\s+/, group: Lexer.SKIPPED });

export const keywords = [
  Page,
  Heads,
  HeadDim,
  Dtype,
  Seed,
  Group,
  Use,
  Decode,
  Leave,
  Stop,
  Tokens,
  Queries,
  InPlace,
];

// Longer words first: `head-dim` before a name.
export const vocabulary: TokenType[] = [
  Space,
  Comment,
  ...[HeadDim, Heads, Page, Dtype, Seed, Group, Use, Decode, Leave, Stop, Tokens, Queries, InPlace],
  Name,
  Integer,
  DotDot,
  Star,
  Slash,
  LeftBrace,
  RightBrace,
];

export const workLexer = new Lexer(vocabulary);
