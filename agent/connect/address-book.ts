/**
 * The coordinators that the agent knows, in an order of its own: agents that know the same ones spread over them.
 *
 * B1. The configured ones stay; of the others the latest that was said counts.
 * B2. No more than `ADDRESSES_MAX` are kept, and none that is no address.
 * B3. Learning moves neither the current one nor the order of the rest.
 */
import type { Random } from '../../shared/random.ts'
import { isAddress } from '../identity/address.ts'

export const ADDRESSES_MAX = 16

export interface AddressBookOptions {
  readonly configured: readonly string[]
  /** Heard of in an earlier life. */
  readonly remembered: readonly string[]
  readonly random: Random
}

export class AddressBook {
  readonly #configured: readonly string[]
  readonly #random: Random
  #addresses: readonly string[]
  #current: string

  constructor({ configured, random, remembered }: AddressBookOptions) {
    this.#configured = configured
    this.#random = random
    this.#addresses = shuffled(bounded([...configured, ...remembered]), random)
    this.#current = this.#addresses[0] ?? ''
  }

  /** The one in use, or to be tried next. */
  get current(): string {
    return this.#current
  }

  get size(): number {
    return this.#addresses.length
  }

  /** All others, the next one first. */
  get others(): readonly string[] {
    const at = this.#addresses.indexOf(this.#current)
    return [...this.#addresses.slice(at + 1), ...this.#addresses.slice(0, Math.max(0, at))]
  }

  /** Goes on to the next one. */
  advance(): void {
    this.#current = this.others[0] ?? this.#current
  }

  use(address: string): void {
    this.#current = address
    if (!this.#addresses.includes(address)) this.#addresses = [...this.#addresses, address]
  }

  /** What a coordinator says of all; answers what is worth remembering. */
  learn(addresses: readonly string[]): readonly string[] {
    const told = bounded(addresses)
    const all = bounded([this.#current, ...this.#configured, ...told])
    const kept = this.#addresses.filter((address) => all.includes(address))
    this.#addresses = all.reduce<readonly string[]>(
      (known, address) =>
        known.includes(address) ? known : inserted(known, address, this.#random),
      kept,
    )
    return told
  }
}

function bounded(addresses: readonly string[]): string[] {
  return [...new Set(addresses.filter(isAddress))].slice(0, ADDRESSES_MAX)
}

function shuffled(addresses: readonly string[], random: Random): readonly string[] {
  return addresses.reduce<readonly string[]>((all, each) => inserted(all, each, random), [])
}

function inserted(all: readonly string[], address: string, random: Random): readonly string[] {
  return all.toSpliced(Math.floor(random.fraction() * (all.length + 1)), 0, address)
}
