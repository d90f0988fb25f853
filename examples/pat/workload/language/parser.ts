/**
 * The grammar, with error recovery: a wrong statement is skipped or completed and the rest is still read.
 *
 *   file    := (setting | group | decode | leave | node | use)*
 *   setting := page INT | heads INT / INT | head-dim INT | dtype NAME | seed INT
 *   group   := group NAME block
 *   block   := { (node | use | stop)* }
 *   node    := NAME range [tokens] [in-place] [queries INT] [* INT] [block]
 *   use     := use NAME [* INT]        stop  := stop [* INT]
 *   decode  := decode INT              leave := leave NAME [* INT]
 *   range   := INT [.. INT]
 */
import {
  CstParser,
  EOF,
  type CstNode,
  type IParserErrorMessageProvider,
  type IToken,
  type TokenType,
} from 'chevrotain';
import * as t from './tokens.ts';

const found = (token: IToken): string =>
  token.tokenType === EOF ? 'the end of the file' : `'${token.image}'`;

const list = (labels: readonly string[]): string => {
  const unique = [...new Set(labels)];
  return unique.length < 2 ? unique.join('') : `${unique.slice(0, -1).join(', ')} or ${unique.at(-1)}`;
};

const label = (type: TokenType): string => type.LABEL ?? type.name;

const messages: IParserErrorMessageProvider = {
  buildMismatchTokenMessage: ({ expected, actual }) => `expected ${label(expected)}, found ${found(actual)}`,
  buildNotAllInputParsedMessage: ({ firstRedundant }) =>
    `expected a setting, a node, 'group', 'use', 'decode' or 'leave', found ${found(firstRedundant)}`,
  buildNoViableAltMessage: ({ expectedPathsPerAlt, actual }) =>
    `expected ${list(expectedPathsPerAlt.flat().map((path) => label(path[0]!)))}, found ${found(actual[0]!)}`,
  buildEarlyExitMessage: ({ expectedIterationPaths, actual }) =>
    `expected ${list(expectedIterationPaths.map((path) => label(path[0]!)))}, found ${found(actual[0]!)}`,
};

class WorkParser extends CstParser {
  constructor() {
    super(t.vocabulary, { recoveryEnabled: true, errorMessageProvider: messages });
    this.performSelfAnalysis();
  }

  readonly file = this.RULE('file', () => {
    this.MANY(() =>
      this.OR([
        { ALT: () => this.SUBRULE(this.setting) },
        { ALT: () => this.SUBRULE(this.group) },
        { ALT: () => this.SUBRULE(this.decode) },
        { ALT: () => this.SUBRULE(this.leave) },
        { ALT: () => this.SUBRULE(this.use) },
        { ALT: () => this.SUBRULE(this.node) },
      ]),
    );
  });

  readonly setting = this.RULE('setting', () => {
    this.OR([
      { ALT: () => (this.CONSUME(t.Page, { LABEL: 'name' }), this.CONSUME1(t.Integer, { LABEL: 'value' })) },
      {
        ALT: () => (this.CONSUME(t.HeadDim, { LABEL: 'name' }), this.CONSUME2(t.Integer, { LABEL: 'value' })),
      },
      { ALT: () => (this.CONSUME(t.Seed, { LABEL: 'name' }), this.CONSUME3(t.Integer, { LABEL: 'value' })) },
      { ALT: () => (this.CONSUME(t.Dtype, { LABEL: 'name' }), this.CONSUME(t.Name, { LABEL: 'value' })) },
      {
        ALT: () => {
          this.CONSUME(t.Heads, { LABEL: 'name' });
          this.CONSUME4(t.Integer, { LABEL: 'value' });
          this.CONSUME(t.Slash);
          this.CONSUME5(t.Integer, { LABEL: 'second' });
        },
      },
    ]);
  });

  readonly group = this.RULE('group', () => {
    this.CONSUME(t.Group);
    this.CONSUME(t.Name);
    this.SUBRULE(this.block);
  });

  readonly block = this.RULE('block', () => {
    this.CONSUME(t.LeftBrace);
    this.MANY(() =>
      this.OR([
        { ALT: () => this.SUBRULE(this.stop) },
        { ALT: () => this.SUBRULE(this.use) },
        { ALT: () => this.SUBRULE(this.node) },
      ]),
    );
    this.CONSUME(t.RightBrace);
  });

  readonly node = this.RULE('node', () => {
    this.CONSUME(t.Name);
    this.SUBRULE(this.range);
    this.OPTION1(() => this.CONSUME(t.Tokens));
    this.OPTION2(() => this.CONSUME(t.InPlace));
    this.OPTION3(() => {
      this.CONSUME(t.Queries);
      this.CONSUME(t.Integer);
    });
    this.OPTION4(() => this.SUBRULE(this.times));
    this.OPTION5(() => this.SUBRULE(this.block));
  });

  readonly range = this.RULE('range', () => {
    this.CONSUME1(t.Integer, { LABEL: 'from' });
    this.OPTION(() => {
      this.CONSUME(t.DotDot);
      this.CONSUME2(t.Integer, { LABEL: 'to' });
    });
  });

  readonly times = this.RULE('times', () => {
    this.CONSUME(t.Star);
    this.CONSUME(t.Integer);
  });

  readonly use = this.RULE('use', () => {
    this.CONSUME(t.Use);
    this.CONSUME(t.Name);
    this.OPTION(() => this.SUBRULE(this.times));
  });

  readonly stop = this.RULE('stop', () => {
    this.CONSUME(t.Stop);
    this.OPTION(() => this.SUBRULE(this.times));
  });

  readonly decode = this.RULE('decode', () => {
    this.CONSUME(t.Decode);
    this.CONSUME(t.Integer);
  });

  readonly leave = this.RULE('leave', () => {
    this.CONSUME(t.Leave);
    this.CONSUME(t.Name);
    this.OPTION(() => this.SUBRULE(this.times));
  });
}

export interface SyntaxError {
  readonly message: string;
  readonly token: IToken;
  /** Where the previous token ended, for errors at the end of the file. */
  readonly previous: IToken | undefined;
}

let parser: WorkParser | undefined;

export function parseTokens(tokens: IToken[]): { cst: CstNode; errors: SyntaxError[] } {
  parser ??= new WorkParser();
  parser.input = tokens;
  const cst = parser.file();
  const errors = parser.errors.map((e) => {
    const previous = (e as unknown as { previousToken?: IToken }).previousToken ?? tokens.at(-1);
    return { message: e.message, token: e.token, previous };
  });
  return { cst, errors };
}
