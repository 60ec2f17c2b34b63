#!/usr/bin/env node
// `make mutation`: changes the contract in one place at a time, and sees whether a test fails. Exit code 1 when a mutant
// survives that survivors.json does not explain, or when what it explains is killed or is no longer there.
//   --only WHAT    only the mutants of a function, a line, or a line:column (`contract`: those outside of functions)
//   --sample N     N of the mutants, spread evenly, always the same ones
//   --json FILE    write every verdict to FILE
//   --list         print the mutants, and test none
'use strict'

const { execFileSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { parseArgs } = require('node:util')
const { project } = require('./compile')
const { allMutants, testMutants } = require('./engine')
const { stop } = require('./forge')
const report = require('./report')

const ROOT = path.resolve(__dirname, '../..')
const FILE = 'contracts/LuxxonSettlement.sol'
const SURVIVORS = path.join(__dirname, 'survivors.json')
const WORK = path.join(ROOT, 'target', 'mutation')

const OPTIONS = { only: { type: 'string' }, sample: { type: 'string' }, json: { type: 'string' }, list: { type: 'boolean' } }

function choose(mutants, { only, sample }) {
  let chosen = mutants
  if (only) chosen = mutants.filter(({ scope, line, column }) => [scope, `${line}`, `${line}:${column}`].includes(only))
  if (chosen.length === 0) throw new Error(`--only ${only}: there is no mutant, expected a function or a line of ${FILE}`)
  if (sample === undefined) return chosen
  if (!/^[1-9]\d*$/.test(sample)) throw new Error(`--sample ${sample}: expected a positive number`)
  const size = Math.min(Number(sample), chosen.length)
  return Array.from({ length: size }, (_, i) => chosen[Math.floor((i * chosen.length) / size)])
}

async function main(args) {
  const { values } = parseArgs({ args, options: OPTIONS })
  const forge = execFileSync('node', [path.join(ROOT, 'script', 'tool.js'), 'forge'], { encoding: 'utf8' }).trim()
  const contract = project(ROOT, FILE, forge)
  const chosen = choose(allMutants(contract), values)
  if (values.list) {
    for (const { id, fingerprint } of chosen) console.log(`${id}  ${fingerprint}`)
    return 0
  }

  const explained = report.explanations(JSON.parse(fs.readFileSync(SURVIVORS, 'utf8')))
  const outcome = await testMutants({ project: contract, forge, work: WORK, chosen, progress: report.progress() })
  if (values.json) fs.writeFileSync(values.json, `${JSON.stringify({ ...report.figures(outcome.results), ...outcome }, null, 2)}\n`)
  console.log(report.text(outcome, explained, FILE))
  const faults = report.faults(outcome, explained, !values.only && !values.sample)
  for (const fault of faults) console.error(`mutation: ${fault}`)
  return faults.length === 0 ? 0 : 1
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    stop()
    process.exit(1)
  })
}

main(process.argv.slice(2)).then(
  code => (process.exitCode = code),
  error => {
    stop()
    console.error(`mutation: ${error.message}`)
    process.exit(1)
  }
)
