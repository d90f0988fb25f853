/**
 * The grammar of textual Tile IR (chevrotain, LL(2)). It recovers at the next op, so one run reports several errors.
 * docs/tile-ir.md has it as diagrams.
 */
import {
  EmbeddedActionsParser,
  type IParserErrorMessageProvider,
  type IToken,
  type TokenType,
} from 'chevrotain';
import type {
  BlockSyntax,
  CarrySyntax,
  FlatSyntax,
  IfSyntax,
  KernelSyntax,
  LoopSyntax,
  NumberSyntax,
  OpSyntax,
  ParamSyntax,
} from './syntax.ts';
import * as t from './tokens.ts';

const label = (type: TokenType): string => type.LABEL ?? type.name;
const found = (token: IToken | undefined): string =>
  token && token.tokenType.name !== 'EOF' ? `\`${token.image}\`` : 'the end of the file';

const messages: IParserErrorMessageProvider = {
  buildMismatchTokenMessage: ({ expected, actual }) => `expected ${label(expected)}, found ${found(actual)}`,
  buildNotAllInputParsedMessage: ({ firstRedundant }) => `${found(firstRedundant)} does not belong here`,
  buildNoViableAltMessage: ({ expectedPathsPerAlt, actual }) => {
    const firsts = new Set(expectedPathsPerAlt.flat().map(([type]) => label(type!)));
    // A long list is the list of ops: naming them all helps nobody.
    const expected = firsts.size > 8 ? 'an op' : [...firsts].join(', ');
    return `expected ${expected}, found ${found(actual[0])}`;
  },
  buildEarlyExitMessage: ({ expectedIterationPaths, actual }) =>
    `expected ${label(expectedIterationPaths[0]![0]!)}, found ${found(actual[0])}`,
};

const flat = (
  word: IToken,
  operands: readonly IToken[],
  numbers: readonly IToken[],
  rest: Partial<FlatSyntax> = {},
): FlatSyntax => ({ kind: 'flat', word, operands, numbers, ...rest });

class TileParser extends EmbeddedActionsParser {
  constructor() {
    super(t.allTokens, { recoveryEnabled: true, maxLookahead: 2, errorMessageProvider: messages });
    this.performSelfAnalysis();
  }

  kernelFile = this.RULE('kernelFile', (): KernelSyntax => {
    this.CONSUME(t.Kernel);
    const name = this.CONSUME(t.Word);
    const at = this.SUBRULE(this.location);
    this.CONSUME(t.BraceOpen);
    const spec = this.OPTION1(() => {
      this.CONSUME(t.Spec);
      return this.SUBRULE1(this.numbers);
    });
    const tile = this.OPTION2(() => {
      this.CONSUME(t.Tile);
      return this.SUBRULE2(this.numbers);
    });
    const params: ParamSyntax[] = [];
    this.MANY1(() => params.push(this.SUBRULE(this.param)));
    const block = this.SUBRULE(this.block);
    this.CONSUME(t.BraceClose);
    const files: NumberSyntax[] = [];
    this.OPTION3(() => {
      this.CONSUME(t.Files);
      this.CONSUME2(t.BraceOpen);
      this.MANY2(() => {
        const key = this.CONSUME(t.NumberText);
        this.CONSUME(t.Equals);
        const value = this.CONSUME(t.Text);
        files.push({ key, value });
      });
      this.CONSUME2(t.BraceClose);
    });
    return { name, at, spec: spec ?? [], tile: tile ?? [], params, block, files };
  });

  private numbers = this.RULE('numbers', (): NumberSyntax[] => {
    const entries: NumberSyntax[] = [];
    this.AT_LEAST_ONE_SEP({
      SEP: t.Comma,
      DEF: () => {
        const key = this.CONSUME(t.Word);
        this.CONSUME(t.Equals);
        const value = this.OR([
          { ALT: () => this.CONSUME(t.Text) },
          { ALT: () => this.CONSUME(t.NumberText) },
        ]);
        entries.push({ key, value });
      },
    });
    return entries;
  });

