/** Servers and tools of the registry: proposed, observed, accepted, classified, removed; each with its ledger entries. */
import { randomBytes } from 'node:crypto'
import { isAbsolute, resolve } from 'node:path'
import { Fault } from '@ephor/contract'
import type { Clock, JsonObject } from '@ephor/engine/kernel'
import type { Ledger, Part } from '@ephor/engine/ledger'
import { canonicalize } from '@ephor/proof'
import { checkDefinitions, digestOfJson, findingsOf } from './check-definitions.ts'
import type { Pinned } from './check-definitions.ts'
import { diffDefinitions } from './diff-definitions.ts'
import { planObservation } from './plan-observation.ts'
import type { Projection } from './projection.ts'
import { reclassify } from './propose-classification.ts'
import type { Proposal } from './propose-classification.ts'
import { acceptServerRow, acceptToolRow, classifyToolRow, insertServer, removeServerRow, setRefusal } from './store.ts'
import type { Acceptance, ServerDraft, Tool, ToolDiff, ToolServer } from './types.ts'
import { spellHidden } from './untrusted-text.ts'

/** Entries that one server's lists may cause in an hour: a server that changes its tools all the time can't fill the ledger. */
const MAX_ENTRIES_AN_HOUR = 2000
const HOUR = 3_600_000

export type Parts = {
  projection: Projection
  ledger: Ledger
  clock: Clock
  /** Runs one write at a time, so that what it checked in memory still holds when it commits. */
  inTurn: <T>(write: () => Promise<T>) => Promise<T>
  tell: (change: { server?: string; agent?: string }) => void
}

/** What the ledger holds of a server's settings: salted, since folders and addresses can name people. */
export function digestSettings(salt: string, transport: string, folders: string): string {
  return digestOfJson({ salt, transport, folders })
}

/** What accepting now would classify the tool as. */
function proposalOf(tool: Tool): Proposal {
  const { kind, risk, paths } = tool
  return tool.seen ? reclassify({ kind, risk, paths }, tool.definition, tool.seen) : { kind, risk, paths }
}

function diffTool(tool: Tool): ToolDiff {
  const { state, definition } = tool
  const [before, after] = [state === 'proposed' ? {} : definition, state === 'gone' ? {} : (tool.seen ?? definition)]
  return {
    tool: spellHidden(tool.name),
    state,
    ...(state === 'proposed' ? {} : { from: tool.digest }),
    ...(state === 'gone' ? {} : { to: tool.seen ? digestOfJson(tool.seen) : tool.digest }),
    proposal: proposalOf(tool),
    differences: diffDefinitions(before, after),
  }
}

function normalize(draft: ServerDraft): ServerDraft {
  const folders = draft.folders.map((folder, i) => {
    if (!isAbsolute(folder) || folder.includes('\0'))
      throw new Fault('REQUEST_INVALID', 'a folder is not an absolute path', { where: `folders/${i}` })
    return resolve(folder)
  })
  if (draft.transport.type === 'http' && !draft.transport.url.startsWith('secret:')) {
    const url = URL.parse(draft.transport.url)
    if (url?.protocol !== 'http:' && url?.protocol !== 'https:')
      throw new Fault('REQUEST_INVALID', 'the address is not http:// or https://', { where: 'transport/url' })
  }
  return { ...draft, folders }
}

export class ServerWrites {
  readonly #parts: Parts
  readonly #spent = new Map<string, { since: number; entries: number }>()

  constructor(parts: Parts) {
    this.#parts = parts
  }

