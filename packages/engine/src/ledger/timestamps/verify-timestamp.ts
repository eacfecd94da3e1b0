/** Verifies an RFC 3161 timestamp: nothing of the authority's answer is believed that its certificate does not vouch for. */
import { createHash, timingSafeEqual, webcrypto } from 'node:crypto'
import type { X509Certificate } from 'node:crypto'
import * as asn1js from 'asn1js'
import { Certificate, ContentInfo, CryptoEngine, ExtKeyUsage, PKIStatus, SignedData, TimeStampResp, TSTInfo } from 'pkijs'
import type { SignerInfo } from 'pkijs'

const OID = {
  sha256: '2.16.840.1.101.3.4.2.1',
  signedData: '1.2.840.113549.1.7.2',
  tstInfo: '1.2.840.113549.1.9.16.1.4',
  contentType: '1.2.840.113549.1.9.3',
  messageDigest: '1.2.840.113549.1.9.4',
  signingCertificate: '1.2.840.113549.1.9.16.2.12',
  signingCertificateV2: '1.2.840.113549.1.9.16.2.47',
  extendedKeyUsage: '2.5.29.37',
  timeStamping: '1.3.6.1.5.5.7.3.8',
}
const DIGESTS = new Map([
  [OID.sha256, 'sha256'],
  ['2.16.840.1.101.3.4.2.2', 'sha384'],
  ['2.16.840.1.101.3.4.2.3', 'sha512'],
])
/** RSA and ECDSA over SHA-2: an authority that still signs SHA-1 proves nothing. */
const SIGNATURES = new Set([
  '1.2.840.113549.1.1.1',
  '1.2.840.113549.1.1.10',
  '1.2.840.113549.1.1.11',
  '1.2.840.113549.1.1.12',
  '1.2.840.113549.1.1.13',
  '1.2.840.10045.4.3.2',
  '1.2.840.10045.4.3.3',
  '1.2.840.10045.4.3.4',
])

export type TimestampChecks = {
  /** What was stamped. */
  data: Uint8Array
  /** The nonce of the request, big-endian without leading zeros; unset when an old timestamp is looked at again. */
  nonce?: Uint8Array
  /** PEM of the certificates that are trusted to issue those of authorities; `unchecked`: whoever made it, it is whole. */
  anchors: readonly X509Certificate[] | 'unchecked'
}

const engine = new CryptoEngine({ name: 'node', crypto: webcrypto as never })

const bytesOf = (buffer: ArrayBuffer | Uint8Array) => new Uint8Array(buffer)
const same = (a: Uint8Array, b: Uint8Array) => a.length === b.length && timingSafeEqual(a, b)
/** Without the zeros that DER and libraries put in front of a positive integer. */
const magnitude = (bytes: Uint8Array) => bytes.subarray(bytes.findIndex((byte) => byte !== 0))

function refuse(why: string): never {
  throw new Error(why)
}

/** @returns the values of the one attribute of that type */
function attribute({ signedAttrs }: SignerInfo, type: string): asn1js.AsnType | undefined {
  const found = signedAttrs?.attributes.filter((one) => one.type === type) ?? []
  if (found.length > 1 || (found[0] && found[0].values.length !== 1)) refuse('a signed attribute is repeated')
  return found[0]?.values[0] as asn1js.AsnType | undefined
}

const children = (node: asn1js.AsnType | undefined): asn1js.AsnType[] => (node instanceof asn1js.Sequence ? node.valueBlock.value : [])

/** RFC 5035 and RFC 5816: the signature names its certificate, so that no other one with the same key can be put in its place. */
function checkNamedCertificate(signer: SignerInfo, certificate: Certificate): void {
  const v2 = attribute(signer, OID.signingCertificateV2)
  const named = children(children(children(v2 ?? attribute(signer, OID.signingCertificate))[0])[0])
  const [first, second] = named
  const hash = first instanceof asn1js.OctetString ? first : second
  if (!(hash instanceof asn1js.OctetString)) refuse('the signature does not name its certificate')
  const algorithm = first instanceof asn1js.OctetString ? OID.sha256 : (children(first)[0] as asn1js.ObjectIdentifier).valueBlock.toString()
  const digest = v2 ? DIGESTS.get(algorithm) : 'sha1'
  if (digest === undefined) refuse('the signature names its certificate by an unknown digest')
  const expected = createHash(digest)
    .update(bytesOf(certificate.toSchema(true).toBER()))
    .digest()
  if (!same(expected, bytesOf(hash.valueBlock.valueHexView))) refuse('the signature names another certificate')
}

