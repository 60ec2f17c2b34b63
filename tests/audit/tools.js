// What the checks of `make audit` share: forge, a folder for what they make, and how one of them is run and judged.
'use strict'

const { execFileSync, spawnSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')

const ROOT = path.resolve(__dirname, '../..')
const WORK = path.join(ROOT, 'target', 'audit')
const VENV = path.join(WORK, 'venv') // see python.js

const forge = () => execFileSync('node', [path.join(ROOT, 'script', 'tool.js'), 'forge'], { encoding: 'utf8' }).trim()

/** An environment whose PATH begins with the pinned forge and with Python's tools. */
function environment(extra = {}) {
  const bin = path.join(WORK, 'bin')
  fs.mkdirSync(bin, { recursive: true })
  fs.rmSync(path.join(bin, 'forge'), { force: true })
  fs.symlinkSync(forge(), path.join(bin, 'forge'))
  const folders = [bin, path.join(VENV, 'bin'), process.env.PATH]
  return { ...process.env, FOUNDRY_PROFILE: 'default', ...extra, PATH: folders.join(path.delimiter) }
}

/** Runs a program to its end, its output with ours; throws when it fails, unless `status` is one of those allowed. */
function run(program, args, options, allowed = [0]) {
  const { status, signal, error } = spawnSync(program, args, { stdio: 'inherit', ...options })
  if (error) throw error
  if (!allowed.includes(status)) throw new Error(`${path.basename(program)} ended with ${signal ?? `exit code ${status}`}`)
}

/** Runs `check`, which answers its faults and a line that sums it up; for the command line of one check. */
function main(name, check) {
  try {
    const { faults, summary } = check()
    for (const fault of faults) console.error(`${name}: ${fault}`)
    console.log(`${name}: ${summary}`)
    process.exitCode = faults.length === 0 ? 0 : 1
  } catch (error) {
    console.error(`${name}: ${error.message}`)
    process.exitCode = 1
  }
}

module.exports = { ROOT, VENV, WORK, environment, forge, main, run }
