/** Where a mirror of the published log is kept: objects by path. */

export type MirrorObject = { bytes: Uint8Array; /** Names this state of the object; for `replace`. */ tag: string | undefined }

export interface MirrorTarget {
  /** For messages, without secrets. */
  readonly name: string
  /** undefined when there is none. */
  get(path: string): Promise<MirrorObject | undefined>
  has(path: string): Promise<boolean>
  /** Writes an object that never changes. @returns false when there is one with other bytes, which stays as it is */
  putOnce(path: string, bytes: Uint8Array): Promise<boolean>
  /**
   * Writes an object that changes. @param earlier what is replaced; undefined when there is none
   * @returns false when it is no longer what it was, which stays as it is
   */
  replace(path: string, bytes: Uint8Array, earlier: MirrorObject | undefined): Promise<boolean>
}
