/** What `ephor policy init` writes: small, true to what it says in its comments, and tested by its own cases. */

const POLICIES = `// Everything is refused unless a permit covers it, and a forbid wins over every permit.
//
// A policy says who (principal), what (action) and on which tool server (resource). Action::"read" stands for every
// tool that was accepted as a read; the other kinds are write, destructive, external, money and identity. One tool is
// Action::"server/tool".

@id("reads")
@reason("Reading is permitted.")
permit (
  principal is Agent,
  action in Action::"read",
  resource
);

// @obligation ties a permit to a condition that Ephor keeps.
@id("writes")
@reason("Writing is permitted, up to 60 times a minute.")
@obligation("limit:60/minute")
permit (
  principal is Agent,
  action in Action::"write",
  resource
);

// The permit says that money can be moved at all, the forbid below that two people agree to it first: with @approval a
// forbid holds the call and asks, without it nobody can lift it.
@id("pays")
@reason("Agents of finance may pay once people have agreed.")
permit (
  principal in Team::"finance",
  action in Action::"money",
  resource
);

@id("two-agree")
@reason("This moves money, so two people have to agree first.")
@approval("quorum:2 deadline:4h")
forbid (
  principal,
  action in Action::"money",
  resource
);

// Nobody leaves the folders that a tool server is confined to.
@id("outside")
@reason("The path is outside the folders that the tool server is confined to.")
forbid (principal, action, resource)
when { context has paths && !context.paths.outside.isEmpty() };
`

const TESTS = `# What these policies are for, as cases: ephor policy test runs them, with --coverage it says what they miss.
world: # what exists in the cases
  agents:
    - { name: helper }
    - { name: accountant, groups: [finance] }
  servers:
    - { name: files, folders: [/srv/shared] }
    - { name: bank }
  tools:
    - tool: files/read_file
      kind: read
      paths: [/path] # arguments that are file paths
      input: { type: object, properties: { path: { type: string } } }
    - { tool: files/write_file, kind: write }
    - { tool: bank/pay, kind: money }

cases:
  - name: who reads stays inside the folders
    who: helper
    what: files/read_file
    each: # a table: each row is a case
      - { input: { path: /srv/shared/notes.md }, expect: permit, reason: reads }
      - { input: { path: /etc/passwd }, expect: deny, reason: outside }

  - { name: writing has a pace, who: helper, what: files/write_file, expect: permit, obligations: ['limit:60/minute'] }

  - { name: only finance pays, who: helper, what: bank/pay, expect: deny, reason: POLICY_NO_PERMIT }

  - name: two people have to agree
    who: accountant
    what: bank/pay
    each:
      - { expect: hold, approvals: { two-agree: 'quorum:2 deadline:4h' } }
      - { approved: 1, expect: hold }
      - { approved: 2, expect: permit }

  # What holds of all requests, whatever their arguments: proven, or the request that breaks it is shown.
  - { name: money waits for people, never: { what: { kind: money } }, be: permit, approved: false }
  - { name: the helper never pays, never: { who: helper, what: { kind: money } }, be: [permit, hold] }
`

const CHARTER = `# The charter: who may change these policies, how risk is counted, how far agents go alone, and their budgets.
# Everything here can be left out. As it stands, whoever can write this folder changes the policies.

# authorities: # who reviews and publishes; the author of a change never counts
#   policy: { review: ['group:security'], publish: ['group:security'], reviewers: 1 }
#   charter: { review: ['group:board'], publish: ['group:board'], reviewers: 2 }

# appetite: { confirm: high, refuse: critical } # what risk waits for a person, and what nobody takes

# budgets:
#   calls_day: { measure: calls, per: agent, period: day, limit: 2000 }

tests: { required: true, coverage: 1 } # a version whose cases fail, or reach less than everything, is not published
`

/** Texts by file name. */
export const STARTER: Readonly<Record<string, string>> = {
  'charter.yaml': CHARTER,
  'policies.cedar': POLICIES,
  'policies.test.yaml': TESTS,
}
