/** Tasks on the wire: as revision 2025-11-25 has them in its core, and 2026-07-28 as the extension `io.modelcontextprotocol/tasks`. */
import { ProtocolError, RELATED_TASK_META_KEY } from '@modelcontextprotocol/server'
import { isoTime } from '@ephor/engine/kernel'
import type { Json, JsonObject } from '@ephor/engine/kernel'
import { z } from 'zod'
import { objectAt } from './caller.ts'
import type { Caller } from './caller.ts'
import { decisionIn, errorOf, explain, invalidParams, withReceipt } from './replies.ts'
import type { TaskState, Tasks } from './tasks.ts'

export const TASKS_EXTENSION = 'io.modelcontextprotocol/tasks'
/** The one revision that has tasks in its core. */
export const TASKS_REVISION = '2025-11-25'
/** What a server of that revision offers. Lists are not: an id that was handed out is enough. */
export const TASKS_CAPABILITY: JsonObject = { cancel: {}, requests: { tools: { call: {} } } }

export const TASK_METHODS: ReadonlySet<string> = new Set(['tasks/get', 'tasks/update', 'tasks/cancel'])

/** What a language model can be told while the task goes on. */
const IMMEDIATE_RESPONSE = 'io.modelcontextprotocol/model-immediate-response'

/** A person decides in seconds at best. */
const POLL_MS = 2_000
const TASK_OVER = -32602
const CANCELLED = -32010

const Params = z.looseObject({ taskId: z.string().max(64) })

function idIn(params: JsonObject): string {
  const parsed = Params.safeParse(params)
  if (!parsed.success) throw invalidParams('params/taskId: must be the id of a task')
  return parsed.data.taskId
}

/** Whether a client of revision 2026-07-28 can wait for tasks. */
export function declaresTasks(capabilities: JsonObject): boolean {
  return objectAt(objectAt(capabilities, 'extensions'), TASKS_EXTENSION) !== undefined
}

/** What tool servers may know of a client: the tasks are between it and Ephor. */
export function withoutTasks({ tasks: _tasks, extensions, ...rest }: JsonObject): JsonObject {
  if (extensions === undefined) return rest
  const { [TASKS_EXTENSION]: _ours, ...others } = objectAt({ extensions }, 'extensions') ?? {}
  return { ...rest, extensions: others }
}

function times({ createdAt, updatedAt, message }: TaskState): JsonObject {
  return { statusMessage: message, createdAt: isoTime(createdAt), lastUpdatedAt: isoTime(updatedAt) }
}

/** In this revision a result that says that it is an error makes a failed task. */
function taskOf2025(state: TaskState): JsonObject {
  const { id, status, ttlMs, answer } = state
  const failed = answer !== undefined && ('error' in answer || answer.result['isError'] === true)
  const shown = status === 'ended' ? (failed ? 'failed' : 'completed') : status
  return { taskId: id, status: shown, ...times(state), ttl: ttlMs, pollInterval: POLL_MS }
}

/** In this revision only a JSON-RPC error makes a failed task; the answer stands in it. */
function taskOf2026(state: TaskState): JsonObject {
  const { id, status, ttlMs, answer } = state
  const common = { taskId: id, ...times(state), ttlMs, pollIntervalMs: POLL_MS }
  if (answer === undefined || status !== 'ended') return { ...common, status: status === 'ended' ? 'working' : status }
  return 'error' in answer
    ? { ...common, status: 'failed', error: errorOf(answer.error) }
    : { ...common, status: 'completed', result: answer.result }
}

/**
 * A call that a client of revision 2025-11-25 made as a task: the held one waits, every other one has run and is asked
 * for like one that still does.
 */
export async function callAsTask(
  tasks: Tasks,
  caller: Caller,
  now: number,
  call: (caller: Caller) => Promise<JsonObject>,
): Promise<JsonObject> {
  let held: JsonObject | undefined
  const result = await call({
    ...caller,
    onHeld(which) {
      held = withReceipt({ task: taskOf2025(tasks.held(which)), _meta: { [IMMEDIATE_RESPONSE]: explain(which) } }, which)
      return held
    },
  })
  if (held !== undefined) return held
  const done: TaskState = {
    id: decisionIn(result),
    status: 'working',
    message: 'The call was decided',
    createdAt: now,
    updatedAt: now,
    ttlMs: null,
  }
  return { task: taskOf2025(done) }
}

/** `tasks/get`, `tasks/result` and `tasks/cancel` of revision 2025-11-25; undefined for other methods. */
export async function answerTask2025(tasks: Tasks, caller: Caller, method: string, params: JsonObject): Promise<JsonObject | undefined> {
  if (method === 'tasks/get') return taskOf2025(await tasks.get(caller, idIn(params)))
  if (method === 'tasks/cancel') {
    const before = await tasks.get(caller, idIn(params))
    if (before.status !== 'working') throw new ProtocolError(TASK_OVER, 'The task is over already')
    return taskOf2025(await tasks.cancel(caller, idIn(params)))
  }
  if (method !== 'tasks/result') return undefined
  const { id, answer, message } = await tasks.wait(caller, idIn(params))
  if (answer === undefined) throw new ProtocolError(CANCELLED, message)
  if ('error' in answer) throw answer.error
  const related: Json = { taskId: id }
  return { ...answer.result, _meta: { ...objectAt(answer.result, '_meta'), [RELATED_TASK_META_KEY]: related } }
}

/** What a client of revision 2026-07-28 that declared the extension gets for a held call. */
export function onHeld2026(tasks: Tasks): NonNullable<Caller['onHeld']> {
  return (held) => withReceipt({ ...taskOf2026(tasks.held(held)), resultType: 'task' }, held)
}

/** `tasks/get`, `tasks/update` and `tasks/cancel` of the extension. Nobody is asked anything in a task: updates are acknowledged. */
export async function answerTask2026(tasks: Tasks, caller: Caller, method: string, params: JsonObject): Promise<JsonObject> {
  const id = idIn(params)
  if (method === 'tasks/get') return taskOf2026(await tasks.get(caller, id))
  await (method === 'tasks/cancel' ? tasks.cancel(caller, id) : tasks.get(caller, id))
  return {}
}
