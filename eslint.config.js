import tseslint from 'typescript-eslint';

// Imports go one way: examples -> dsl -> compiler/ir; passes, lower -> ir, thread; backends -> thread (cpu also -> ir).
// Only cli and tune know both compiler and backends. A folder lists the rooms it must not import from.
const layers = {
  dsl: ['passes', 'lower', 'thread', 'tune', 'cli', 'backends', 'examples'],
  'compiler/ir': ['passes', 'lower', 'thread', 'tune', 'cli', 'backends', 'dsl', 'examples'],
  'compiler/passes': ['lower', 'thread', 'tune', 'cli', 'backends', 'dsl', 'examples'],
  'compiler/thread': ['passes', 'lower', 'tune', 'cli', 'backends', 'dsl', 'examples'],
  'compiler/lower': ['tune', 'cli', 'backends', 'dsl', 'examples'],
  'compiler/diagnostics': ['passes', 'lower', 'tune', 'cli', 'backends', 'dsl', 'examples'],
  backends: ['passes', 'lower', 'tune', 'cli', 'dsl', 'examples'],
  'backends/cuda': ['passes', 'lower', 'tune', 'cli', 'dsl', 'examples', 'wgsl', 'cpu'],
  'backends/wgsl': ['passes', 'lower', 'tune', 'cli', 'dsl', 'examples', 'cuda', 'cpu'],
};

const directions = Object.entries(layers).map(([folder, rooms]) => ({
  files: [`${folder}/**/*.ts`],
  rules: {
    'no-restricted-imports': [
      'error',
      {
        patterns: [
          {
            regex: `^(\\.\\./)+(compiler/|backends/)?(${rooms.join('|')})/`,
            message: `${folder} must not import from there (see eslint.config.js)`,
          },
        ],
      },
    ],
  },
}));

export default tseslint.config(
  { ignores: ['dist/', 'out/', '.gpu/', 'node_modules/', 'coverage/'] },
  ...tseslint.configs.recommended,
  {
    files: ['**/*.ts'],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      'max-lines': ['error', { max: 600 }],
    },
  },
  ...directions,
);
