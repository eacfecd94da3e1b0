/** What an API operation is: the one description that the server mounts, the client calls and the OpenAPI document shows. */
import type { z } from 'zod'

export type Operation = {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** With `{name}` for parameters, as OpenAPI writes it. */
  path: string
  summary: string
  tag: string
  /** Who may call it. `either`: a person or an agent. */
  who: 'anyone' | 'agent' | 'person' | 'either'
  params?: z.ZodObject
  query?: z.ZodObject
  body?: z.ZodType
  /** The success status; 200 unless said. */
  status?: number
  response: z.ZodType
  /** The response is `text/event-stream`, one `response` an event, or what `media` says. */
  stream?: true
  /** The media type of a response that is streamed, where it is not events. */
  media?: string
}

export type Operations = Record<string, Operation>

type Input<T> = T extends z.ZodType ? z.output<T> : undefined

/** The parsed input of an operation, as its handler sees it. */
export type OperationInput<O extends Operation> = {
  params: Input<O['params']>
  query: Input<O['query']>
  body: Input<O['body']>
}

export type OperationResponse<O extends Operation> = z.input<O['response']>
