import { expect, it } from 'vitest'
import { chooseSocketFolder } from '../../../../../coordinator/store/embedded/place.ts'

const folderOf = (bytes: number) => `/${'d'.repeat(bytes - 1)}`

it('puts the socket beside the data as long as its path fits', () => {
  // `/run/.s.PGSQL.5432` are 18 bytes more.
  expect(chooseSocketFolder(folderOf(85))).toBe(`${folderOf(85)}/run`)
  expect(chooseSocketFolder(folderOf(86))).toMatch(/^\/tmp\/rota-[0-9a-f]{16}$/)
})

it('counts bytes, not letters', () => {
  expect(chooseSocketFolder(`/${'ü'.repeat(43)}`)).toMatch(/^\/tmp\//)
})

it('finds the same folder again, and another one for another database', () => {
  const long = folderOf(150)
  expect(chooseSocketFolder(long)).toBe(chooseSocketFolder(long))
  expect(chooseSocketFolder(long)).not.toBe(chooseSocketFolder(`${long}x`))
})
