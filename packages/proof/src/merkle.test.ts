/** The Merkle tree against RFC 6962, published vectors, and itself. */
import { createHash, randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fromBase64, fromHex, sameBytes, toHex } from './bytes.ts'
import { EMPTY_ROOT, Frontier, leafHash, makeConsistency, makeInclusion, nodeHash, verifyConsistency, verifyInclusion } from './merkle.ts'
import type { Hash, NodeReader } from './merkle.ts'
import { portableSha256, sha256 } from './sha256.ts'

const checkout = fileURLToPath(new URL('../../..', import.meta.url))
const data = join(process.env['EPHOR_TEST_DATA'] ?? join(checkout, '..', 'shared', 'data'), 'tlog')

/** MTH of section 2.1, as written there. */
function mth(leaves: readonly Hash[]): Hash {
  if (leaves.length === 0) return EMPTY_ROOT
  if (leaves.length === 1) return leaves[0] as Hash
  let k = 1
  while (k * 2 < leaves.length) k *= 2
  return nodeHash(mth(leaves.slice(0, k)), mth(leaves.slice(k)))
}

function makeLeaves(count: number): Hash[] {
  return Array.from({ length: count }, (_, i) => leafHash(Uint8Array.of(i >> 8, i)))
}

function readerOf(leaves: readonly Hash[]): NodeReader {
  return (nodes) => Promise.resolve(nodes.map(({ level, index }) => mth(leaves.slice(index * 2 ** level, (index + 1) * 2 ** level))))
}

const size = fc.integer({ min: 1, max: 600 })

test('both implementations of SHA-256 agree with the platform', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      const expected = createHash('sha256').update(bytes).digest('hex')
      expect(toHex(sha256(bytes))).toBe(expected)
      expect(toHex(portableSha256(bytes))).toBe(expected)
    }),
  )
})

test('the frontier knows the root at every size', () => {
  const leaves = makeLeaves(300)
  const tree = new Frontier()
  expect(tree.root()).toEqual(EMPTY_ROOT)
  for (const [i, leaf] of leaves.entries()) {
    tree.push(leaf)
    expect(sameBytes(tree.root(), mth(leaves.slice(0, i + 1)))).toBe(true)
  }
})

test('every leaf of every tree has a proof that verifies, and only for itself', async () => {
  await fc.assert(
    fc.asyncProperty(size, fc.nat(), fc.nat(), async (count, a, b) => {
      const leaves = makeLeaves(count)
      const index = a % count
      const root = mth(leaves)
      const proof = await makeInclusion(index, count, readerOf(leaves))
      const leaf = leaves[index] as Hash
      expect(verifyInclusion(leaf, index, count, root, proof)).toBe(true)
      expect(verifyInclusion(leaf, b % count, count, root, proof)).toBe(b % count === index)
      expect(verifyInclusion(randomBytes(32), index, count, root, proof)).toBe(false)
      expect(verifyInclusion(leaf, index, count, root, [...proof, root])).toBe(false)
      expect(verifyInclusion(leaf, index, count, root, proof.slice(1))).toBe(count === 1)
    }),
    { numRuns: 60 },
  )
})

test('every tree has a consistency proof from each earlier one, and none from another', async () => {
  await fc.assert(
    fc.asyncProperty(size, fc.nat(), async (count, a) => {
      const leaves = makeLeaves(count)
      const earlier = a % (count + 1)
      const [old, now] = [mth(leaves.slice(0, earlier)), mth(leaves)]
      const proof = await makeConsistency(earlier, count, readerOf(leaves))
      expect(verifyConsistency(earlier, count, old, now, proof)).toBe(true)
      const other = randomBytes(32)
      expect(verifyConsistency(earlier, count, other, now, proof)).toBe(false)
      expect(verifyConsistency(earlier, count, old, other, proof)).toBe(earlier === 0)
      for (const i of proof.keys()) expect(verifyConsistency(earlier, count, old, now, proof.with(i, other))).toBe(false)
    }),
    { numRuns: 60 },
  )
})

test('a proof for a leaf or a tree that is not there is refused', () => {
  expect(() => makeInclusion(3, 3, readerOf([]))).toThrow('no leaf 3')
  expect(() => makeConsistency(4, 3, readerOf([]))).toThrow('no tree of 4')
  expect(verifyInclusion(new Uint8Array(31), 0, 1, new Uint8Array(31), [])).toBe(false)
})

type Vector = {
  path: string
  kind: 'inclusion' | 'consistency'
  root: string
  leafHash: string
  leafIdx: number
  treeSize: number
  size1: number
  size2: number
  root1: string
  root2: string
  proof: string[] | null
  wantErr: boolean
}

describe.skipIf(!existsSync(data))(`published vectors (skipped: no ${data}; set EPHOR_TEST_DATA)`, () => {
  const read = (name: string): unknown => JSON.parse(readFileSync(join(data, name), 'utf8'))

  test('the roots of the RFC 6962 test leaves', () => {
    const { leafInputsHex, rootHashesHex } = read('rfc6962_roots.json') as { leafInputsHex: string[]; rootHashesHex: string[] }
    const tree = new Frontier()
    expect(toHex(tree.root())).toBe(rootHashesHex[0])
    for (const [i, input] of leafInputsHex.entries()) {
      tree.push(leafHash(fromHex(input)))
      expect(toHex(tree.root())).toBe(rootHashesHex[i + 1])
    }
    expect(leafInputsHex.length).toBeGreaterThan(0)
  })

  test('every proof that must verify does, and every one that must not does not', () => {
    const vectors = read('merkle_vectors.json') as Vector[]
    const wrong = vectors.filter((v) => {
      const proof = (v.proof ?? []).map(fromBase64)
      const holds =
        v.kind === 'inclusion'
          ? verifyInclusion(fromBase64(v.leafHash), v.leafIdx, v.treeSize, fromBase64(v.root), proof)
          : verifyConsistency(v.size1, v.size2, fromBase64(v.root1), fromBase64(v.root2), proof)
      return holds === v.wantErr
    })
    expect(wrong.map(({ path }) => path)).toEqual([])
    expect(vectors.filter(({ wantErr }) => wantErr).length).toBeGreaterThan(100)
  })
})
