/** The settings of witnessing: both spellings of the list, and every mistake in it named. */
import { generateKeyPairSync } from 'node:crypto'
import { formatCosignerKey, makeCosignerKey } from '@ephor/proof'
import { publicBytes } from '@ephor/testkit'
import { expect, test } from 'vitest'
import { WitnessList } from './witness-settings.ts'

const keyOf = (name: string) => formatCosignerKey(makeCosignerKey(name, publicBytes(generateKeyPairSync('ed25519').privateKey)))
const [one, two] = [keyOf('w.test/1'), keyOf('w.test/2')]

test('a list of key and address, and the line that a witness prints, mean the same', () => {
  const list = [
    { key: one, url: 'https://w.test/1' },
    { key: two, url: 'http://127.0.0.1:7380' },
  ]
  expect(WitnessList.parse([{ key: one, url: 'https://w.test/1/' }, `${two} http://127.0.0.1:7380`])).toEqual(list)
  expect(WitnessList.parse(`${one} https://w.test/1, ${two}  http://127.0.0.1:7380/`)).toEqual(list)
  expect(WitnessList.parse('')).toEqual([])
})

test.each([
  ['a key of a log', `${one.replace(/\+[^+]+$/, '+AQ==')} https://w.test`, 'verifier key'],
  ['a key that stands twice', `${one} https://w.test, ${one} https://x.test`, 'twice'],
  ['no address', one, 'http'],
  ['an address of another kind', `${one} file:///etc/passwd`, 'http'],
])('%s is a mistake', (_, text, why) => {
  expect(WitnessList.safeParse(text).error?.message).toContain(why)
})
