/** TLS to the database: what the address asks for is what happens, and nothing is said to a server that can't prove who it is. */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { TLSSocket } from 'node:tls'
import { expect, onTestFinished, test } from 'vitest'
import { openPostgres } from './open-postgres.ts'

const hasOpenssl = spawnSync('openssl', ['version']).status === 0
if (!hasOpenssl) process.stderr.write('openssl is missing: the tests of TLS to the database are skipped\n')

const folder = mkdtempSync(join(tmpdir(), 'ephor-tls-'))

function certificate(name: string, host: string): { cert: string; key: string } {
  const [cert, key] = [join(folder, `${name}.pem`), join(folder, `${name}.key`)]
  const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
  const args = ['req', '-x509', ...ec, '-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${host}`, '-keyout', key, '-out', cert]
  execFileSync('openssl', args, { stdio: 'ignore' })
  return { cert, key }
}

/** Answers the question for TLS, and hears what comes after it. @param own its certificate; without one it has no TLS */
async function database(own?: { cert: string; key: string }) {
  const heard = { plain: '', secret: '' }
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.once('data', (first) => {
      const isQuestion = first.length === 8 && first.readUInt32BE(4) === 80_877_103
      if (!isQuestion) {
        heard.plain += first.toString('latin1')
        return socket.destroy()
      }
      socket.write(own ? 'S' : 'N')
      if (!own) return socket.on('data', (more) => void (heard.plain += more.toString('latin1')))
      const tls = new TLSSocket(socket, { isServer: true, cert: readFileSync(own.cert), key: readFileSync(own.key) })
      tls.on('error', () => undefined)
      return tls.on('data', (more) => {
        heard.secret += more.toString('latin1')
        tls.destroy()
      })
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return { heard, url: `postgres://ephor@localhost:${(server.address() as AddressInfo).port}/ephor` }
}

const open = (url: string) => openPostgres({ url, migrations: [] })

test.skipIf(!hasOpenssl)(
  'the certificate that sslrootcert names is what the server has to have, for the name that it was asked by',
  async () => {
    const own = certificate('own', 'localhost')
    const { url, heard } = await database(own)
    const other = certificate('other', 'localhost')
    for (const query of ['?sslmode=verify-full', `?sslmode=verify-full&sslrootcert=${other.cert}`])
      await expect(open(url + query)).rejects.toMatchObject({ code: 'DATABASE_UNREACHABLE' })
    expect(heard).toEqual({ plain: '', secret: '' })
    await expect(open(`${url}?sslmode=verify-full&sslrootcert=${own.cert}`)).rejects.toMatchObject({ code: 'DATABASE_UNREACHABLE' })
    expect(heard).toEqual({ plain: '', secret: expect.stringContaining('user\0ephor\0') })
    const elsewhere = certificate('elsewhere', 'db.example')
    const second = await database(elsewhere)
    await expect(open(`${second.url}?sslmode=verify-full&sslrootcert=${elsewhere.cert}`)).rejects.toThrow('does not match')
    expect(second.heard).toEqual({ plain: '', secret: '' })
  },
)

test('a server without TLS is told nothing where TLS is asked for, and a missing file is named', async () => {
  const { url, heard } = await database()
  await expect(open(`${url}?sslmode=verify-full`)).rejects.toThrow('does not support SSL')
  expect(heard).toEqual({ plain: '', secret: '' })
  await expect(open(`${url}?sslmode=verify-full&sslrootcert=/nowhere/ca.pem`)).rejects.toThrow('/nowhere/ca.pem')
})
