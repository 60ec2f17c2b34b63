#!/usr/bin/env node
// `make mutation-rust`: changes the indexer's rules in one place at a time, and sees whether a test fails; .cargo/mutants.toml
// says where, and which tests. Exit code 1 when a mutant survives that .cargo/mutants.survivors.json does not explain, or
// when what it explains is killed or is no longer there. Arguments go to cargo-mutants (`--re decide.rs`: only some).
'use strict'

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { ROOT, run } = require('../audit/tools')
const { SURVIVED, TIMEOUT } = require('./forge')
const { explanations, faults, figures } = require('./report')

/** Another one makes other mutants, and then other survivors. */
const VERSION = '27.1.0'
const WORK = path.join(ROOT, 'target', 'mutation-rust')
const TOOL = path.join(WORK, 'bin', 'cargo-mutants')
const SURVIVORS = path.join(ROOT, '.cargo', 'mutants.survivors.json')

/** What cargo-mutants ends with: all killed, some survive, some do not end. Anything else is a run that tells nothing. */
const ENDS = [0, 2, 3]

/** In a folder of their own, for what they build is changed. */
const env = { ...process.env, CARGO_TARGET_DIR: path.join(WORK, 'build') }

/** The pinned cargo-mutants: the user's, or one that is installed here, once. */
function tool() {
  for (const program of ['cargo-mutants', TOOL]) {
    const { stdout } = spawnSync(program, ['mutants', '--version'], { encoding: 'utf8' })
    if (stdout?.trim() === `cargo-mutants ${VERSION}`) return program
  }
  run('cargo', ['install', 'cargo-mutants', '--version', VERSION, '--locked', '--root', WORK], { cwd: ROOT, env })
  return TOOL
}

const KILLED_BY = { MissedMutant: SURVIVED, CaughtMutant: 'a test', Timeout: TIMEOUT }

/**
 * The verdicts out of cargo-mutants' outcomes.json: {results, invalid}, `invalid` being the number of mutants that do not
 * compile. A mutant's fingerprint is its description without line and column, so that it lasts when others are written
 * above it, and with its number where it is not the first of that description.
 */
function verdicts({ outcomes }) {
  const tested = outcomes.filter(({ scenario }) => scenario !== 'Baseline')
  const seen = new Map()
  const all = tested.map(({ scenario: { Mutant: mutant }, summary }) => {
    const [, file, place, text] = mutant.name.match(/^(.*?):(\d+:\d+): (.*)$/)
    const words = `${file}: ${text}`
    const number = (seen.get(words) ?? 0) + 1
    seen.set(words, number)
    return { id: `${file}:${place}`, fingerprint: number === 1 ? words : `${words} (${number})`, summary }
  })
  const ready = all.filter(({ summary }) => summary !== 'Unviable')
  const results = ready.map(({ summary, ...mutant }) => {
    if (!(summary in KILLED_BY)) throw new Error(`${mutant.id}: cargo-mutants says ${summary}, expected a verdict`)
    return { ...mutant, killedBy: KILLED_BY[summary] }
  })
  return { results, invalid: all.length - ready.length }
}

function main(args) {
  const explained = explanations(JSON.parse(fs.readFileSync(SURVIVORS, 'utf8')))
  run(tool(), ['mutants', '--jobs', '1', '--colors', 'never', '--output', WORK, ...args], { cwd: ROOT, env }, ENDS)
  const { results, invalid } = verdicts(JSON.parse(fs.readFileSync(path.join(WORK, 'mutants.out', 'outcomes.json'), 'utf8')))
  const wrong = faults({ results }, explained, args.length === 0)
  for (const fault of wrong) console.error(`mutation: ${fault}`)
  const { score, killed, survived } = figures(results)
  const known = results.filter(({ killedBy, fingerprint }) => killedBy === SURVIVED && explained.has(fingerprint)).length
  console.log(`score ${score} %: ${killed} of ${results.length} mutants killed; ${known} of ${survived} survivors explained; ${invalid} more do not compile`)
  return wrong.length === 0 ? 0 : 1
}

if (require.main === module) {
  try {
    process.exitCode = main(process.argv.slice(2))
  } catch (error) {
    console.error(`mutation: ${error.message}`)
    process.exitCode = 1
  }
}

module.exports = { verdicts }
