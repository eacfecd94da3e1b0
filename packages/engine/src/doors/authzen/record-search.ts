/** Leaves a record of a search: who looked for what, and how much was found. */
import type { JsonObject } from '@ephor/engine/kernel'
import { pickApplication } from '../rooms.ts'
import type { DoorRooms } from '../rooms.ts'
import type { Asker } from './evaluate.ts'

/** @throws Fault STORE_UNAVAILABLE: what can't be recorded is not answered. */
export async function recordSearch(
  rooms: DoorRooms,
  { who, application: name }: Asker,
  kind: string,
  query: JsonObject,
  found: number,
): Promise<void> {
  const { name: application, version } = pickApplication(rooms, who, name)
  const body = { application, version, kind, found, enforcementPoint: who.id }
  const payloads = [{ name: 'query', subject: who.id, value: query }]
  await rooms.ledger.append({ changes: [], entries: [{ type: 'access.searched', body, payloads }] })
}
