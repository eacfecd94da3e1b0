/** What signs a ledger's checkpoints: the private half of its key, wherever that is kept. */

export type Signer = {
  /** Ed25519: the 32 bytes of RFC 8032. */
  readonly publicKey: Uint8Array
  /**
   * An Ed25519 signature, 64 bytes.
   * @throws Fault SIGNER_UNAVAILABLE when the key can't be used now; what was to be signed is asked for again.
   */
  readonly sign: (bytes: Uint8Array) => Promise<Uint8Array>
}
