/** Agents of the registry: registered with an owner, a purpose and an end; extended; retired. */
import { randomBytes } from 'node:crypto'
import { Fault } from '@ephor/contract'
import type { Part } from '@ephor/engine/ledger'
import { digestOfJson } from './check-definitions.ts'
import type { Parts } from './registry-servers.ts'
import { eraseAgentRow, extendAgentRow, insertAgent, retireAgentRow, trustAgentRow } from './store.ts'
import type { Agent, AgentDraft, Registry, Trust } from './types.ts'

const DAY = 86_400_000
const DEFAULT_DAYS = 90
const MAX_DAYS = 366
/** What stands where a name and a purpose were. */
const ERASED = 'erased'

/** What the ledger holds of who an agent is: salted, since names, owners and purposes can be personal. */
export function digestProfile({ salt, name, owner, purpose }: { salt: string; name: string; owner: string; purpose: string }): string {
  return digestOfJson({ salt, name, owner, purpose })
}

export function agentWrites({
  projection,
  ledger,
  clock,
  inTurn,
  tell,
}: Parts): Pick<Registry, 'registerAgent' | 'extendAgent' | 'trustAgent' | 'retireAgent' | 'isErased' | 'eraseAgent'> {
  function known(id: string): Agent {
    const agent = projection.agents.get(id)
    if (!agent) throw new Fault('AGENT_UNKNOWN', 'no agent is registered by this id')
    return agent
  }

  function expiry(given: number | undefined): number {
    const now = clock.now()
    const expiresAt = given ?? now + DEFAULT_DAYS * DAY
    if (!Number.isSafeInteger(expiresAt) || expiresAt <= now || expiresAt > now + MAX_DAYS * DAY)
      throw new Fault('REQUEST_INVALID', `the end is not in the next ${MAX_DAYS} days`, { where: 'expiresAt' })
    return expiresAt
  }

  async function refreshed(id: string): Promise<Agent> {
    try {
      await projection.refreshAgent(id)
    } catch (error) {
      // What is written is not known here any more: better unknown than still active.
      projection.agents.delete(id)
      throw error
    }
    tell({ agent: id })
    return known(id)
  }

  async function write(id: string, part: Part): Promise<Agent> {
    await ledger.append(part)
    return refreshed(id)
  }

  const isErased = ({ name, purpose }: Agent) => name === ERASED && purpose === ERASED

  return {
    isErased: (id) => isErased(known(id)),
    eraseAgent: (id, by, append) =>
      inTurn(async () => {
        const agent = known(id)
        if (agent.state !== 'retired') throw new Fault('STILL_ACTING', `${id} is active: retire it first`)
        const profile = { salt: randomBytes(16).toString('hex'), name: ERASED, owner: agent.owner, purpose: ERASED }
        const entry = { type: 'agent.erased', body: { agent: id, profile: digestProfile(profile), by } }
        const { done, written } = await append({ changes: [eraseAgentRow({ id, ...profile })], entries: [entry] })
        if (written) await refreshed(id)
        return done
      }),
    registerAgent: (draft: AgentDraft, by) =>
      inTurn(() => {
        const { name, owner, purpose } = draft
        const profile = { salt: randomBytes(16).toString('hex'), name, owner, purpose }
        const id = clock.id('agt')
        const expiresAt = expiry(draft.expiresAt)
        return write(id, {
          changes: [insertAgent({ id, ...profile, expires_at: expiresAt })],
          entries: [{ type: 'agent.registered', body: { agent: id, profile: digestProfile(profile), expiresAt, by } }],
        })
      }),
    extendAgent: (id, until, by) =>
      inTurn(() => {
        if (known(id).state === 'retired') throw new Fault('AGENT_RETIRED', 'a retired agent is not extended')
        const expiresAt = expiry(until)
        return write(id, {
          changes: [extendAgentRow(id, expiresAt)],
          entries: [{ type: 'agent.extended', body: { agent: id, expiresAt, by } }],
        })
      }),
    trustAgent: (id, trust: Trust, by) =>
      inTurn(() => {
        known(id)
        const groups = [...new Set(trust.groups)].toSorted()
        const [tier, standing] = [trust.tier ?? null, trust.standing ?? null]
        return write(id, {
          changes: [trustAgentRow(id, { groups: JSON.stringify(groups), tier, standing })],
          entries: [{ type: 'agent.trusted', body: { agent: id, groups, tier, standing, by } }],
        })
      }),
    retireAgent: (id, by) =>
      inTurn(async () => {
        const agent = known(id)
        if (agent.state === 'retired') return agent
        return write(id, { changes: [retireAgentRow(id)], entries: [{ type: 'agent.retired', body: { agent: id, by } }] })
      }),
  }
}