/** RFC 3161 section 2.3: critical, and for nothing else. */
function checkPurpose({ extensions = [] }: Certificate): void {
  const usage = extensions.filter(({ extnID }) => extnID === OID.extendedKeyUsage)
  const purposes = usage.length === 1 && usage[0]?.parsedValue instanceof ExtKeyUsage ? usage[0].parsedValue.keyPurposes : []
  if (purposes.length !== 1 || purposes[0] !== OID.timeStamping || !usage[0]?.critical) refuse('the certificate is not one for timestamps')
}

function checkSigner(signed: SignedData): SignerInfo {
  const [signer] = signed.signerInfos
  if (!signer || signed.signerInfos.length !== 1) refuse('a timestamp has one signature')
  if (!DIGESTS.has(signer.digestAlgorithm.algorithmId) || !SIGNATURES.has(signer.signatureAlgorithm.algorithmId))
    refuse('the signature is of a kind that is not accepted')
  const type = attribute(signer, OID.contentType)
  if (!(type instanceof asn1js.ObjectIdentifier) || type.valueBlock.toString() !== OID.tstInfo)
    refuse('the signature is not over a timestamp')
  if (!attribute(signer, OID.messageDigest)) refuse('the signature does not cover the timestamp')
  return signer
}

function parse(token: Uint8Array): SignedData {
  const response = TimeStampResp.fromBER(token)
  const { status, statusStrings } = response.status
  const said = statusStrings?.map(({ valueBlock }) => valueBlock.value).join(', ')
  if (status !== PKIStatus.granted && status !== PKIStatus.grantedWithMods)
    refuse(`the authority refused: status ${status}${said === undefined ? '' : ` (${said.slice(0, 200)})`}`)
  const content = response.timeStampToken
  if (!(content instanceof ContentInfo) || content.contentType !== OID.signedData) refuse('the answer has no timestamp')
  return new SignedData({ schema: content.content })
}

function infoOf(signed: SignedData): TSTInfo {
  const { eContentType, eContent } = signed.encapContentInfo
  if (eContentType !== OID.tstInfo || !eContent) refuse('the answer has no timestamp')
  return TSTInfo.fromBER(eContent.getValue())
}

/**
 * @param token DER of a TimeStampResp
 * @returns what time it says, in ms since 1970
 * @throws Error whose message says what is wrong with it
 */
export async function verifyTimestamp(token: Uint8Array, { data, nonce, anchors }: TimestampChecks): Promise<number> {
  const signed = parse(token)
  const info = infoOf(signed)
  const signer = checkSigner(signed)
  const { hashAlgorithm, hashedMessage } = info.messageImprint
  const imprint = createHash('sha256').update(data).digest()
  if (hashAlgorithm.algorithmId !== OID.sha256 || !same(imprint, bytesOf(hashedMessage.valueBlock.valueHexView)))
    refuse('the timestamp is of something else')
  if (nonce && !(info.nonce && same(magnitude(bytesOf(info.nonce.valueBlock.valueHexView)), magnitude(nonce))))
    refuse('the timestamp answers another request')
  const trustedCerts = (anchors === 'unchecked' ? [] : anchors).map(({ raw }) => Certificate.fromBER(new Uint8Array(raw)))
  const { signatureVerified, signerCertificate } = await signed.verify(
    { signer: 0, data: new Uint8Array(data).buffer, trustedCerts, checkChain: anchors !== 'unchecked', extendedMode: true },
    engine,
  )
  if (signatureVerified !== true || !signerCertificate) refuse('the signature is not valid')
  checkNamedCertificate(signer, signerCertificate)
  checkPurpose(signerCertificate)
  return info.genTime.getTime()
}
