/** Takes one policy out of texts, and leaves every other character where it was. */
import { scanPolicies } from './scan-policies.ts'
import type { PolicyFiles, PolicyStatus } from './types.ts'

/** @returns undefined when there is no such policy, or it can't be told apart from the others of its file */
export function withoutPolicy({ files, policies }: Pick<PolicyStatus, 'files' | 'policies'>, id: string): PolicyFiles | undefined {
  const file = policies.find((policy) => policy.id === id)?.file
  const text = file === undefined ? undefined : files[file]
  const scanned = text === undefined ? undefined : scanPolicies(text)
  if (file === undefined || text === undefined || !scanned || 'problem' in scanned) return undefined
  const inFile = policies.filter((policy) => policy.file === file)
  const piece = scanned.pieces[inFile.findIndex((policy) => policy.id === id)]
  if (!piece || scanned.pieces.length !== inFile.length) return undefined
  return { ...files, [file]: text.slice(0, piece.start) + text.slice(piece.start + piece.text.length).replace(/^\n/, '') }
}
