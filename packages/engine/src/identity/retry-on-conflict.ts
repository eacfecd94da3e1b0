/** A write that another one overtook is made again over what that one left. */
import { Fault } from '@ephor/contract'

const ATTEMPTS = 5

/** @throws what `write` throws, CONFLICT only when it is overtaken again and again */
export async function retryOnConflict<T>(write: () => Promise<T>, refresh: () => Promise<unknown>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await write()
    } catch (error) {
      if (!(error instanceof Fault) || error.code !== 'CONFLICT' || attempt === ATTEMPTS) throw error
      await refresh()
    }
  }
}
