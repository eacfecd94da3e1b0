/** Open forks in a file beside the checkpoint: whoever can delete their entries from the database must not be able to end them so. */
import { existsSync, readFileSync, rmSync } from 'node:fs'
import type { Logger } from '@ephor/engine/kernel'
import { writeDurably } from '../write-durably.ts'

export class ForksOutside {
  readonly #file: string
  readonly #log: Logger
  #kept: string | undefined

  /** @param outside the file of the checkpoint */
  constructor(outside: string, log: Logger) {
    this.#file = `${outside}.forked`
    this.#log = log
  }

  /** The checkpoints that were kept. They carry the ledger's own signature, so nobody can make one up. */
  read(): string[] {
    if (!existsSync(this.#file)) return []
    this.#kept = readFileSync(this.#file, 'utf8')
    try {
      const notes: unknown = JSON.parse(this.#kept)
      if (Array.isArray(notes) && notes.every((note) => typeof note === 'string')) return notes
    } catch {
      // Said below.
    }
    this.#log.error({ file: this.#file }, 'the file of forks can’t be read: somebody wrote into it; it is written anew')
    return []
  }

  /** Keeps exactly these. A folder that can't be written to is no reason to do less than the ledger says. */
  keep(notes: readonly string[]): void {
    const text = notes.length === 0 ? undefined : JSON.stringify(notes)
    if (text === this.#kept) return
    try {
      if (text === undefined) rmSync(this.#file, { force: true })
      else writeDurably(this.#file, text)
      this.#kept = text
    } catch (error) {
      this.#log.error({ err: error }, 'the forks could not be kept beside the checkpoint; the ledger has them')
    }
  }
}
