/** The setting `ledger.witnesses`: who cosigns the ledger, as a list of key and address, or as one text. */
import { parseCosignerKey, ProofError, toHex } from '@ephor/proof'
import type { CosignerKey } from '@ephor/proof'
import { z } from 'zod'

const Entry = z.strictObject({ key: z.string().min(1), url: z.url({ protocol: /^https?$/, error: 'must have an http or https address' }) })

function readKey(text: string): CosignerKey | string {
  try {
    return parseCosignerKey(text)
  } catch (error) {
    if (error instanceof ProofError) return `"${text.slice(0, 80)}" is not a witness's verifier key: ${error.message}`
    throw error
  }
}

/** `<key> <address>` as `ephor witness` prints it, several by commas: what the environment and flags can carry. */
function readText(text: string): { key: string; url: string }[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map((part) => {
      const [key = '', url = ''] = part.split(/\s+/)
      return { key, url }
    })
}

/** Each key stands once and is one; addresses end without a slash. */
export const WitnessList = z
  .union([z.string().transform(readText), z.array(z.union([z.string().transform((text) => readText(text)[0]), Entry]))])
  .pipe(z.array(Entry).max(20, 'has at most 20'))
  .transform((entries, context) => {
    const seen = new Set<string>()
    for (const { key: text } of entries) {
      const key = readKey(text)
      if (typeof key === 'string') context.addIssue({ code: 'custom', message: key })
      else if (seen.has(toHex(key.publicKey))) context.addIssue({ code: 'custom', message: `has the key of ${key.name} twice` })
      else seen.add(toHex(key.publicKey))
    }
    return entries.map(({ key, url }) => ({ key, url: url.replace(/\/+$/, '') }))
  })
