/** Signed envelopes (DSSE v1, github.com/secure-systems-lab/dsse) with Ed25519: what is signed names its own type. */
import { concatBytes, fromBase64, sameBytes, toBase64, utf8 } from './bytes.ts'
import { verifyEd25519 } from './ed25519.ts'
import type { Sign } from './ed25519.ts'
import { ProofError } from './proof-error.ts'

/** The JSON envelope. `keyid` is a hint that nobody signed. */
export type DsseEnvelope = { payloadType: string; payload: string; signatures: { keyid?: string; sig: string }[] }

const MAX_SIGNATURES = 100

/** What is signed (protocol.md, PAE), so that no signature over anything else can be taken for it. */
export function dssePreAuth(payloadType: string, payload: Uint8Array): Uint8Array {
  const type = utf8(payloadType)
  return concatBytes(utf8(`DSSEv1 ${type.length} `), type, utf8(` ${payload.length} `), payload)
}

/** @param signer `keyid` is written beside the signature, as a hint */
export async function signDsse(
  { payloadType, payload }: { payloadType: string; payload: Uint8Array },
  { keyid, sign }: { keyid: string; sign: Sign },
): Promise<DsseEnvelope> {
  const sig = toBase64(await sign(dssePreAuth(payloadType, payload)))
  return { payloadType, payload: toBase64(payload), signatures: [{ keyid, sig }] }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Verifiers must take both alphabets (protocol.md, "Protocol"); each in its canonical form. */
function decode(text: string): Uint8Array {
  return fromBase64(/[+/]/.test(text) ? text : text.replaceAll('-', '+').replaceAll('_', '/'))
}

function malformed(detail: string): never {
  throw new ProofError('FORMAT_INVALID', detail)
}

/** @throws ProofError FORMAT_INVALID; members that the specification does not know are ignored, as it says. */
export function parseDsse(text: string): DsseEnvelope {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return malformed('the envelope is not JSON')
  }
  if (!isRecord(value)) return malformed('the envelope is not a JSON object')
  const { payloadType, payload, signatures } = value
  if (typeof payloadType !== 'string' || typeof payload !== 'string' || !Array.isArray(signatures))
    return malformed('the envelope has no payload, type or signatures')
  if (signatures.length > MAX_SIGNATURES) return malformed(`more than ${MAX_SIGNATURES} signatures`)
  return {
    payloadType,
    payload,
    signatures: signatures.map((signature: unknown) => {
      if (!isRecord(signature) || typeof signature['sig'] !== 'string') return malformed('a signature of the envelope is malformed')
      const { keyid, sig } = signature
      return typeof keyid === 'string' ? { keyid, sig } : { sig }
    }),
  }
}

/** The payload before anybody has checked who signed it. @throws ProofError FORMAT_INVALID */
export function readDssePayload({ payload }: DsseEnvelope): Uint8Array {
  return decode(payload)
}

/**
 * Checks an envelope against one key; signatures of others are ignored.
 * @param publicKey the 32 bytes of RFC 8032
 * @returns the very bytes that were signed: parse these, not the envelope
 * @throws ProofError FORMAT_INVALID; PROOF_INVALID when it is of another type or this key did not sign it.
 */
export async function verifyDsse(
  envelope: string | DsseEnvelope,
  { payloadType, publicKey }: { payloadType: string; publicKey: Uint8Array },
): Promise<Uint8Array> {
  const given = parseDsse(typeof envelope === 'string' ? envelope : JSON.stringify(envelope))
  const payload = decode(given.payload)
  const signed = dssePreAuth(given.payloadType, payload)
  const tried: Uint8Array[] = []
  for (const { sig } of given.signatures) {
    const signature = decode(sig)
    if (tried.some((before) => sameBytes(before, signature))) return malformed('a signature of the envelope stands there twice')
    tried.push(signature)
    if (!(await verifyEd25519(publicKey, signature, signed))) continue
    if (given.payloadType !== payloadType)
      throw new ProofError('PROOF_INVALID', `the envelope holds ${JSON.stringify(given.payloadType)}, not ${payloadType}`)
    return payload
  }
  throw new ProofError('PROOF_INVALID', 'the envelope is not signed by this key')
}
