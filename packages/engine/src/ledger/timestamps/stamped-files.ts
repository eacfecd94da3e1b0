/** Timestamps as files of the published log: `timestamps/<size>.tsr` and beside it exactly what was stamped. */
import type { Store } from '@ephor/engine/kernel'
import { utf8 } from '@ephor/proof'
import { listTimestamps, readTimestamp } from './timestamps-store.ts'

const PAGE = 100

/** `timestamps/<size>.tsr` is the authority's answer, `timestamps/<size>.checkpoint` what it stamped; undefined for any other path. */
export async function stampedFile(store: Store, path: string): Promise<Uint8Array | undefined> {
  const [, size, kind] = /^timestamps\/(0|[1-9]\d{0,14})\.(tsr|checkpoint)$/.exec(path) ?? []
  const row = size === undefined ? undefined : await readTimestamp(store, Number(size))
  return row && (kind === 'tsr' ? new Uint8Array(row.token) : utf8(row.note))
}

/** All of them, in order of size, up to one. `after`: the size before the first wanted. */
export async function* stampedFiles(
  store: Store,
  { after = -1, upTo }: { after?: number; upTo: number },
): AsyncGenerator<{ path: string; bytes: Uint8Array }> {
  for (let last = after; ;) {
    const page = await listTimestamps(store, last, PAGE)
    for (const { size } of page) {
      if (size > upTo) return
      for (const path of [`timestamps/${size}.checkpoint`, `timestamps/${size}.tsr`])
        yield { path, bytes: (await stampedFile(store, path)) as Uint8Array }
    }
    const end = page.at(-1)
    if (!end || page.length < PAGE) return
    last = end.size
  }
}
