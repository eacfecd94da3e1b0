/** A map that counts its changes, so that whoever read the store meanwhile can tell that it read something older. */

export class Known<T> extends Map<string, T> {
  changes = 0

  override set(key: string, value: T): this {
    this.changes++
    return super.set(key, value)
  }

  override delete(key: string): boolean {
    this.changes++
    return super.delete(key)
  }

  /** Changed in place, since others hold the map; what stays is never missing for a moment. */
  replace(rows: Iterable<readonly [string, T]>): void {
    const next = new Map(rows)
    for (const key of this.keys()) if (!next.has(key)) this.delete(key)
    for (const [key, value] of next) this.set(key, value)
  }
}
