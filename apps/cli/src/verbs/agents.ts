/** `ephor agents`: who may call tools, and what they prove themselves with. */
import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { Fault } from '@ephor/contract'
import type { Standing } from '@ephor/contract'
import type { CommonOptions, Connection } from '../connection.ts'
import { ago, facts, json, line, table } from '../output.ts'
import type { Io } from '../output.ts'
import { examples, paging, served, withPaging, withServer } from '../verb.ts'
import type { PagingOptions } from '../verb.ts'

type TokenOptions = CommonOptions & { list?: boolean; rotate?: string; revoke?: string; publicKey?: string; onBehalfOf?: string }

async function token(io: Io, { client }: Connection, options: TokenOptions, id: string): Promise<void> {
  const idempotencyKey = crypto.randomUUID()
  if (options.list) {
    const { items } = await client.listCredentials({ params: { id } })
    if (options.json) return json(io, items)
    const now = Date.now()
    return table(
      io,
      items,
      [
        ['id', (row) => row.id],
        ['kind', ({ kind }) => kind],
        ['state', ({ state }) => state],
        ['issued', ({ issuedAt, rotatedAt }) => ago(rotatedAt ?? issuedAt, now)],
        ['for', ({ onBehalfOf }) => onBehalfOf],
      ],
      'The agent has no credentials: ephor agents token <id>.',
    )
  }
  if (options.revoke !== undefined) {
    const revoked = await client.revokeCredential({ params: { id: options.revoke }, idempotencyKey })
    return options.json ? json(io, revoked) : line(io, `Revoked ${revoked.id}: it and every token made with it open nothing any more.`)
  }
  const forPerson = options.onBehalfOf === undefined ? {} : { onBehalfOf: options.onBehalfOf }
  const issued =
    options.rotate === undefined
      ? await client.issueCredential({
          params: { id },
          body:
            options.publicKey === undefined
              ? { kind: 'secret', ...forPerson }
              : { kind: 'key', jwk: readJwk(options.publicKey), ...forPerson },
          idempotencyKey,
        })
      : await client.rotateCredential({ params: { id: options.rotate }, idempotencyKey })
  if (options.json) return json(io, issued)
  facts(io, [
    ['credential', issued.id],
    ['secret', issued.secret],
    ['key', issued.thumbprint],
  ])
  if (issued.secret) io.stderr.write('Keep the secret now: it is not shown again.\n')
}

function readJwk(file: string): { kty: 'OKP'; crv: 'Ed25519'; x: string } {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as { kty: 'OKP'; crv: 'Ed25519'; x: string }
  } catch (error) {
    throw new Fault('REQUEST_INVALID', `${file} is not a public key in JWK form: ${(error as Error).message}`)
  }
}

export function addAgents(program: Command, io: Io): void {
  const agents = program.command('agents').description('who may call tools')

  const add = withServer(agents.command('add').argument('<name>').description('register an agent'))
  add
    .requiredOption('--purpose <text>', 'what it is for')
    .option('--owner <owner>', 'a person (per_…) or a team; you unless said')
    .option('--expires <time>', 'RFC 3339; 90 days from now unless said')
  add.action(
    served(io, async ({ client }, options: CommonOptions & { purpose: string; owner?: string; expires?: string }, name: string) => {
      const { purpose, owner, expires } = options
      const agent = await client.registerAgent({
        body: { name, purpose, ...(owner && { owner }), ...(expires && { expiresAt: expires }) },
        idempotencyKey: crypto.randomUUID(),
      })
      if (options.json) return json(io, agent)
      line(io, `Registered ${agent.id} (${agent.name}) until ${agent.expiresAt}. Give it a credential: ephor agents token ${agent.id}`)
    }),
  )
  examples(add, 'agents add invoices --purpose "files incoming invoices" --owner finance')

  const list = withPaging(withServer(agents.command('list').description('list the agents')))
  list.action(
    served(io, async ({ client }, options: CommonOptions & PagingOptions) => {
      const page = await client.listAgents({ query: paging(options) })
      if (options.json) return json(io, page)
      const now = Date.now()
      table(
        io,
        page.items,
        [
          ['id', ({ id }) => id],
          ['name', ({ name }) => name],
          ['state', ({ state }) => state],
          ['expires', ({ expiresAt }) => ago(expiresAt, now)],
          ['owner', ({ owner }) => owner],
          ['purpose', ({ purpose }) => purpose],
        ],
        'No agents: ephor agents add.',
      )
    }),
  )

  const tokens = withServer(
    agents.command('token').argument('<id>', 'agt_…').description('give an agent a credential; list, rotate or revoke its credentials'),
  )
  tokens
    .option('--list', 'list its credentials')
    .option('--rotate <credential>', 'a new secret for crd_…; the old one opens nothing any more')
    .option('--revoke <credential>', 'revoke crd_… at once')
    .option('--public-key <file>', 'register an Ed25519 public key (JWK) instead of making a secret')
    .option('--on-behalf-of <person>', 'per_…: whoever uses it acts for this person, who may then not approve its calls')
  tokens.action(served(io, (connection, options: TokenOptions, id: string) => token(io, connection, options, id)))
  examples(tokens, 'agents token agt_01kf…', 'agents token agt_01kf… --revoke crd_01kf…')

  const trust = withServer(
    agents.command('trust').argument('<id>', 'agt_…').description('say how far an agent is trusted, for policies to go by'),
  )
  trust
    .option('--team <team...>', 'teams that it is in, besides the one that owns it')
    .option('--tier <tier>', '0 to 9; the higher, the less it may do', Number)
    .option('--standing <standing>', 'new, good or watched')
  trust.action(
    served(io, async ({ client }, options: CommonOptions & { team?: string[]; tier?: number; standing?: Standing }, id: string) => {
      const { team = [], tier, standing } = options
      const agent = await client.trustAgent({
        params: { id },
        body: { groups: team, ...(tier === undefined ? {} : { tier }), ...(standing === undefined ? {} : { standing }) },
        idempotencyKey: crypto.randomUUID(),
      })
      if (options.json) return json(io, agent)
      const said = [agent.tier === undefined ? 'no tier' : `tier ${agent.tier}`, `standing ${agent.standing ?? 'unsaid'}`]
      line(io, `${agent.id} (${agent.name}): ${said.join(', ')}, teams ${agent.groups.join(' ') || 'none'}.`)
    }),
  )
  examples(trust, 'agents trust agt_01kf… --team finance --tier 2 --standing good')

  const retire = withServer(
    agents.command('retire').argument('<id>', 'agt_…').description('retire an agent: its credentials open nothing any more'),
  )
  retire.action(
    served(io, async ({ client }, options: CommonOptions, id: string) => {
      const agent = await client.retireAgent({ params: { id }, idempotencyKey: crypto.randomUUID() })
      if (options.json) json(io, agent)
      else line(io, `Retired ${agent.id} (${agent.name}).`)
    }),
  )
}
