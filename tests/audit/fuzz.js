#!/usr/bin/env node
// The byte fuzzers of the indexer, each with many inputs; `make test` gives them few. Always the same ones: FUZZ_CASES says
// how many. Exit code 1 where one of them finds something.
'use strict'

const { spawnSync } = require('node:child_process')
const { ROOT, main } = require('./tools')

/** Some minutes for all of them. */
const CASES = 50_000

/** What the test runner said of fuzzers with so many cases each: what they found, and a line that sums it up. */
function judge(output, cases) {
  const faults = [...output.matchAll(/^test (\S+) \.\.\. FAILED$/gm)].map(([, name]) => `${name} found something: see above`)
  const [, outcome, passed] = output.match(/^test result: (ok|FAILED)\. (\d+) passed/m) ?? []
  if (outcome === undefined) throw new Error('the tests did not run to their end')
  const fuzzers = Number(passed) + faults.length
  if (fuzzers === 0) throw new Error('no test has a name that begins with fuzz_')
  if (outcome === 'FAILED' && faults.length === 0) throw new Error('the tests failed, and none of them says so')
  const findings = faults.length === 0 ? 'no finding' : `${faults.length} with a finding`
  return { faults, summary: `${(cases * fuzzers).toLocaleString('en')} cases of ${fuzzers} fuzzers, ${findings}` }
}

function check() {
  const cases = Number(process.env.FUZZ_CASES ?? CASES)
  if (!Number.isInteger(cases) || cases < 1) throw new Error(`FUZZ_CASES is ${process.env.FUZZ_CASES}: expected a number`)
  const args = ['test', '--package', 'luxxon-indexer', '--lib', '--', 'fuzz_']
  const env = { ...process.env, FUZZ_CASES: String(cases) }
  const { stdout, error } = spawnSync('cargo', args, { cwd: ROOT, env, encoding: 'utf8', maxBuffer: 1 << 28, stdio: ['ignore', 'pipe', 'inherit'] })
  if (error) throw error
  process.stdout.write(stdout)
  return judge(stdout, cases)
}

if (require.main === module) main('fuzz', check)

module.exports = { judge }
