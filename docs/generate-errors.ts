/** Makes docs/errors.md from the catalogue: `npm run docs:errors`. A test fails when the page is not current. */
import { writeFileSync } from 'node:fs'
import { CATALOGUE, ERROR_CODES, type ErrorReason } from '../shared/errors/catalogue.ts'

const PAGE = new URL('errors.md', import.meta.url)

const INTRODUCTION = `# Errors and reasons

<!-- Made by \`npm run docs:errors\` from shared/errors/catalogue.ts; change it there. -->

Every error says what happened, why, and what to do. Its **reason** stands in \`google.rpc.ErrorInfo\` (domain
\`rota.dev\`), in the CLI behind the message in brackets, and in \`reason.code\` of an execution. A reason never changes
its meaning; the text of a message may. Fields that are wrong are listed one by one in \`google.rpc.BadRequest\` with
their path, e.g. \`job.spec.schedule.recurrences[0].cron\`. Errors that are not expected leave as INTERNAL with a request
id; the coordinator's log has the cause under that id.
`

/** The whole page. */
export function renderErrors(): string {
  const sections = Object.entries(CATALOGUE).map(([reason, { code, title, hint }]) => {
    const { grpc, http } = ERROR_CODES[code]
    return `## ${reason as ErrorReason}\n\n${title}\n\n**What to do:** ${hint}\n\ngRPC ${code} (${grpc}), HTTP ${http}\n`
  })
  return [INTRODUCTION, ...sections].join('\n')
}

if (import.meta.main) writeFileSync(PAGE, renderErrors())
