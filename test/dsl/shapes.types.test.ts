import { expect, it } from 'vitest';
import ts from 'typescript';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const file = `${root}test/dsl/shapes.types.ts`;

/** What tsc says about a text that stands in place of shapes.types.ts. */
function check(text?: string): string[] {
  const config = ts.readConfigFile(`${root}tsconfig.json`, ts.sys.readFile).config as {
    compilerOptions: object;
  };
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, root);
  const host = ts.createCompilerHost({ ...options, noEmit: true });
  const read = host.readFile.bind(host);
  const getSourceFile = host.getSourceFile.bind(host);
  host.getSourceFile = (name, version, ...rest) =>
    name === file && text !== undefined
      ? ts.createSourceFile(name, text, version)
      : getSourceFile(name, version, ...rest);
  host.readFile = (name) => (name === file && text !== undefined ? text : read(name));
  const program = ts.createProgram([file], { ...options, noEmit: true }, host);
  const source = program.getSourceFile(file)!;
  const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
  return found.map((d) => {
    const { line } = source.getLineAndCharacterOfPosition(d.start ?? 0);
    return `${line + 1}: ${ts.flattenDiagnosticMessageText(d.messageText, '\n')}`;
  });
}

it('underlines exactly the mistakes marked in shapes.types.ts', () => {
  expect(check()).toEqual([]);
});

it('says which extents differ', () => {
  const text = `import { kernel } from '../../dsl/index.ts';
kernel('k', {}, (k) => {
  const a = k.zeros([64, 128], 'f16');
  k.dot(a, k.zeros([64, 32], 'f16'));
  k.iota(64).add(k.iota(32));
  k.zeros([8]).add(k.iota(8));
});
`;
  expect(check(text)).toMatchInlineSnapshot(`
    [
      "4: Argument of type 'Tile<"f16", readonly [64, 32]>' is not assignable to parameter of type 'Shaped<"f16", readonly [128, 32]>'.
      Type at position 0 in source is not compatible with type at position 0 in target.
        The types of 'shape' are incompatible between these types.
          Type '64' is not assignable to type '128'.",
      "5: Argument of type 'Tile<"i32", readonly [32]>' is not assignable to parameter of type 'Operand<"i32", readonly [64]>'.
      Type 'Tile<"i32", readonly [32]>' is not assignable to type 'Shaped<"i32", readonly [64 | 1]>'.
        Types of property 'shape' are incompatible.
          Type 'readonly [32]' is not assignable to type 'readonly [64 | 1]'.
            Type '32' is not assignable to type '64 | 1'.",
      "6: Argument of type 'Tile<"i32", readonly [8]>' is not assignable to parameter of type 'Operand<"f32", readonly [8]>'.
      Type 'Tile<"i32", readonly [8]>' is not assignable to type 'Shaped<"f32", readonly [1 | 8]>'.
        Types of property 'element' are incompatible.
          Type '"i32"' is not assignable to type '"f32"'.",
    ]
  `);
});
