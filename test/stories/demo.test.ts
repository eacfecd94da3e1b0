/** The demo that a newcomer runs first: it ends well, each of its steps is told, and it gives nothing away. */
import { stripVTControlCharacters } from 'node:util'
import { expect, test } from 'vitest'
import { runDemo } from './programs.ts'

test('npm run demo tells its story, and prints no credential, code, session or key', { timeout: 120_000 }, async () => {
  const { code, out, err } = await runDemo()
  expect([code, err]).toEqual([0, ''])
  const text = stripVTControlCharacters(out)
  const told = [
    /^1\. Start .*\n +It listens on http:\/\/127\.0\.0\.1:\d+ /m,
    /^2\. .*lists its tools\n +14 tools/m,
    /^3\. It reads a file: permitted\n +"Welcome to Ephor\."\n +receipt: decision dec_\w+, entry \d+ /m,
    /^4\. It writes a file: permitted.*\n +Successfully wrote/m,
    /^5\. It moves a file: held.*\n +Held: .* has not run\.\n +Why: /m,
    /^6\. A person .*approves it\n +files\/move_file: \{"destination":".*\}\n +because: .*\n +approved, for this call, once$/m,
    /^7\. .*\n +Successfully moved .*\n +Held: /m,
    /^8\. .*\n +Refused \(POLICY_DENIED\)(?:.*\n)+ +Refused \(TOOL_UNKNOWN\)/m,
    /^9\. The ledger is exported.*\n +checkpoint, ephor\.json, ledger\.vkey, tile in /m,
    /^10\. An auditor verifies it offline\n +Verified: /m,
    /^11\. .* one byte .*\n +DOES NOT VERIFY \[ENTRY_CHANGED\] at entry \d+/m,
    /^That is all of it\./m,
  ]
  let from = 0
  for (const line of told) {
    const found = text.slice(from).search(line)
    expect(found, `${line} in its place`).toBeGreaterThanOrEqual(0)
    from += found + 1
  }
  expect(text).not.toMatch(/ep[hls]_|eyJ|PRIVATE KEY/)
})
