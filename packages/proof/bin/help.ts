/** What `ephor-verify --help` prints. */
export const HELP = `Usage: ephor-verify [log] FOLDER [options]
       ephor-verify [receipt] RECEIPT.json --proof FILE --vkey KEY [options]
       ephor-verify [entry] FILE.tlog-proof --entry ENTRY.json --vkey KEY [options]
       ephor-verify [evidence] BUNDLE.json [options]

Verifies what an Ephor ledger gave out, without its server and without the network:
an exported log as a whole; the receipt of a call; one entry by its proof
(c2sp.org/tlog-proof); a signed evidence bundle. What a file is, its content says.

Options:
  --vkey KEY|FILE      The log's verifier key, as you got it from a source you trust.
                       An older key of the log will do for a log or a bundle: its own
                       entries lead from there to the newest. Without it the key in the
                       folder or bundle is used, which shows only that it is consistent
                       in itself, not whose log it is.
  --earlier FILE       For a log. A checkpoint of it that you kept from before: also shows
                       that nothing it covered was dropped, changed or replaced.
  --proof FILE         For a receipt: the proof for its place.
  --entry FILE         For a proof: the entry that it is about, as JSON.
  --witness KEY|FILE   A witness whose cosignature counts; once for each.
  --require K          How many of these witnesses must have cosigned; all, if not said.
  --json               The result as one JSON object.
  --help               This text.

Exit codes: 0 verified, 1 does not verify, 2 wrong use (or a file can't be read).
`