  #known(name: string): ToolServer {
    const server = this.#parts.projection.servers.get(name)
    if (!server || server.state === 'removed') throw new Fault('SERVER_UNKNOWN', `no tool server is called ${name}`)
    return server
  }

  #toolsOf(name: string): Map<string, Tool> {
    return this.#parts.projection.tools.get(name) ?? new Map<string, Tool>()
  }

  async #write(name: string, part: Part): Promise<ToolServer> {
    await this.#parts.ledger.append(part)
    try {
      await this.#parts.projection.refreshServer(name)
    } catch (error) {
      this.#parts.projection.block(name, 'it could not be read back from the store')
      throw error
    }
    this.#parts.tell({ server: name })
    return this.#parts.projection.servers.get(name) as ToolServer
  }

  async #refuse(name: string, detail: string): Promise<never> {
    if (this.#parts.projection.refusals.get(name) !== detail)
      await this.#write(name, {
        changes: [setRefusal(name, detail)],
        entries: [{ type: 'server.refused', body: { server: name, detail } }],
      })
    throw new Fault('SERVER_REFUSED', `${name}: ${detail}`)
  }

  /** False when the server has used up what it may cause in this hour. */
  #mayWrite(name: string, entries: number): boolean {
    const now = this.#parts.clock.now()
    const last = this.#spent.get(name)
    const window = last && now - last.since < HOUR ? last : { since: now, entries: 0 }
    if (window.entries + entries > MAX_ENTRIES_AN_HOUR) return false
    this.#spent.set(name, { since: window.since, entries: window.entries + entries })
    return true
  }

  async propose(given: ServerDraft, by: string, prepare?: () => Promise<void>): Promise<ToolServer> {
    const draft = normalize(given)
    const { name } = draft
    const old = this.#parts.projection.servers.get(name)
    if (old && old.state !== 'removed') {
      if (canonicalize([old.transport, old.folders]) !== canonicalize([draft.transport, draft.folders]))
        throw new Fault('CONFLICT', `a tool server called ${name} exists; remove it first, or choose another name`)
      await prepare?.()
      return old
    }
    await prepare?.()
    const salt = randomBytes(16).toString('hex')
    const row = { name, transport: canonicalize(draft.transport), folders: canonicalize(draft.folders), salt }
    const settings = digestSettings(salt, row.transport, row.folders)
    return this.#write(name, { changes: insertServer(row), entries: [{ type: 'server.proposed', body: { server: name, settings, by } }] })
  }

  async observe(name: string, definitions: readonly JsonObject[]): Promise<void> {
    const server = this.#known(name)
    let seen: Map<string, Pinned>
    try {
      seen = checkDefinitions(definitions)
    } catch (error) {
      if (error instanceof Fault) return this.#refuse(name, error.message)
      throw error
    }
    const part = planObservation(name, this.#toolsOf(name), seen)
    if (this.#parts.projection.refusals.has(name)) {
      part.changes.push(setRefusal(name, null))
      part.entries.push({ type: 'server.heard', body: { server: name } })
    }
    if (part.entries.length > 0) {
      if (!this.#mayWrite(name, part.entries.length)) return this.#refuse(name, 'its tool list changes too often')
      await this.#write(name, part)
    } else if (server.error !== undefined) {
      await this.#parts.projection.refreshServer(name)
      this.#parts.tell({ server: name })
    }
  }

  /** As `observe`; a list that can't be recorded must not leave what it replaces callable. */
  async observeOrBlock(name: string, definitions: readonly JsonObject[]): Promise<void> {
    try {
      await this.observe(name, definitions)
    } catch (error) {
      if (!(error instanceof Fault) || (error.code !== 'SERVER_REFUSED' && error.code !== 'SERVER_UNKNOWN')) {
        this.#parts.projection.block(name, 'its tool list could not be recorded')
        this.#parts.tell({ server: name })
      }
      throw error
    }
  }

  fail(name: string, detail: string): void {
    const { projection, tell } = this.#parts
    const server = projection.servers.get(name)
    const error = spellHidden(detail).slice(0, 500)
    // A refused list weighs more: it keeps its words.
    if (!server || server.error === error || projection.refusals.has(name)) return
    projection.servers.set(name, { ...server, error })
    tell({ server: name })
  }

  findings(name: string): string[] {
    this.#known(name)
    const refusal = this.#parts.projection.refusals.get(name)
    const names = [...this.#toolsOf(name).values()].filter((tool) => tool.state !== 'gone').map((tool) => tool.name)
    return [...(refusal === undefined ? [] : [refusal]), ...findingsOf(names)]
  }

  #refuseAcceptance(name: string, { digest, tools = {} }: Acceptance): void {
    const server = this.#known(name)
    if (digest !== undefined && digest !== server.digest)
      throw new Fault('CONFLICT', `${name} is no longer what was looked at; its digest is ${server.digest} now`)
    const found = this.findings(name)
    if (found.length > 0) throw new Fault('SERVER_REFUSED', `${name}: ${found.join('; ')}`)
    const unknown = Object.keys(tools).find((tool) => !this.#toolsOf(name).has(tool))
    if (unknown !== undefined) throw new Fault('REQUEST_INVALID', `${name} has no tool called ${spellHidden(unknown)}`, { where: 'tools' })
  }

  async accept(name: string, choice: Acceptance, by: string): Promise<ToolServer> {
    this.#refuseAcceptance(name, choice)
    const part: Part = { changes: [acceptServerRow(name)], entries: [{ type: 'server.accepted', body: { server: name, by } }] }
    for (const tool of this.#toolsOf(name).values()) {
      const given = choice.tools && Object.hasOwn(choice.tools, tool.name) ? choice.tools[tool.name] : undefined
      if (tool.state === 'gone' || (tool.state === 'accepted' && !given)) continue
      const proposal = proposalOf(tool)
      const as = { kind: given?.kind ?? proposal.kind, risk: given?.risk ?? proposal.risk, paths: given?.paths ?? proposal.paths }
      const digest = tool.seen ? digestOfJson(tool.seen) : tool.digest
      part.changes.push(acceptToolRow(name, tool.name, digest, as))
      part.entries.push({ type: 'tool.accepted', body: { server: name, tool: tool.name, digest, ...as, by } })
    }
    return this.#write(name, part)
  }

  async classify(name: string, tool: string, { kind, risk, paths }: Proposal, by: string): Promise<Tool> {
    this.#known(name)
    if (!this.#toolsOf(name).has(tool)) throw new Fault('TOOL_UNKNOWN', `${name} has no tool called ${spellHidden(tool)}`)
    await this.#write(name, {
      changes: [classifyToolRow(name, tool, { kind, risk, paths })],
      entries: [{ type: 'tool.classified', body: { server: name, tool, kind, risk, paths, by } }],
    })
    return this.#toolsOf(name).get(tool) as Tool
  }

  async remove(name: string, by: string): Promise<ToolServer> {
    this.#known(name)
    return this.#write(name, { changes: removeServerRow(name), entries: [{ type: 'server.removed', body: { server: name, by } }] })
  }

  diff(name: string): ToolDiff[] {
    this.#known(name)
    return [...this.#toolsOf(name).values()].filter((tool) => tool.state !== 'accepted').map(diffTool)
  }
}
