/** Which checkpoint is put before which witness when: all get the same one, so that enough of them cosign one and the same. */
import type { Published } from '../types.ts'

/** The longest pause after failures, in first ones. */
const MOST_PAUSES = 16

type Member = { id: string; on: Published | undefined; failures: number; failedAt: number; notBefore: number; timer?: NodeJS.Timeout }

export type RoundsOptions = {
  members: readonly string[]
  /** The pause after a first failure, in ms; it doubles with each. */
  pauseMs: number
  /** How many cosignatures end a round. */
  needed(): number
  /** @returns whether the witness cosigned it */
  ask(member: string, target: Published): Promise<boolean>
}

/**
 * Under load a checkpoint is signed before the last one is cosigned. If each witness then took the newest, no checkpoint
 * might ever have the cosignatures of several: a round goes on until enough have cosigned it, or none is at it any more.
 */
export class Rounds {
  readonly #options: RoundsOptions
  readonly #members: Member[]
  readonly #cosigned = new Map<number, Set<string>>()
  #current: Published | undefined
  #newest: Published | undefined
  #closed = false

  constructor(options: RoundsOptions) {
    this.#options = options
    this.#members = options.members.map((id) => ({ id, on: undefined, failures: 0, failedAt: -Infinity, notBefore: 0 }))
  }

  publish(target: Published): void {
    if (this.#newest && target.size < this.#newest.size) return
    this.#newest = target
    this.#advance()
  }

  mark(size: number, member: string): void {
    const members = this.#cosigned.get(size) ?? new Set()
    this.#cosigned.set(size, members.add(member))
    for (const old of [...this.#cosigned.keys()].toSorted((a, b) => b - a).slice(64)) this.#cosigned.delete(old)
  }

  /** The largest size of at least `size` that so many cosigned. */
  reached(size: number, count: number): number | undefined {
    const sizes = [...this.#cosigned].flatMap(([at, members]) => (at >= size && members.size >= count ? [at] : []))
    return sizes.length > 0 ? Math.max(...sizes) : undefined
  }

  /** Somebody waits: those that failed are asked again, but none twice within the first pause. */
  hurry(): void {
    for (const member of this.#members) member.notBefore = Math.min(member.notBefore, member.failedAt + this.#options.pauseMs)
    this.#advance()
  }

  close(): void {
    this.#closed = true
    for (const { timer } of this.#members) clearTimeout(timer)
  }

  #isOver(): boolean {
    const current = this.#current
    if (!current || (this.#cosigned.get(current.size)?.size ?? 0) >= this.#options.needed()) return true
    return this.#members.every(({ on }) => on !== current)
  }

  #advance(): void {
    if (this.#closed || !this.#newest) return
    if (this.#isOver()) this.#current = this.#newest
    for (const member of this.#members) this.#start(member)
  }

  #start(member: Member): void {
    const current = this.#current
    if (!current || member.on || this.#cosigned.get(current.size)?.has(member.id)) return
    clearTimeout(member.timer)
    const wait = member.notBefore - performance.now()
    if (wait > 0) {
      member.timer = setTimeout(() => this.#advance(), wait).unref()
      return
    }
    member.on = current
    void this.#ask(member, current)
  }

  async #ask(member: Member, target: Published): Promise<void> {
    const isCosigned = await this.#options.ask(member.id, target)
    member.on = undefined
    if (isCosigned) {
      member.failures = 0
      this.mark(target.size, member.id)
    } else {
      member.failedAt = performance.now()
      member.notBefore = member.failedAt + this.#options.pauseMs * Math.min(MOST_PAUSES, 2 ** member.failures++)
    }
    this.#advance()
  }
}
