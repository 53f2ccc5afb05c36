import { describe, expect, it } from 'vitest'
import { ENTER, isAllowed, READ } from '../../../../../coordinator/store/embedded/server-user.ts'

const user = { uid: 7, gid: 8 }

describe('what a user may do with a file', () => {
  it('is the owner bits for the owner, even when others may do more', () => {
    expect(isAllowed({ mode: 0o407, uid: 7, gid: 0 }, user, READ)).toBe(true)
    expect(isAllowed({ mode: 0o407, uid: 7, gid: 0 }, user, ENTER)).toBe(false)
  })

  it('is the group bits for the group', () => {
    expect(isAllowed({ mode: 0o750, uid: 0, gid: 8 }, user, READ | ENTER)).toBe(true)
    expect(isAllowed({ mode: 0o705, uid: 0, gid: 8 }, user, READ)).toBe(false)
  })

  it('is the last bits for everybody else', () => {
    expect(isAllowed({ mode: 0o711, uid: 0, gid: 0 }, user, ENTER)).toBe(true)
    expect(isAllowed({ mode: 0o711, uid: 0, gid: 0 }, user, READ | ENTER)).toBe(false)
    expect(isAllowed({ mode: 0o770, uid: 0, gid: 0 }, user, ENTER)).toBe(false)
  })
})
