/** What the rows of policies should be: activations, stages and signatures by their entries, texts and worlds by their own digests. */
import { hash } from 'node:crypto'
import type { Json, JsonObject, Store } from '@ephor/engine/kernel'
import { asText, checkHeld, entryType, joinChecks, readJson, Uncovered } from '@ephor/engine/ledger'
import type { ProjectedRow, ProjectionCheck, Projector, StoredRow } from '@ephor/engine/ledger'
import { digestOfWorld, versionOf } from './digest.ts'
import { digestOfText } from './entries.ts'
import { readWorld } from './store.ts'
import type { PolicyFiles } from './types.ts'

type Row = Record<string, Json>
type Checked = Pick<ProjectionCheck, 'rows' | 'differences'>

/** The entries that say which texts are kept, by the field that names their version. */
const KEEPS_FILES = new Set(['policy.activated', 'policy.staged', 'rollout.proposed', 'backtest.started', 'application.activated'])
const SIGNATURE = 'policy_signature'

const filesShape = ({ version = null, files }: StoredRow): ProjectedRow => {
  const read = readJson(files)
  return { version: version as string, files: typeof read === 'object' && read !== null ? versionOf(read as PolicyFiles) : 'unreadable' }
}
const signatureShape = ({ envelope, ...plain }: StoredRow): ProjectedRow => ({
  ...(plain as Row),
  envelope: digestOfText(asText(envelope)),
})
const stageShape = ({ salt, ...plain }: StoredRow): ProjectedRow => ({
  ...(plain as Row),
  salt: salt === null ? null : digestOfText(asText(salt)),
})
const partShape = ({ digest, content }: StoredRow): ProjectedRow => ({
  digest: digest as string,
  content: `sha256:${hash('sha256', asText(content), 'hex')}`,
})

/** Signatures and the folder, step by step. */
class Signatures {
  readonly rows = new Map<string, Row>()
  readonly uncovered: Uncovered
  /** Undefined: an entry of before does not say it. Null: nothing was kept yet. */
  folder: string | null | undefined = null
  #staged: string | undefined

  constructor(uncovered: Uncovered) {
    this.uncovered = uncovered
  }

  #withdraw(version: unknown): void {
    const row = typeof version === 'string' ? this.rows.get(version) : undefined
    if (row) row['withdrawn'] = 1
  }

  #put(version: string, signed: Json | undefined): void {
    if (typeof signed === 'string') this.rows.set(version, { version, envelope: signed, withdrawn: 0 })
    else this.rows.set(version, { ...this.rows.get(version), version, withdrawn: 0 })
    if (signed === undefined) this.uncovered.add(SIGNATURE, version, 'envelope')
  }

  activated(body: JsonObject): void {
    const { version, previous, withdraws, signed, folder } = body
    this.#withdraw(withdraws)
    if (signed === undefined) {
      const replaced = this.rows.get(asText(previous))
      if (replaced && delete replaced['withdrawn']) this.uncovered.add(SIGNATURE, asText(previous), 'withdrawn')
      const before = this.rows.get(asText(version))
      if (before) delete before['envelope']
      this.folder = undefined
    }
    if (typeof folder === 'string') this.folder = folder
    this.#put(asText(version), signed)
  }

  staged({ version, signed }: JsonObject): void {
    if (typeof version === 'string') this.#put(version, signed)
    else this.#withdraw(this.#staged)
    this.#staged = typeof version === 'string' ? version : undefined
  }
}

export function policyProjector({ store }: { store: Store }): Projector {
  const uncovered = new Uncovered()
  const signatures = new Signatures(uncovered)
  const bundles = new Map<number, Row>()
  const stages = new Map<number, Row>()
  const files = new Set<string>()
  /** What each world reads as: its own digest, until one of its agents is erased. */
  const worlds = new Map<string, string>()

  function activated(body: JsonObject): void {
    const { activation, version = null, activatedAt } = body
    const row = { activation: activation ?? null, version }
    bundles.set(Number(activation), activatedAt === undefined ? row : { ...row, activated_at: activatedAt })
    if (activatedAt === undefined) uncovered.add('policy_bundle', asText(activation), 'activated_at')
    signatures.activated(body)
  }

  function staged(body: JsonObject): void {
    const { step, activation = null, version = null, mode = null, percent = null, salt, signed } = body
    const row = { step: step ?? null, activation, version, mode, percent }
    stages.set(Number(step), signed === undefined ? row : { ...row, salt: salt ?? null })
    if (signed === undefined) uncovered.add('policy_stage', asText(step), 'salt')
    signatures.staged(body)
  }

  /** Parts are named by worlds, and worlds by what their parts say together. */
  async function checkWorlds(): Promise<Checked[]> {
    const parts = new Set<string>()
    const namedBy = new Map<string, string[]>()
    const shape = ({ digest, parts: named }: StoredRow): ProjectedRow => {
      const read = readJson(named)
      const digests = typeof read === 'object' && read !== null ? Object.values(read).map(String) : []
      if (worlds.has(asText(digest))) for (const part of digests) parts.add(part)
      namedBy.set(asText(digest), digests)
      return { digest: digest as string }
    }
    const rows = await checkHeld(
      { store, table: 'policy_world', key: ['digest'], shape },
      [...worlds.keys()].map((digest) => ({ digest })),
    )
    const contents = await checkHeld(
      { store, table: 'policy_world_part', key: ['digest'], shape: partShape },
      [...parts].map((digest) => ({ digest, content: digest })),
    )
    const wrong = new Set(contents.differences.filter(({ field }) => field !== undefined).map(({ key }) => key))
    for (const [digest, digests] of namedBy) {
      const reads = worlds.get(digest)
      if (reads === undefined || digests.some((part) => wrong.has(part))) continue
      const world = await readWorld(store, digest).catch(() => undefined)
      if (world === undefined || digestOfWorld(world) !== reads)
        rows.differences.push({
          table: 'policy_world',
          key: digest,
          field: 'parts',
          detail: 'its parts are not the world with this digest',
        })
    }
    return [rows, contents]
  }

  async function checkFolder(): Promise<Checked> {
    const { folder } = signatures
    const checked = await checkHeld({ store, table: 'policy_folder', key: [] }, typeof folder === 'string' ? [{ version: folder }] : [])
    return folder === undefined ? { ...checked, differences: [] } : checked
  }

  return {
    take(entry) {
      const { body } = entry
      const type = entryType(entry)
      if (KEEPS_FILES.has(type) && typeof body['version'] === 'string') files.add(body['version'])
      if (type === 'policy.activated') activated(body)
      else if (type === 'policy.staged') staged(body)
      else if (type === 'policy.world') worlds.set(asText(body['world']), asText(body['world']))
      else if (type === 'policy.world.erased')
        for (const [digest, reads] of Object.entries((body['worlds'] ?? {}) as Record<string, string>)) worlds.set(digest, reads)
    },
    async finish() {
      const kept = [...files].map((version) => ({ version, files: version }))
      return joinChecks(
        [
          await checkHeld({ store, table: 'policy_bundle', key: ['activation'] }, [...bundles.values()]),
          await checkHeld({ store, table: 'policy_stage', key: ['step'], shape: stageShape }, [...stages.values()]),
          await checkHeld({ store, table: SIGNATURE, key: ['version'], shape: signatureShape }, [...signatures.rows.values()]),
          await checkHeld({ store, table: 'policy_files', key: ['version'], shape: filesShape }, kept),
          await checkFolder(),
          ...(await checkWorlds()),
        ],
        uncovered,
      )
    },
  }
}