  private param = this.RULE('param', (): ParamSyntax =>
    this.OR([
      {
        ALT: () => {
          const start = this.CONSUME(t.Scalar);
          const name = this.CONSUME1(t.Word);
          this.CONSUME1(t.Colon);
          const type = this.CONSUME1(t.ElementName);
          const at = this.SUBRULE1(this.location);
          return { kind: 'scalar' as const, name, type, at, start };
        },
      },
      {
        ALT: () => {
          const access = this.CONSUME(t.AccessName);
          const name = this.CONSUME2(t.Word);
          this.CONSUME2(t.Colon);
          const element = this.CONSUME2(t.ElementName);
          const dims = this.SUBRULE1(this.dims);
          const strides = this.OPTION(() => {
            this.CONSUME(t.Strides);
            return this.SUBRULE2(this.dims);
          });
          const at = this.SUBRULE2(this.location);
          return { kind: 'tensor' as const, access, name, element, dims, strides, at, start: access };
        },
      },
    ]),
  );

  private dims = this.RULE('dims', (): IToken[] => {
    const dims: IToken[] = [];
    this.CONSUME(t.BracketOpen);
    this.AT_LEAST_ONE_SEP({
      SEP: t.Comma,
      DEF: () =>
        dims.push(this.OR([{ ALT: () => this.CONSUME(t.NumberText) }, { ALT: () => this.CONSUME(t.Word) }])),
    });
    this.CONSUME(t.BracketClose);
    return dims;
  });

  private block = this.RULE('block', (): BlockSyntax => {
    const ops: OpSyntax[] = [];
    this.MANY(() => ops.push(this.SUBRULE(this.statement)));
    const yields = this.OPTION(() => {
      this.CONSUME(t.Yield);
      return this.SUBRULE(this.values);
    });
    return { ops, yields: yields ?? [] };
  });

  private statement = this.RULE('statement', (): OpSyntax =>
    this.OR([
      { ALT: () => this.SUBRULE(this.definition) },
      { ALT: () => this.SUBRULE(this.write) },
      { ALT: () => ({ results: [], ...this.SUBRULE(this.region) }) },
    ]),
  );

  private definition = this.RULE('definition', (): OpSyntax => {
    const results = [this.CONSUME(t.ResultName)];
    this.MANY(() => {
      this.CONSUME(t.Comma);
      results.push(this.CONSUME(t.ValueName));
    });
    this.CONSUME(t.Equals);
    return this.OR([
      {
        ALT: () => {
          const flat = this.SUBRULE(this.flat);
          this.CONSUME(t.Colon);
          const type = this.SUBRULE(this.type);
          const at = this.SUBRULE(this.location);
          return { results, body: { ...flat, type }, at };
        },
      },
      { ALT: () => ({ results, ...this.SUBRULE(this.region) }) },
    ]);
  });

