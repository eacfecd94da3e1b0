/** The Merkle tree of RFC 6962 section 2.1: hashes, the growing right edge, inclusion and consistency proofs. */
import { concatBytes, sameBytes } from './bytes.ts'
import { ProofError } from './proof-error.ts'
import { sha256 } from './sha256.ts'

export type Hash = Uint8Array
/** A complete subtree: the 2^level leaves from index · 2^level. */
export type TreeNode = { level: number; index: number }
/** Gives the hashes of complete subtrees, in the order asked. */
export type NodeReader = (nodes: readonly TreeNode[]) => Promise<Hash[]>

const LEAF_PREFIX = Uint8Array.of(0)
// Prefix and content in place: allocating for each of a million nodes costs as much as hashing them.
const leaf = new Uint8Array(1 + 0xffff)
const pair = new Uint8Array(65)
pair[0] = 1

/** The root of the tree without leaves. */
export const EMPTY_ROOT: Hash = sha256(new Uint8Array())

export function leafHash(entry: Uint8Array): Hash {
  if (entry.length >= leaf.length) return sha256(concatBytes(LEAF_PREFIX, entry))
  leaf.set(entry, 1)
  return sha256(leaf.subarray(0, entry.length + 1))
}

export function nodeHash(left: Hash, right: Hash): Hash {
  pair.set(left, 1)
  pair.set(right, 33)
  return sha256(pair)
}

/** Combines complete subtrees, largest first, into the hash of the range that they cover. */
export function foldSubtrees(subtrees: readonly Hash[]): Hash {
  let root: Hash | undefined
  for (let i = subtrees.length - 1; i >= 0; i--) {
    const hash = subtrees[i] as Hash
    root = root ? nodeHash(hash, root) : hash
  }
  return root ?? EMPTY_ROOT
}

/** The complete subtrees that cover leaves `from` to `to` (exclusive), left to right; `from` is a multiple of the range's size rounded up to a power of two. */
export function subtreesOf(from: number, to: number): TreeNode[] {
  const nodes: TreeNode[] = []
  for (let at = from; at < to;) {
    let level = 0
    while (2 ** (level + 1) <= to - at) level++
    nodes.push({ level, index: at / 2 ** level })
    at += 2 ** level
  }
  return nodes
}

/** The right edge of a growing tree: enough to add leaves and to know the root at every size. */
export class Frontier {
  /** By level: the complete subtree that waits for its sibling. */
  readonly #waiting: (Hash | undefined)[] = []
  #size = 0

  /** @param subtrees the hashes of `subtreesOf(0, size)` */
  constructor(size = 0, subtrees: readonly Hash[] = []) {
    const nodes = subtreesOf(0, size)
    if (nodes.length !== subtrees.length) throw new ProofError('FORMAT_INVALID', 'the frontier does not fit the size')
    for (const [i, { level }] of nodes.entries()) this.#waiting[level] = subtrees[i]
    this.#size = size
  }

  get size(): number {
    return this.#size
  }

  /** Adds a leaf; `completed` hears of each subtree that it completes, the leaf first. */
  push(leaf: Hash, completed?: (level: number, hash: Hash) => void): void {
    let hash = leaf
    let level = 0
    completed?.(0, hash)
    for (let left = this.#waiting[0]; left; left = this.#waiting[level]) {
      hash = nodeHash(left, hash)
      this.#waiting[level++] = undefined
      completed?.(level, hash)
    }
    this.#waiting[level] = hash
    this.#size++
  }

