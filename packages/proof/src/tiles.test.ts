/** Tiles: paths, bundles, and trees read back from what was written. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { sameBytes } from './bytes.ts'
import { Frontier, leafHash, makeInclusion, verifyInclusion } from './merkle.ts'
import type { Hash } from './merkle.ts'
import { decodeBundle, decodeTile, encodeBundle, parseTilePath, tilePath, tileReader, tilesOf, TileWriter } from './tiles.ts'

function leaf(i: number): Hash {
  return leafHash(Uint8Array.of(i >> 16, i >> 8, i))
}

/** Builds the log in two sittings, as a restart does. */
function build(size: number, restartAt: number) {
  const tiles = new Map<string, Uint8Array>()
  const emit = (place: Parameters<typeof tilePath>[0], bytes: Uint8Array) => void tiles.set(tilePath(place), bytes)
  const first = new TileWriter(0, [], emit)
  for (let i = 0; i < restartAt; i++) first.push(leaf(i))
  const edge: Hash[][] = []
  for (const { place, bytes } of first.partial()) edge[place.level as number] = decodeTile(bytes, place.width)
  const second = new TileWriter(
    restartAt,
    Array.from(edge, (hashes) => hashes ?? []),
    emit,
  )
  for (let i = restartAt; i < size; i++) second.push(leaf(i))
  for (const { place, bytes } of second.partial()) emit(place, bytes)
  return { tiles, root: second.root() }
}

test('paths are those of the specification', () => {
  expect(tilePath({ level: 0, index: 1234067, width: 256 })).toBe('tile/0/x001/x234/067')
  expect(tilePath({ level: 1, index: 0, width: 12 })).toBe('tile/1/000.p/12')
  expect(tilePath({ level: 'entries', index: 1000, width: 256 })).toBe('tile/entries/x001/000')
})

test('a path and its place name one another', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(0, 1, 5, 'entries' as const),
      fc.nat(999_999_999),
      fc.integer({ min: 1, max: 256 }),
      (level, index, width) => {
        expect(parseTilePath(tilePath({ level, index, width }))).toEqual({ level, index, width })
      },
    ),
  )
})

test.each([
  'tile/0/0',
  'tile/00/000',
  'tile/0/x000/001',
  'tile/0/000.p/256',
  'tile/0/000.p/0',
  'tile/0/000.p/07',
  'tile/0/../../etc',
  'tile/0/1000',
  'x',
  '',
])('the path %j names nothing', (path) => {
  expect(parseTilePath(path)).toBeUndefined()
})

test('a bundle gives back its entries and refuses to end inside one', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 700 }), { maxLength: 20 }), (entries) => {
      const bytes = encodeBundle(entries)
      expect(decodeBundle(bytes).map((entry) => [...entry])).toEqual(entries.map((entry) => [...entry]))
      const cut = encodeBundle([...entries, Uint8Array.of(1)]).subarray(0, -1)
      expect(() => decodeBundle(cut)).toThrow('ends inside')
    }),
  )
  expect(() => encodeBundle([new Uint8Array(65_536)])).toThrow('does not fit')
  expect(() => encodeBundle(Array.from({ length: 257 }, () => new Uint8Array()))).toThrow('256')
})

test('the tiles of a log are those of its size, whenever it was restarted, and prove every leaf', async () => {
  for (const [size, restartAt] of [
    [1, 0],
    [255, 1],
    [256, 255],
    [257, 256],
    [700, 511],
    [65_536 + 300, 65_536 + 1],
  ] as const) {
    const { tiles, root } = build(size, restartAt)
    const tree = new Frontier()
    for (let i = 0; i < size; i++) tree.push(leaf(i))
    expect(sameBytes(root, tree.root())).toBe(true)
    const wanted = [...tilesOf(size)].filter(({ level }) => level !== 'entries').map(tilePath)
    expect(wanted.filter((path) => !tiles.has(path))).toEqual([])
    const read = tileReader(size, (place) => Promise.resolve(tiles.get(tilePath(place)) ?? new Uint8Array()))
    for (const index of [0, Math.floor(size / 2), size - 1])
      expect(verifyInclusion(leaf(index), index, size, root, await makeInclusion(index, size, read))).toBe(true)
  }
})

test('a tile writer refuses an edge that does not fit its size', () => {
  expect(() => new TileWriter(3, [[leaf(0)]], () => undefined)).toThrow('does not fit')
})
