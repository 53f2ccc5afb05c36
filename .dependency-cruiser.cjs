/** The import law of docs/architecture.md. */
const steps = 'schedule|enqueue|match|dispatch|report|settle|workflow|workers|cluster|retention'
const io = '^(node:)?(fs|net|child_process|http|https|tls|http2)|node_modules/(pg|kysely|@grpc)/'

module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      comment: 'A cycle has no first file to read.',
      severity: 'error',
      from: { pathNot: '^proto/gen' },
      to: { circular: true, viaOnly: { pathNot: 'node_modules' } },
    },
    {
      name: 'agent-knows-no-coordinator',
      severity: 'error',
      from: { path: '^agent/' },
      to: { path: '^(coordinator|cli)/' },
    },
    {
      name: 'coordinator-knows-no-agent',
      severity: 'error',
      from: { path: '^coordinator/' },
      to: { path: '^(agent|cli)/' },
    },
    {
      name: 'cli-knows-only-the-api',
      comment: 'It starts the processes of a cluster by their main.ts, it does not import them.',
      severity: 'error',
      from: { path: '^cli/' },
      to: { path: '^(coordinator|agent)/' },
    },
    {
      name: 'shared-knows-nobody',
      severity: 'error',
      from: { path: '^shared/' },
      to: { path: '^(coordinator|agent|cli|test)/' },
    },
    {
      name: 'product-knows-no-test',
      severity: 'error',
      from: { path: '^(coordinator|agent|cli|shared)/' },
      to: { path: '^test/' },
    },
    {
      name: 'steps-hand-over-through-rows',
      comment: 'A step never imports its sibling; compose.ts introduces them to each other.',
      severity: 'error',
      from: { path: `^coordinator/(${steps})/` },
      to: { path: `^coordinator/(${steps})/`, pathNot: '^coordinator/$1/' },
    },
    {
      name: 'steps-know-no-edge',
      severity: 'error',
      from: { path: `^coordinator/(${steps}|job|store)/` },
      to: { path: '^coordinator/(rpc|gateway|compose|main)' },
    },
    {
      name: 'sql-stays-in-queries',
      severity: 'error',
      from: { path: '^coordinator/', pathNot: '(-queries\\.ts$|^coordinator/store/)' },
      to: { path: 'node_modules/(kysely|pg)/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'pure-files-do-no-io',
      severity: 'error',
      from: { path: '^(coordinator/job|shared/schedule)/' },
      to: { path: io },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^proto/gen' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default'],
    },
  },
}
