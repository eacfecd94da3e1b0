/** The vault: secrets sealed under the installation's key, named in settings as `secret:NAME`, never shown. */
export { openVault, vaultMigrations } from './open-vault.ts'
export type { VaultOptions } from './open-vault.ts'
export { mountVault } from './routes.ts'
export type { Secret, Vault } from './types.ts'
