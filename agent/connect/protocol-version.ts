import type { RotaError } from '../../shared/errors/rota-error.ts'

/**
 * The next version to try with a coordinator that has refused the agent: the highest below `tried` that both speak;
 * undefined when there is none. One that does not say what it speaks is of the release before versions had names.
 */
export function lowerVersion(
  error: RotaError,
  tried: number,
  versions: readonly number[],
): number | undefined {
  if (error.reason !== 'AGENT_INCOMPATIBLE') return undefined
  const spoken = error.metadata['protocol_versions']?.split(',').map(Number) ?? [tried - 1]
  const both = versions.filter((version) => version < tried && spoken.includes(version))
  return both.length === 0 ? undefined : Math.max(...both)
}
