/** The digests that decisions are pinned to. */
import { hash } from 'node:crypto'
import { canonicalize } from '@ephor/proof'
import type { PolicyFiles, PolicyWorld } from './types.ts'

/** `sha256:…` of a value's JSON as it is written. */
export function digestOf(value: unknown): string {
  return `sha256:${hash('sha256', JSON.stringify(value), 'hex')}`
}

/** `sha256:…` of texts, whatever the order of their names. */
export function versionOf(files: PolicyFiles): string {
  return digestOf(Object.entries(files).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

/** `sha256:…` of the world's canonical JSON (RFC 8785). */
export function digestOfWorld(world: PolicyWorld): string {
  return `sha256:${hash('sha256', canonicalize(world), 'hex')}`
}