  private flat = this.RULE('flat', (): FlatSyntax =>
    this.OR([
      {
        ALT: () => {
          const word = this.CONSUME(t.Const);
          const value = this.OR2([
            { ALT: () => this.CONSUME1(t.NumberText) },
            { ALT: () => this.CONSUME(t.Inf) },
            { ALT: () => this.CONSUME(t.True) },
            { ALT: () => this.CONSUME(t.False) },
          ]);
          return flat(word, [], [value]);
        },
      },
      {
        ALT: () => {
          const word = this.CONSUME(t.ProgramId);
          const axis = this.CONSUME2(t.NumberText);
          return flat(word, [], [axis]);
        },
      },
      { ALT: () => flat(this.CONSUME(t.Iota), [], []) },
      {
        ALT: () => {
          const word = this.OR3([
            { ALT: () => this.CONSUME(t.UnaryName) },
            { ALT: () => this.CONSUME(t.ViewName) },
          ]);
          return flat(word, [this.CONSUME1(t.ValueName)], []);
        },
      },
      {
        ALT: () => {
          const word = this.OR4([
            { ALT: () => this.CONSUME(t.BinaryName) },
            { ALT: () => this.CONSUME(t.Select) },
          ]);
          return flat(word, this.SUBRULE1(this.values), []);
        },
      },
      {
        ALT: () => {
          const word = this.CONSUME(t.Transpose);
          const operand = this.CONSUME2(t.ValueName);
          return flat(word, [operand], this.SUBRULE(this.dims));
        },
      },
      {
        ALT: () => {
          const word = this.CONSUME(t.ReduceName);
          const operand = this.CONSUME3(t.ValueName);
          this.CONSUME(t.Axis);
          return flat(word, [operand], [this.CONSUME3(t.NumberText)]);
        },
      },
      {
        ALT: () => {
          const word = this.CONSUME(t.Dot);
          const operands = this.SUBRULE2(this.values);
          const acc = this.OPTION1(() => {
            this.CONSUME(t.Acc);
            return this.CONSUME4(t.ValueName);
          });
          return flat(word, operands, [], { acc });
        },
      },
      {
        ALT: () => {
          const word = this.CONSUME(t.Load);
          const tensor = this.CONSUME(t.Word);
          const indices = this.SUBRULE(this.indices);
          const mask = this.SUBRULE(this.mask);
          const other = this.OPTION2(() => {
            this.CONSUME(t.Other);
            return this.CONSUME5(t.ValueName);
          });
          const evictFirst = this.OPTION3(() => {
            this.CONSUME(t.EvictFirst);
            return this.CONSUME6(t.ValueName);
          });
          return flat(word, [], [], { tensor, indices, mask, other, evictFirst });
        },
      },
    ]),
  );

  private write = this.RULE('write', (): OpSyntax => {
    const word = this.OR([{ ALT: () => this.CONSUME(t.Store) }, { ALT: () => this.CONSUME(t.AtomicName) }]);
    const tensor = this.CONSUME(t.Word);
    const indices = this.SUBRULE(this.indices);
    this.CONSUME(t.Equals);
    const value = this.CONSUME(t.ValueName);
    const mask = this.SUBRULE(this.mask);
    const at = this.SUBRULE(this.location);
    return {
      results: [],
      body: flat(word, [value], [], { tensor, indices, mask }),
      at,
    };
  });

  private region = this.RULE('region', (): Omit<OpSyntax, 'results'> =>
    this.OR([
      { ALT: () => this.SUBRULE(this.forLoop) },
      { ALT: () => this.SUBRULE(this.raggedLoop) },
      { ALT: () => this.SUBRULE(this.rowRegion) },
      { ALT: () => this.SUBRULE(this.branch) },
    ]),
  );

  private forLoop = this.RULE('forLoop', () => {
    const word = this.CONSUME(t.For);
    const variable = this.CONSUME1(t.ValueName);
    this.CONSUME(t.Equals);
    const lo = this.CONSUME2(t.ValueName);
    this.CONSUME(t.To);
    const hi = this.CONSUME3(t.ValueName);
    this.CONSUME(t.Step);
    const step = this.CONSUME(t.NumberText);
    const carry = this.SUBRULE(this.carry);
    const at = this.SUBRULE(this.location);
    const body = this.SUBRULE(this.braced);
    return {
      body: { kind: 'for', word, variable, lo, hi, step, carry, body } satisfies LoopSyntax,
      at,
    };
  });