  root(): Hash {
    return foldSubtrees(this.#waiting.filter((hash) => hash !== undefined).toReversed())
  }
}

function splitPoint(size: number): number {
  let k = 1
  while (k * 2 < size) k *= 2
  return k
}

async function readRanges(ranges: readonly (readonly [number, number])[], read: NodeReader): Promise<Hash[]> {
  const nodes = ranges.map(([from, to]) => subtreesOf(from, to))
  const hashes = await read(nodes.flat())
  let at = 0
  return nodes.map((part) => foldSubtrees(hashes.slice(at, (at += part.length))))
}

/** PATH(index, D[size]) of section 2.1.1, from the leaf's sibling up. */
export function makeInclusion(index: number, size: number, read: NodeReader): Promise<Hash[]> {
  if (!(index >= 0 && index < size)) throw new ProofError('FORMAT_INVALID', `no leaf ${index} in a tree of ${size}`)
  const ranges: (readonly [number, number])[] = []
  let [from, to] = [0, size]
  while (to - from > 1) {
    const middle = from + splitPoint(to - from)
    if (index < middle) {
      ranges.unshift([middle, to])
      to = middle
    } else {
      ranges.unshift([from, middle])
      from = middle
    }
  }
  return readRanges(ranges, read)
}

/** PROOF(earlier, D[size]) of section 2.1.2; empty when there is nothing to prove. */
export function makeConsistency(earlier: number, size: number, read: NodeReader): Promise<Hash[]> {
  if (!(earlier >= 0 && earlier <= size)) throw new ProofError('FORMAT_INVALID', `no tree of ${earlier} inside one of ${size}`)
  const ranges: (readonly [number, number])[] = []
  if (earlier === 0 || earlier === size) return Promise.resolve([])
  let [from, to] = [0, size]
  // The subtree that ends exactly at `earlier` is known to the verifier only if it is the whole earlier tree.
  while (to !== earlier) {
    const middle = from + splitPoint(to - from)
    if (earlier <= middle) {
      ranges.unshift([middle, to])
      to = middle
    } else {
      ranges.unshift([from, middle])
      from = middle
    }
  }
  if (from !== 0) ranges.unshift([from, to])
  return readRanges(ranges, read)
}

/** The root that the leaf and the proof lead to (RFC 9162 section 2.1.3.2). @throws ProofError PROOF_INVALID when the proof has the wrong length. */
export function rootOfInclusion(leaf: Hash, index: number, size: number, proof: readonly Hash[]): Hash {
  if (!(index >= 0 && index < size)) throw new ProofError('PROOF_INVALID', `no leaf ${index} in a tree of ${size}`)
  let [node, last, hash] = [index, size - 1, leaf]
  for (const sibling of proof) {
    if (last === 0) throw new ProofError('PROOF_INVALID', 'the inclusion proof is too long')
    if (node % 2 === 1 || node === last) {
      hash = nodeHash(sibling, hash)
      while (node % 2 === 0 && node !== 0) [node, last] = [node / 2, Math.floor(last / 2)]
    } else hash = nodeHash(hash, sibling)
    ;[node, last] = [Math.floor(node / 2), Math.floor(last / 2)]
  }
  if (last !== 0) throw new ProofError('PROOF_INVALID', 'the inclusion proof is too short')
  return hash
}

const isHash = (bytes: Uint8Array) => bytes.length === 32

export function verifyInclusion(leaf: Hash, index: number, size: number, root: Hash, proof: readonly Hash[]): boolean {
  try {
    return [leaf, root, ...proof].every(isHash) && sameBytes(rootOfInclusion(leaf, index, size, proof), root)
  } catch {
    return false
  }
}

/** RFC 9162 section 2.1.4.2, with the two cases that need no proof. */
export function verifyConsistency(earlier: number, size: number, earlierRoot: Hash, root: Hash, proof: readonly Hash[]): boolean {
  if (![earlierRoot, root, ...proof].every(isHash) || !(earlier >= 0 && earlier <= size)) return false
  if (earlier === size) return proof.length === 0 && sameBytes(earlierRoot, root)
  if (earlier === 0) return proof.length === 0 && sameBytes(earlierRoot, EMPTY_ROOT)
  const path = Number.isInteger(Math.log2(earlier)) ? [earlierRoot, ...proof] : [...proof]
  const first = path.shift()
  if (!first || proof.length === 0) return false
  let [node, last] = [earlier - 1, size - 1]
  while (node % 2 === 1) [node, last] = [Math.floor(node / 2), Math.floor(last / 2)]
  let [old, now] = [first, first]
  for (const sibling of path) {
    if (last === 0) return false
    if (node % 2 === 1 || node === last) {
      old = nodeHash(sibling, old)
      now = nodeHash(sibling, now)
      while (node % 2 === 0 && node !== 0) [node, last] = [node / 2, Math.floor(last / 2)]
    } else now = nodeHash(now, sibling)
    ;[node, last] = [Math.floor(node / 2), Math.floor(last / 2)]
  }
  return last === 0 && sameBytes(old, earlierRoot) && sameBytes(now, root)
}
