/** What a time-stamping authority is for the ledger. */

/** `token`: DER of an RFC 3161 TimeStampResp. `at`: its time, ms since 1970. */
export type Timestamp = { token: Uint8Array; at: number }

export interface TimestampAuthority {
  /** For messages: where it is. */
  readonly name: string
  /** Stamps the SHA-256 of `data`. @throws Fault TIMESTAMP_REFUSED when no timestamp comes that verifies */
  readonly stamp: (data: Uint8Array) => Promise<Timestamp>
}
