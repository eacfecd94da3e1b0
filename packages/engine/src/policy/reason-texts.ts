/** What the policies of a version say for themselves: their `@reason` texts by id, read without parsing Cedar. */
import type { Store } from '@ephor/engine/kernel'
import { versionOf } from './digest.ts'
import { scanPolicies } from './scan-policies.ts'
import { readFiles } from './store.ts'
import type { PolicyFiles } from './types.ts'

/** Annotations stand before the policy's effect, in any order. */
const ANNOTATION = /\s*(?:\/\/[^\n]*\n\s*)*@(\w+)\s*(?:\(\s*("[^"\\]*(?:\\[\s\S][^"\\]*)*")\s*\))?/y

function annotationsOf(text: string): Map<string, string> {
  const found = new Map<string, string>()
  ANNOTATION.lastIndex = 0
  for (let match = ANNOTATION.exec(text); match; match = ANNOTATION.exec(text)) {
    const [, name = '', quoted = '""'] = match
    // Cedar's escapes are few, and only words matter here: an escape becomes the character behind it.
    found.set(name, quoted.slice(1, -1).replaceAll(/\\([\s\S])/g, '$1'))
  }
  return found
}

/** @returns by policy id, as decisions name it; files that can't be split into policies say nothing */
export function reasonTexts(files: PolicyFiles): Record<string, string> {
  const texts = new Map<string, string>()
  for (const [file, text] of Object.entries(files)) {
    const scanned = file.endsWith('.cedar') ? scanPolicies(text) : { pieces: [] }
    if ('problem' in scanned) continue
    for (const [i, piece] of scanned.pieces.entries()) {
      const annotations = annotationsOf(piece.text)
      const reason = annotations.get('reason')
      if (reason !== undefined) texts.set(`${file.slice(0, -'.cedar'.length)}/${annotations.get('id') ?? i + 1}`, reason)
    }
  }
  return Object.fromEntries(texts)
}

/** @returns what reads the texts of a version from a store; none for a version that is not kept, or not what its digest says */
export function openReasons(store: Store): (version: string) => Promise<Record<string, string>> {
  return async (version) => {
    const files = await readFiles(store, version)
    return files && versionOf(files) === version ? reasonTexts(files) : {}
  }
}
