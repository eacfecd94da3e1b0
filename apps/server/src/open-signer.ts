/** What signs the ledger of this tenant, as the settings say: a key file of the data folder, or Vault. */
import { join } from 'node:path'
import { fileSigner, firstKey, folderKeys, originOf, vaultTransit } from '@ephor/engine/ledger'
import type { Signer, SigningKeys } from '@ephor/engine/ledger'
import type { EffectiveSettings } from './settings/load-settings.ts'

export type SignerSettings = Pick<EffectiveSettings, 'home' | 'tenant' | 'ledger'>

/** The file that keeps the tenant's last checkpoint outside the store. */
export function outsideOf({ home, tenant }: Pick<EffectiveSettings, 'home' | 'tenant'>): string {
  return join(home, tenant === 'default' ? 'checkpoint' : `checkpoint-${tenant}`)
}

/**
 * The folder of keys exists.
 * @returns the first key's signer, the keys that follow it, and the log's name, which is derived from the first
 * @throws Fault KEY_UNSAFE, SIGNER_UNAVAILABLE
 */
export async function openSigner({
  home,
  tenant,
  ledger,
}: SignerSettings): Promise<{ signer: Signer; signingKeys: SigningKeys; origin: string }> {
  const { url, timeout: timeoutMs, ...vault } = ledger.signer
  if (url !== undefined) {
    const opened = await vaultTransit({ url, timeoutMs, ...vault })
    return { ...opened, origin: originOf(opened.signer) }
  }
  const folder = join(home, 'keys')
  const signer = fileSigner(firstKey(folder, tenant))
  return { signer, signingKeys: folderKeys(folder, tenant), origin: originOf(signer) }
}
