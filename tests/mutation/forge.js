// Runs the forge tests against a mutant's code, each worker in a tree of its own, where the shim has the contract's place.
'use strict'

const { spawn } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { readSource, syntaxTree } = require('./compile')
const { shim } = require('./shim')

const PARTS = ['contracts', 'tests/forge', 'foundry.toml', 'package.json', 'script/solc.js', 'script/tool.js']

/** Seconds that tests of a mutant may take: it may loop, and they themselves take a few. */
const LIMIT = 120

/** Most mutants fall to a unit test within a second: what takes longer is only run for those that do not. */
const SLOW = 'Invariants|Differential|Gas|StolenRelayer|Findings'
const STAGES = [['--no-match-contract', SLOW], ['--match-contract', SLOW]]

/** What became of a mutant that no test noticed. */
const SURVIVED = null
const TIMEOUT = `timeout: no test failed within ${LIMIT} s`

const running = new Set()

/** Ends what is still running; for a program that is told to stop. */
function stop() {
  for (const child of running) process.kill(-child.pid, 'SIGKILL')
}

/** A copy of the project in `folder`, whose tests meet whatever code `test` is given. */
function makeTree(project, folder) {
  fs.rmSync(folder, { recursive: true, force: true })
  fs.mkdirSync(folder, { recursive: true })
  for (const part of PARTS) fs.cpSync(path.join(project.root, part), path.join(folder, part), { recursive: true })
  fs.symlinkSync(path.join(project.root, 'node_modules'), path.join(folder, 'node_modules'))
  const source = readSource(project)
  fs.writeFileSync(path.join(folder, project.file), shim(source, syntaxTree(project, source)))
}

/** Another tree like `from`. */
function copyTree(from, to) {
  fs.rmSync(to, { recursive: true, force: true })
  fs.cpSync(from, to, { recursive: true, verbatimSymlinks: true })
}

/** The test that fails for `code` in the tree `folder`, as Contract.test, or TIMEOUT, or SURVIVED. */
async function test(forge, folder, code) {
  for (const stage of STAGES) {
    const killer = await runStage(forge, folder, stage, code)
    if (killer !== SURVIVED) return killer
  }
  return SURVIVED
}

async function runStage(forge, folder, stage, code) {
  // forge plays failures of the last run again: a verdict must not depend on the mutants before.
  for (const kept of ['fuzz', 'invariant']) fs.rmSync(path.join(folder, 'cache', kept), { recursive: true, force: true })
  const { status, late, out, err } = await run(forge, ['test', '--fail-fast', '--json', '--threads', '1', ...stage], folder, code)
  if (late) return TIMEOUT
  if (status === 0) return SURVIVED
  const killer = failedTest(out)
  if (killer) return killer
  throw new Error(`forge test failed, and no test of it did:\n${`${out}\n${err}`.slice(-3000)}`)
}

function failedTest(out) {
  let suites
  try {
    suites = JSON.parse(out)
  } catch {
    return null
  }
  for (const [suite, { test_results: results }] of Object.entries(suites)) {
    const failed = Object.entries(results).find(([, { status }]) => status === 'Failure')
    if (failed) return `${suite.split(':').pop()}.${failed[0].replace(/\(.*/, '')}`
  }
  return null
}

function run(forge, args, cwd, code) {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, FOUNDRY_PROFILE: 'mutation', MUTANT: code }
    const child = spawn(forge, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
    const result = { status: null, late: false, out: '', err: '' }
    child.stdout.on('data', data => (result.out += data))
    child.stderr.on('data', data => (result.err += data))
    const timer = setTimeout(() => {
      result.late = true
      process.kill(-child.pid, 'SIGKILL')
    }, LIMIT * 1000)
    running.add(child)
    const done = () => {
      clearTimeout(timer)
      running.delete(child)
    }
    child.on('error', error => (done(), reject(error)))
    child.on('close', status => (done(), resolve({ ...result, status })))
  })
}

module.exports = { SURVIVED, TIMEOUT, copyTree, makeTree, stop, test }
