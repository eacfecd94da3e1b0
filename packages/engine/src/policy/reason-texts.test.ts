/** The reasons of a version, by the ids that decisions name. */
import { expect, test } from 'vitest'
import { reasonTexts } from './reason-texts.ts'

test('a reason stands under the id that the decision names, given or counted', () => {
  const files = {
    'folders.cedar': `// Paths.
@id("outside")
// Said to agents too.
@reason("The path is \\"outside\\" the folders; all of them.")
forbid (principal, action, resource) when { context.outside };

permit (principal, action, resource);
@reason ( "The third." ) @severity("low") permit (principal, action, resource) when { "@reason(\\"no\\")" == "x" };`,
    'charter.yaml': '@reason("not a policy") permit;',
    'broken.cedar': '@reason("deep") permit (principal) when { ((((((((((((((((((((((((((((((((((((1 };',
  }
  expect(reasonTexts(files)).toEqual({
    'folders/outside': 'The path is "outside" the folders; all of them.',
    'folders/3': 'The third.',
  })
})

test('a file called like a member of every object is a file', () => {
  expect(Object.keys(reasonTexts({ '__proto__.cedar': '@reason("x") permit (principal, action, resource);' }))).toEqual(['__proto__/1'])
})
