import { type Parameter, Parameter_Kind } from '../../proto/gen/rota/v1/job.ts'

/** The default of each parameter that has one, as its kind. Validation has made sure that they fit. */
export function defaultParameters(parameters: readonly Parameter[]): Record<string, unknown> {
  return Object.fromEntries(
    parameters
      .filter((parameter) => parameter.default !== '')
      .map((parameter) => [parameter.name, parseDefault(parameter)]),
  )
}

function parseDefault({ kind, default: text }: Parameter): unknown {
  switch (kind) {
    case Parameter_Kind.INTEGER:
      return Number(text)
    case Parameter_Kind.BOOLEAN:
      return text === 'true'
    case Parameter_Kind.JSON:
      return JSON.parse(text)
    default:
      return text
  }
}
