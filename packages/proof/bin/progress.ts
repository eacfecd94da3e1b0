/** How far a long verification is, for a person who waits: on the error stream, and only if that is a terminal. */

const EVERY_MS = 200

/** `at` is told how many are done of how many; `end` clears the line. */
export function showProgress(what: string): { at: (done: number, size: number) => void; end: () => void } {
  const { stderr } = process
  let shown = stderr.isTTY ? performance.now() : Infinity
  let any = false
  return {
    at(done, size) {
      const now = performance.now()
      if (now - shown < EVERY_MS) return
      shown = now
      any = true
      stderr.write(`\r${done.toLocaleString('en-US')} of ${size.toLocaleString('en-US')} ${what} read`)
    },
    end() {
      if (any) stderr.write('\r\u001b[K')
    },
  }
}
