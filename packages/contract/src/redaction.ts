/** What `@obligation("redact:…")` can name: the categories that the detectors know, for whoever checks a policy and whoever keeps it. */

export const REDACTION_CATEGORIES = ['ssn', 'credit-card', 'iban', 'email', 'phone', 'ip', 'secret'] as const

export type RedactionCategory = (typeof REDACTION_CATEGORIES)[number]

export function isRedactionCategory(name: string): name is RedactionCategory {
  return (REDACTION_CATEGORIES as readonly string[]).includes(name)
}
