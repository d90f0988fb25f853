import tseslint from 'typescript-eslint';
import importX from 'eslint-plugin-import-x';

// Imports go one way: examples -> dsl -> compiler/ir; passes, lower -> ir, thread; backends -> thread (cpu also -> ir).
// Only cli and tune know both compiler and backends.
const layer = (target, from, except = []) => ({ target, from, ...(except.length ? { except } : {}) });
const zones = [
  layer('./dsl', './compiler', ['./ir', './diagnostics', './program.ts', './target.ts']),
  layer('./dsl', './backends'),
  layer('./dsl', './examples'),
  layer('./compiler/ir', './compiler', ['./ir', './diagnostics']),
  layer('./compiler/ir', './dsl'),
  layer('./compiler/ir', './backends'),
  layer('./compiler/passes', './compiler', ['./passes', './ir', './diagnostics', './target.ts']),
  layer('./compiler/passes', './backends'),
  layer('./compiler/passes', './dsl'),
  layer('./compiler/lower', './compiler', [
    './lower',
    './ir',
    './thread',
    './passes',
    './diagnostics',
    './target.ts',
  ]),
  layer('./compiler/lower', './backends'),
  layer('./compiler/lower', './dsl'),
  layer('./compiler/thread', './compiler', ['./thread', './diagnostics', './target.ts', './backend.ts', './ir']),
  layer('./compiler/thread', './backends'),
  layer('./compiler', './examples', ['./registry.ts']),
  layer('./backends', './examples'),
  layer('./backends', './dsl'),
  layer('./backends', './compiler/passes'),
  layer('./backends', './compiler/lower'),
  layer('./backends/cuda', './compiler/ir', ['./span.ts', './numeric.ts']),
  layer('./backends/wgsl', './compiler/ir', ['./span.ts', './numeric.ts']),
];

export default tseslint.config(
  { ignores: ['dist/', 'out/', '.gpu/', 'node_modules/', 'coverage/'] },
  ...tseslint.configs.recommended,
  {
    files: ['**/*.ts'],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    plugins: { 'import-x': importX },
    rules: {
      'import-x/no-restricted-paths': ['error', { zones }],
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      'max-lines': ['error', { max: 600 }],
    },
  },
);
