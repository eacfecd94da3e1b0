/** Guards: detectors of personal data and secrets, and values without them. */
export { detect } from './detect.ts'
export { redact } from './redact.ts'
export { startRedactor } from './start-redactor.ts'
export type { Redactor } from './start-redactor.ts'
export type { Found, Redacted } from './types.ts'
