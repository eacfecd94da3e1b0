/** A log in memory with a key of its own: what tests hold against witnesses, honest and not. */
import { generateKeyPairSync, sign } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import {
  foldSubtrees,
  formatVerifierKey,
  leafHash,
  makeConsistency,
  makeVerifierKey,
  nodeHash,
  signCheckpoint,
  subtreesOf,
  utf8,
} from '@ephor/proof'
import type { Hash, TreeNode } from '@ephor/proof'

/** A log over these entries. @param key another log's, for two histories under one key */
export function toyLog(origin: string, entries: readonly string[], key: KeyObject = generateKeyPairSync('ed25519').privateKey) {
  const leaves = entries.map((entry) => leafHash(utf8(entry)))
  const verifierKey = makeVerifierKey(origin, publicBytes(key))
  function node({ level, index }: TreeNode): Hash {
    if (level === 0) return leaves[index] as Hash
    return nodeHash(node({ level: level - 1, index: 2 * index }), node({ level: level - 1, index: 2 * index + 1 }))
  }
  const read = (nodes: readonly TreeNode[]) => Promise.resolve(nodes.map(node))
  const root = (size: number) => foldSubtrees(subtreesOf(0, size).map(node))
  return {
    key,
    verifierKey,
    vkey: formatVerifierKey(verifierKey),
    root,
    proof: (old: number, size: number) => makeConsistency(old, size, read),
    checkpoint: async (size: number) => signCheckpoint({ size, root: root(size) }, verifierKey, (bytes) => sign(null, bytes, key)),
  }
}

/** The 32 bytes of RFC 8032. */
export function publicBytes(key: KeyObject): Uint8Array {
  return new Uint8Array(Buffer.from(key.export({ format: 'jwk' }).x ?? '', 'base64url'))
}
