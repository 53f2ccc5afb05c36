// Typed rules only; format and syntactic lint are Biome's.
import tseslint from 'typescript-eslint'

/** Ambient inputs that only the files below may read; everything else is given a clock, ids, a logger and a config. */
const ambient = [
  [
    "CallExpression[callee.object.name='Date'][callee.property.name='now']",
    'Take the time from Clock.',
  ],
  ["NewExpression[callee.name='Date'][arguments.length=0]", 'Take the time from Clock.'],
  [
    "CallExpression[callee.object.name='Math'][callee.property.name='random']",
    'Take it from Random.',
  ],
  ['CallExpression[callee.name=/^set(Timeout|Interval)$/]', 'Use Clock.after or a Ticker.'],
  [
    "MemberExpression[object.name='process'][property.name='env']",
    'Read it in a config.ts or main.ts.',
  ],
].map(([selector, message]) => ({ selector, message }))

export default tseslint.config(
  { ignores: ['proto/gen/**', 'node_modules/**', '*.js', '*.cjs'] },
  {
    files: ['**/*.ts'],
    languageOptions: {
      parser: tseslint.parser,
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    plugins: { '@typescript-eslint': tseslint.plugin },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/return-await': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/only-throw-error': 'error',
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-unnecessary-type-assertion': 'error',
      'no-restricted-syntax': ['error', ...ambient],
    },
  },
  {
    // Where the ambient world enters.
    files: [
      'shared/clock.ts',
      'shared/random.ts',
      '**/main.ts',
      '**/config.ts',
      'test/**',
      'vitest.config.ts',
    ],
    rules: { 'no-restricted-syntax': 'off' },
  },
)
