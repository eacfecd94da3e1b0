/** Puts a restored installation into place so that a kill at any moment leaves the old one or the new one, never a mixture. */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { Fault } from '@ephor/contract'
import { lockFolder } from '@ephor/engine/kernel'
import { writeDurably } from '@ephor/engine/ledger'
import { z } from 'zod'

/** `aside`: the folder below the data folder that gets what was there. `names`: what is replaced, in this order. */
const Plan = z.strictObject({ aside: z.string().regex(/^replaced-[\w-]+$/), names: z.array(z.string().regex(/^[\w.-]+$/)) })
export type Plan = z.output<typeof Plan>

export const stagingIn = (home: string) => join(home, 'restoring')
export const newIn = (home: string) => join(stagingIn(home), 'new')
const planIn = (home: string) => join(stagingIn(home), 'plan.json')

/** Leftovers of the old database: without it they would be played into the new one. */
const OLD = ['store.db-wal', 'store.db-shm']

/** From here on the restored installation is the installation, also after a kill. */
export function decide(home: string, plan: Plan): void {
  writeDurably(planIn(home), JSON.stringify(plan))
}

/** Moves what is left to move; the same after a kill as the first time. Whoever calls holds the store's lock. @returns the folder of the old ones */
export function moveIntoPlace(home: string, step: () => void = () => undefined): string {
  const { aside, names } = Plan.parse(JSON.parse(readFileSync(planIn(home), 'utf8')))
  const kept = join(home, aside)
  mkdirSync(kept, { recursive: true, mode: 0o700 })
  const old = (name: string) => {
    // What stands where something was moved away already was made since, by nobody who knew.
    if (existsSync(join(home, name)) && !existsSync(join(kept, name))) renameSync(join(home, name), join(kept, name))
    rmSync(join(home, name), { recursive: true, force: true })
  }
  const notYet = names.includes('store.db') && existsSync(join(newIn(home), 'store.db'))
  if (notYet) for (const name of OLD) old(name)
  for (const name of names) {
    const made = join(newIn(home), name)
    if (!existsSync(made)) continue
    step()
    old(name)
    step()
    renameSync(made, join(home, name))
  }
  step()
  rmSync(planIn(home))
  rmSync(stagingIn(home), { recursive: true, force: true })
  if (readdirSync(kept).length === 0) rmSync(kept, { recursive: true })
  return kept
}

/** Before anything of a data folder is opened. @throws Fault STORE_LOCKED while another process restores it */
export function finishRestore(home: string): void {
  if (!existsSync(planIn(home))) return
  const lock = lockFolder(join(home, 'store.db'))
  try {
    if (existsSync(planIn(home))) moveIntoPlace(home)
  } catch (error) {
    if (error instanceof Fault) throw error
    throw new Fault('HOME_UNWRITABLE', `a restore can’t be finished: ${(error as Error).message}`, { cause: error })
  } finally {
    lock.close()
  }
}
