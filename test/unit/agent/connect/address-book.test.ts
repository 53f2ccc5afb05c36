import { describe, expect, test } from 'vitest'
import { ADDRESSES_MAX, AddressBook } from '../../../../agent/connect/address-book.ts'
import { systemRandom } from '../../../../shared/random.ts'

const inOrder = { fraction: () => 0.999, bytes: systemRandom.bytes }

function bookOf(configured: readonly string[], remembered: readonly string[] = []): AddressBook {
  return new AddressBook({ configured, remembered, random: inOrder })
}

const [a, b, c, d] = ['a:1', 'b:1', 'c:1', 'd:1'] as const

describe('the book', () => {
  test('goes round', () => {
    const book = bookOf([a, b], [c])
    const seen = [1, 2, 3, 4].map(() => {
      const { current } = book
      book.advance()
      return current
    })
    expect(seen).toEqual([a, b, c, a])
    expect(book.others).toEqual([c, a])
  })

  test('with one address stays at it', () => {
    const book = bookOf([a])
    book.advance()
    expect(book.current).toBe(a)
    expect(book.others).toEqual([])
  })

  test('leads agents that know the same coordinators to each of them equally', () => {
    const counts = new Map<string, number>()
    for (let agent = 0; agent < 3_000; agent++) {
      const options = { configured: [a, b, c], remembered: [], random: systemRandom }
      const { current } = new AddressBook(options)
      counts.set(current, (counts.get(current) ?? 0) + 1)
    }
    for (const address of [a, b, c]) expect(counts.get(address)).toBeGreaterThan(850)
  })

  test('keeps what is configured and the latest that was said, and stays where it is', () => {
    const book = bookOf([a], [b])
    book.advance()
    expect(book.learn([c, d])).toEqual([c, d])
    expect([book.current, ...book.others].sort()).toEqual([a, b, c, d])
    book.use(c)
    book.learn([c, d])
    expect([book.current, ...book.others].sort()).toEqual([a, c, d])
    expect(book.current).toBe(c)
  })

  test('takes no nonsense, and no more than it can hold', () => {
    const book = bookOf([a])
    expect(book.learn(['', 'b', 'b:0', 'b:70000', 'b c:1', `${'x'.repeat(300)}:1`])).toEqual([])
    const many = Array.from({ length: 1_000 }, (_, index) => `many-${index}:1`)
    book.learn(many)
    expect(book.size).toBe(ADDRESSES_MAX)
    expect(book.others).not.toContain(a)
  })
})
