import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { findServer, isServerKnown } from '../../../cli/context.ts'
import { writeCliContext } from '../../../shared/cli-context.ts'
import { coordinatorFiles } from '../../../shared/data-dir.ts'

const NOTHING = { address: undefined, caFile: undefined, tokenFile: undefined, dataDir: undefined }

let dataDir: string
const path = (name: string) => join(dataDir, name)

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'rota-context-'))
  writeFileSync(path('ca.crt'), 'ca of the context')
  writeFileSync(path('token'), 'token-of-the-context\n')
  writeFileSync(path('other-ca.crt'), 'other ca')
  writeFileSync(path('other-token'), 'other-token')
})
afterEach(() => rmSync(dataDir, { recursive: true }))

function leaveContext(pid = process.pid): void {
  writeCliContext(coordinatorFiles(dataDir).context, {
    address: '127.0.0.1:7420',
    caFile: path('ca.crt'),
    tokenFile: path('token'),
    pid,
  })
}

describe('finding the coordinator', () => {
  it('takes what a coordinator left in the data folder', () => {
    leaveContext()
    const server = findServer({ env: { ROTA_DATA_DIR: dataDir } }, NOTHING)
    expect(server).toMatchObject({ address: '127.0.0.1:7420', token: 'token-of-the-context' })
    expect(server.ca.toString()).toBe('ca of the context')
    expect(server.unreachableHint).toContain(`Process ${process.pid}`)
  })

  it('prefers --data-dir to ROTA_DATA_DIR', () => {
    leaveContext()
    const env = { ROTA_DATA_DIR: '/nonexistent' }
    expect(findServer({ env }, { ...NOTHING, dataDir }).address).toBe('127.0.0.1:7420')
    expect(isServerKnown({ env }, { ...NOTHING, dataDir })).toBe(true)
    expect(isServerKnown({ env }, NOTHING)).toBe(false)
  })

  it('prefers options to environment and environment to the context', () => {
    leaveContext()
    const env = {
      ROTA_DATA_DIR: dataDir,
      ROTA_ADDRESS: 'from.env:1',
      ROTA_CA_FILE: path('other-ca.crt'),
      ROTA_TOKEN_FILE: path('other-token'),
    }
    expect(findServer({ env }, NOTHING)).toMatchObject({
      address: 'from.env:1',
      token: 'other-token',
    })
    const options = { ...NOTHING, address: 'from.option:2', tokenFile: path('token') }
    expect(findServer({ env }, options)).toMatchObject({
      address: 'from.option:2',
      token: 'token-of-the-context',
    })
  })

  it('treats an empty variable as not given', () => {
    leaveContext()
    const env = { ROTA_DATA_DIR: dataDir, ROTA_ADDRESS: '', ROTA_CA_FILE: '', ROTA_TOKEN_FILE: '' }
    expect(findServer({ env }, NOTHING).address).toBe('127.0.0.1:7420')
  })

  it('never sends the token of the context to a server of another CA', () => {
    leaveContext()
    const options = { ...NOTHING, address: 'elsewhere:7420', caFile: path('other-ca.crt') }
    expect(() => findServer({ env: { ROTA_DATA_DIR: dataDir } }, options)).toThrow(
      '--token-file: is missing',
    )
  })

  it.each([
    ['scheduler.example', 'scheduler.example:7420'],
    ['[::1]', '[::1]:7420'],
    ['[::1]:99', '[::1]:99'],
  ])('reads the address %s', (address, expected) => {
    leaveContext()
    const options = { ...NOTHING, address, dataDir }
    expect(findServer({ env: {} }, options).address).toBe(expected)
  })

  it.each(['https://scheduler.example', 'host:port', 'a b', ':7420'])(
    'refuses %j as an address',
    (address) => {
      leaveContext()
      expect(() => findServer({ env: {} }, { ...NOTHING, address, dataDir })).toThrow('--address')
    },
  )

  it('says that nothing is known, and what to do', () => {
    expect(() => findServer({ env: { ROTA_DATA_DIR: dataDir } }, NOTHING)).toThrow(
      expect.objectContaining({
        reason: 'UNREACHABLE',
        hint: expect.stringContaining('npm start'),
      }),
    )
  })

  it('says which setting is missing beside an address', () => {
    const env = { ROTA_DATA_DIR: dataDir }
    expect(() => findServer({ env }, { ...NOTHING, address: 'a:1' })).toThrow('--ca-file')
  })

  it('says that the coordinator of the context has ended', () => {
    leaveContext(2 ** 22 + 1)
    const server = findServer({ env: { ROTA_DATA_DIR: dataDir } }, NOTHING)
    expect(server.unreachableHint).toContain('has ended')
  })

  it('passes over a damaged context', () => {
    writeFileSync(coordinatorFiles(dataDir).context, '{"address":')
    expect(isServerKnown({ env: { ROTA_DATA_DIR: dataDir } }, NOTHING)).toBe(false)
  })

  it('refuses a file that cannot be a token', () => {
    leaveContext()
    writeFileSync(path('token'), 'two\nlines')
    const env = { ROTA_DATA_DIR: dataDir }
    expect(() => findServer({ env }, NOTHING)).toThrow('holds no token')
    rmSync(path('token'))
    expect(() => findServer({ env }, NOTHING)).toThrow('cannot be read (ENOENT)')
  })

  it.skipIf(process.getuid?.() === 0)('tells whose a file is that may not be read', () => {
    leaveContext()
    chmodSync(path('token'), 0)
    expect(() => findServer({ env: { ROTA_DATA_DIR: dataDir } }, NOTHING)).toThrow(
      expect.objectContaining({ hint: expect.stringContaining('Run rota as that user') }),
    )
  })
})
