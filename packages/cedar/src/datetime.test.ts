/** Datetimes and durations: what text is one, and arithmetic up to the last of 64 bits. */
import { expect, test } from 'vitest'
import { Datetime, Duration, parseDatetime, parseDuration } from './datetime.ts'
import { outcome } from './decide.fixture.ts'

test.each([
  ['1970-01-01', 0],
  ['1969-12-31T23:59:59.999Z', -1],
  ['2024-02-29T12:00:00+0130', Date.UTC(2024, 1, 29, 10, 30)],
  ['2024-02-29T12:00:00.250-0130', Date.UTC(2024, 1, 29, 13, 30, 0, 250)],
  ['0000-01-01', -62_167_219_200_000],
  ['0099-12-31', -59_011_545_600_000],
  ['9999-12-31T23:59:59.999Z', 253_402_300_799_999],
])('%s is %d ms', (text, ms) => {
  expect(parseDatetime(text)).toEqual(new Datetime(ms))
})

test.each([
  '2023-02-29',
  '1900-02-29',
  '2024-13-01',
  '2024-04-31',
  '2024-1-1',
  '10000-01-01',
  '2024-01-01T24:00:00Z',
  '2016-12-31T23:59:60Z',
  '2024-01-01T00:00:00',
  '2024-01-01T00:00:00+24:00',
  '2024-01-01T00:00:00+2400',
  '2024-01-01T00:00:00+0060',
  '2024-01-01T00:00:00.1Z',
  '2024-01-01 00:00:00Z',
  '2024-01-01\n',
  '٢٠٢٤-01-01',
  '',
])('%j is no datetime', (text) => {
  expect(typeof parseDatetime(text)).toBe('string')
})

test.each([
  ['1d2h3m4s5ms', 93_784_005],
  ['-1h', -3_600_000],
  ['0d', 0],
  ['-0ms', 0],
  ['9223372036854775807ms', 9223372036854775807n],
  ['-9223372036854775808ms', -9223372036854775808n],
  ['106751991167d7h12m55s807ms', 9223372036854775807n],
])('%s is %d ms', (text, ms) => {
  expect(parseDuration(text)).toEqual(new Duration(ms))
})

test.each([
  '',
  '-',
  '1',
  'd',
  '1h1d',
  '1d1d',
  '1.5h',
  '+1d',
  '1D',
  '1 d',
  '9223372036854775808ms',
  '106751991168d',
  `${'9'.repeat(100_000)}d`,
])('%.20j is no duration', (text) => {
  expect(typeof parseDuration(text)).toBe('string')
})

test('arithmetic on times', () => {
  expect(outcome('datetime("2024-01-31").offset(duration("1d")) == datetime("2024-02-01")')).toBe(true)
  expect(outcome('datetime("2024-01-01").durationSince(datetime("2023-12-31")) == duration("24h")')).toBe(true)
  expect(outcome('datetime("1969-12-31T23:00:00Z").toDate() == datetime("1969-12-31")')).toBe(true)
  expect(outcome('datetime("1969-12-31T23:00:00Z").toTime() == duration("23h")')).toBe(true)
  expect(outcome('duration("-90m").toHours() == -1 && duration("-999ms").toSeconds() == 0')).toBe(true)
  expect(outcome('duration("9223372036854775807ms").toDays() == 106751991167')).toBe(true)
})

test('times compare with their own kind alone', () => {
  expect(outcome('datetime("2024-01-01") < datetime("2024-01-02") && duration("1h") >= duration("60m")')).toBe(true)
  expect(outcome('datetime("2024-01-01") < duration("1d")')).toBe('TYPE')
  expect(outcome('duration("1ms") > 0')).toBe('TYPE')
  expect(outcome('datetime("1970-01-01") == duration("0ms")')).toBe(false)
})

test('what leaves 64 bits fails', () => {
  const last = 'datetime("1970-01-01").offset(duration("9223372036854775807ms"))'
  const first = 'datetime("1970-01-01").offset(duration("-9223372036854775808ms"))'
  expect(outcome(`${last}.offset(duration("1ms")) == ${last}`)).toBe('OVERFLOW')
  expect(outcome(`${last}.durationSince(${first}) == duration("1ms")`)).toBe('OVERFLOW')
  expect(outcome(`${first}.toDate() < ${first}`)).toBe('OVERFLOW')
  expect(outcome(`${first}.toTime() == duration("16h47m4s192ms")`)).toBe(true)
})

test('a time that has no date is written as a distance', () => {
  expect(new Datetime(0).toJson()).toEqual({ __extn: { fn: 'datetime', arg: '1970-01-01T00:00:00.000Z' } })
  const [epoch, distance] = [{ __extn: { fn: 'datetime', arg: '1970-01-01' } }, { __extn: { fn: 'duration', arg: '253402300800000ms' } }]
  expect(new Datetime(253_402_300_800_000).toJson()).toEqual({ __extn: { fn: 'offset', args: [epoch, distance] } })
})
