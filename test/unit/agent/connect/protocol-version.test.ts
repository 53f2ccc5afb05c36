import { expect, test } from 'vitest'
import { lowerVersion } from '../../../../agent/connect/protocol-version.ts'
import { RotaError } from '../../../../shared/errors/rota-error.ts'

function refusal(spoken?: string): RotaError {
  const metadata: Record<string, string> = spoken === undefined ? {} : { protocol_versions: spoken }
  return new RotaError('AGENT_INCOMPATIBLE', 'no', { metadata })
}

test.each([
  ['1,2', 3, [3, 2, 1], 2],
  ['1', 3, [3, 2, 1], 1],
  ['1', 2, [2, 1], 1],
  ['3,4', 2, [2, 1], undefined],
  ['', 2, [2, 1], undefined],
  ['nonsense', 2, [2, 1], undefined],
  [undefined, 2, [2, 1], 1],
  [undefined, 1, [2, 1], undefined],
])('a coordinator that speaks %j and refused %d leads to', (spoken, tried, versions, lower) => {
  expect(lowerVersion(refusal(spoken), tried, versions)).toBe(lower)
})

test('any other refusal has nothing to do with versions', () => {
  expect(lowerVersion(new RotaError('CERTIFICATE_INVALID', 'no'), 2, [2, 1])).toBeUndefined()
})
