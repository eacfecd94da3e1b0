/** The words of the guards room: what a detector finds, and what is left of a value when that is taken out. */
import type { RedactionCategory } from '@ephor/contract'
import type { Json } from '@ephor/engine/kernel'

/** A stretch of text, in UTF-16 units; `end` is behind it. */
export type Span = { start: number; end: number }

/** Finds a category in a text. `name`: the key that the text stands under, '' where there is none. */
export type Detector = (text: string, name: string) => Span[]

export type Found = Span & { category: RedactionCategory }

export type Redacted =
  /** `found`: how many of each category were replaced. */
  | { kind: 'redacted'; value: Json; found: Partial<Record<RedactionCategory, number>> }
  /** It can't be examined, or not within bounds: it must not be passed on. `detail` says why, without any of the content. */
  | { kind: 'unexaminable'; detail: string }
