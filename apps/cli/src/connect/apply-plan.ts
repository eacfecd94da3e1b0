/** Connects a client: its servers go to Ephor, then its file is rewritten to have one entry, with a backup beside it. */
import { Fault } from '@ephor/contract'
import { edit, parseConfiguration } from './configuration.ts'
import { readConnections, writeConnections } from './connections.ts'
import { ENTRY, entryFor } from './entry-for.ts'
import { digestOf, readWhole, replaceFile, writeNew } from './files.ts'
import type { Machine } from './find-configurations.ts'
import { survey } from './plan-connection.ts'
import type { Candidate } from './plan-connection.ts'
import type { Applied, Importer, Location, MissingSecret, Plan, Target } from './types.ts'

export type ApplyOptions = {
  target: Target
  importer: Importer
  machine: Machine
  /** Ephor's data folder. */
  home: string
  /** Milliseconds since 1970. */
  now: number
}

/** How many names are tried when another server has the one wanted. */
const MAX_NAMES = 20

/** @returns the name it got. The same server again gets the same name, since proposing is idempotent. */
async function propose(importer: Importer, candidate: Candidate): Promise<{ as: string; missing: MissingSecret[] }> {
  for (let i = 1; ; i++) {
    const as = i === 1 ? candidate.as : `${candidate.as}-${i}`
    const { draft, missing } = candidate.draft(as)
    try {
      await importer.proposeServer(draft)
      return { as, missing }
    } catch (error) {
      if (!(error instanceof Fault) || error.code !== 'CONFLICT' || i === MAX_NAMES) throw error
    }
  }
}

/**
 * Nothing of the file changes unless every server was imported; running it again finishes what was interrupted.
 * @throws Fault CONFLICT when the file is not the one that was planned for
 */
export async function applyPlan(plan: Plan, place: Location, { target, importer, machine, home, now }: ApplyOptions): Promise<Applied> {
  const { file } = place
  const { bytes, digest } = readWhole(file)
  if (digest !== plan.digest) throw new Fault('CONFLICT', `${file} changed since it was looked at; look at it again`, { where: file })
  const { candidates, servers, sections } = survey(parseConfiguration(bytes.toString(), file), place, machine)
  const left = servers.flatMap((server) => (server.action === 'leave' ? [{ name: server.name, because: server.because }] : []))
  if (plan.changes.length === 0) return { file, imported: [], left, missing: [] }

  const imported: { name: string; section: string[]; as: string }[] = []
  const missing: MissingSecret[] = []
  for (const candidate of candidates) {
    const { as, missing: unknown } = await propose(importer, candidate)
    imported.push({ name: candidate.name, section: candidate.section, as })
    missing.push(...unknown)
  }

  let text = bytes.toString()
  for (const { name, section } of imported) text = edit(text, [...section, name], undefined)
  text = edit(text, [...sections[0], ENTRY], entryFor(place.client, target, place.scope === 'project').value)
  const after = Buffer.from(text)

  const backup = `${file}.ephor-backup-${new Date(now).toISOString().replaceAll(/[-:.]/g, '')}`
  writeNew(backup, bytes, 0o600)
  // Recorded first: a file that was rewritten can always be restored.
  writeConnections(home, [
    ...readConnections(home),
    {
      file,
      client: place.client,
      at: new Date(now).toISOString(),
      backup,
      before: digest,
      after: digestOf(after),
      entry: sections[0],
      servers: imported,
    },
  ])
  replaceFile(file, after, digest)
  return { file, backup, imported: imported.map(({ name, as }) => ({ name, as })), left, missing }
}
