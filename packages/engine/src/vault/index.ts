/** The vault: secrets sealed under the installation's key, named in settings as `secret:NAME`, never shown. */
export type { Secret, Vault } from './types.ts'