  private raggedLoop = this.RULE('raggedLoop', () => {
    const word = this.CONSUME(t.Ragged);
    const variable = this.CONSUME1(t.ValueName);
    this.CONSUME(t.Equals);
    const lo = this.CONSUME2(t.ValueName);
    this.CONSUME(t.To);
    const hi = this.CONSUME3(t.ValueName);
    const step = this.OPTION(() => {
      this.CONSUME(t.Step);
      return this.CONSUME(t.NumberText);
    });
    this.CONSUME(t.Trips);
    const at = this.SUBRULE(this.location);
    const trips = this.SUBRULE1(this.braced);
    this.CONSUME(t.Each);
    const each = this.SUBRULE(this.values);
    const carry = this.SUBRULE(this.carry);
    const body = this.SUBRULE2(this.braced);
    return {
      body: {
        kind: 'ragged',
        word,
        variable,
        lo: lo!,
        hi: hi!,
        step,
        trips,
        each,
        carry,
        body,
      } satisfies LoopSyntax,
      at,
    };
  });

  private rowRegion = this.RULE('rowRegion', () => {
    const word = this.CONSUME(t.Rows);
    const lo = this.CONSUME1(t.ValueName);
    this.CONSUME(t.To);
    const hi = this.CONSUME2(t.ValueName);
    const mask = this.SUBRULE(this.mask);
    const predicated = this.OPTION(() => this.CONSUME(t.Predicated));
    const carry = this.SUBRULE(this.carry);
    const at = this.SUBRULE(this.location);
    const body = this.SUBRULE(this.braced);
    return {
      body: { kind: 'rows', word, lo, hi, mask, predicated, carry, body } satisfies LoopSyntax,
      at,
    };
  });

  private branch = this.RULE('branch', () => {
    const word = this.CONSUME(t.If);
    const cond = this.CONSUME(t.ValueName);
    const at = this.SUBRULE(this.location);
    const then = this.SUBRULE1(this.braced);
    const otherwise = this.OPTION(() => {
      this.CONSUME(t.Else);
      return this.SUBRULE2(this.braced);
    });
    return { body: { kind: 'if', word, cond, then, else: otherwise } satisfies IfSyntax, at };
  });

  private carry = this.RULE('carry', (): CarrySyntax[] => {
    const carried: CarrySyntax[] = [];
    this.OPTION(() => {
      this.CONSUME(t.Carry);
      this.AT_LEAST_ONE_SEP({
        SEP: t.Comma,
        DEF: () => {
          const param = this.CONSUME1(t.ValueName);
          this.CONSUME(t.Equals);
          const init = this.CONSUME2(t.ValueName);
          this.CONSUME(t.Colon);
          carried.push({ param, init, type: this.SUBRULE(this.type) });
        },
      });
    });
    return carried;
  });

  private braced = this.RULE('braced', (): BlockSyntax => {
    this.CONSUME(t.BraceOpen);
    const block = this.SUBRULE(this.block);
    this.CONSUME(t.BraceClose);
    return block;
  });

  private indices = this.RULE('indices', (): IToken[] => {
    this.CONSUME(t.BracketOpen);
    const values = this.SUBRULE(this.values);
    this.CONSUME(t.BracketClose);
    return values;
  });

  private values = this.RULE('values', (): IToken[] => {
    const values: IToken[] = [];
    this.AT_LEAST_ONE_SEP({ SEP: t.Comma, DEF: () => values.push(this.CONSUME(t.ValueName)) });
    return values;
  });

  private mask = this.RULE('mask', (): IToken | undefined =>
    this.OPTION(() => {
      this.CONSUME(t.Mask);
      return this.CONSUME(t.ValueName);
    }),
  );

  private type = this.RULE('type', (): IToken =>
    this.OR([{ ALT: () => this.CONSUME(t.TileType) }, { ALT: () => this.CONSUME(t.ElementName) }]),
  );

  private location = this.RULE('location', (): IToken | undefined =>
    this.OPTION(() => this.CONSUME(t.Location)),
  );
}

let shared: TileParser | undefined;

/** The one parser, made on first use: its analysis of the grammar takes some milliseconds. */
export const tileParser = (): TileParser => (shared ??= new TileParser());
