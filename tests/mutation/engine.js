// From a project to a verdict for each mutant.
'use strict'

const os = require('node:os')
const path = require('node:path')
const { creationCode, creationCodes, readSource, syntaxTree } = require('./compile')
const { SURVIVED, copyTree, makeTree, test } = require('./forge')
const { apply, mutants } = require('./mutants')

const WORKERS = Math.min(os.availableParallelism(), 8)

/** A contract that cannot even be made: whatever tests there are, they fail. */
const BROKEN = '0xfe'

/** Every mutant of the project's contract, whether it compiles or not. */
function allMutants(project) {
  const source = readSource(project)
  return mutants(source, syntaxTree(project, source))
}

/**
 * Tests `chosen`, in trees under `work`. Answers {results, invalid, same}: `results` are the mutants whose code is new,
 * each with `killedBy`; `invalid` counts those that do not compile, `same` those whose code the original or a mutant
 * before them has.
 */
async function testMutants({ project, forge, work, chosen, progress }) {
  const { ready, invalid, same } = await prepare(project, chosen, progress)
  const trees = Array.from({ length: Math.min(WORKERS, ready.length) || 1 }, (_, number) => path.join(work, `tree-${number}`))
  makeTree(project, trees[0])
  await check(forge, trees[0], creationCode(project, readSource(project)))
  for (const tree of trees.slice(1)) copyTree(trees[0], tree) // with what forge compiled there

  const results = new Array(ready.length)
  let next = 0
  let done = 0
  async function worker(tree) {
    while (next < ready.length) {
      const index = next++
      const { code, ...mutant } = ready[index]
      results[index] = { ...mutant, killedBy: await test(forge, tree, code) }
      progress('testing', ++done, ready.length)
    }
  }
  await Promise.all(trees.map(worker))
  return { results, invalid, same }
}

async function prepare(project, chosen, progress) {
  const source = readSource(project)
  const sources = [source, ...chosen.map(mutant => apply(source, mutant))]
  const [original, ...codes] = await creationCodes(project, sources, WORKERS, (done, all) => progress('compiling', done, all))
  const seen = new Set([original])
  const found = { ready: [], invalid: 0, same: 0 }
  chosen.forEach((mutant, i) => {
    const code = codes[i]
    if (code === null) found.invalid++
    else if (seen.has(code)) found.same++
    else found.ready.push({ ...mutant, code })
    seen.add(code)
  })
  return found
}

/** The tests have to pass for the contract as it is, and to fail without one: else no verdict would mean anything. */
async function check(forge, folder, original) {
  const failed = await test(forge, folder, original)
  if (failed !== SURVIVED) throw new Error(`the contract as it is fails: ${failed}`)
  if ((await test(forge, folder, BROKEN)) === SURVIVED) throw new Error('no test fails without the contract')
}

module.exports = { allMutants, testMutants }
