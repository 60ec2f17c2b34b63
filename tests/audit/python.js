#!/usr/bin/env node
// Installs slither and halmos into target/audit/venv, unless they are there as requirements.txt wants them.
'use strict'

const { spawnSync } = require('node:child_process')
const { createHash } = require('node:crypto')
const fs = require('node:fs')
const path = require('node:path')
const { ROOT, VENV, main, run } = require('./tools')

const REQUIREMENTS = path.join(__dirname, 'requirements.txt')
const MIN_PYTHON = [3, 11] // halmos asks for it

function installPython() {
  const stamp = path.join(VENV, 'installed')
  // slither brings a solc that looks for a compiler on the internet before it says its version, which forge asks each
  // solc on PATH for: without internet, every run of forge would wait for it. Nothing here needs it.
  const withoutSolc = () => fs.rmSync(path.join(VENV, 'bin', 'solc'), { force: true })
  const wanted = createHash('sha256').update(fs.readFileSync(REQUIREMENTS)).digest('hex')
  if (fs.existsSync(stamp) && fs.readFileSync(stamp, 'utf8') === wanted) {
    withoutSolc()
    return { faults: [], summary: 'is there' }
  }

  checkVersion()
  console.log('installing slither and halmos into target/audit/venv')
  fs.rmSync(VENV, { recursive: true, force: true })
  run('python3', ['-m', 'venv', VENV], { cwd: ROOT })
  const pip = (...args) => run(path.join(VENV, 'bin', 'python3'), ['-m', 'pip', '--disable-pip-version-check', ...args], { cwd: ROOT })
  pip('install', '--quiet', '--no-deps', '--requirement', REQUIREMENTS) // nothing but what is pinned
  pip('check')
  withoutSolc()
  fs.writeFileSync(stamp, wanted)
  return { faults: [], summary: 'installed' }
}

function checkVersion() {
  const { status, stdout } = spawnSync('python3', ['-c', 'import sys; print(*sys.version_info[:2])'], { encoding: 'utf8' })
  const needed = `slither and halmos need python3 ${MIN_PYTHON.join('.')} or later`
  if (status !== 0) throw new Error(`${needed}: there is no python3 on PATH`)
  const [major, minor] = stdout.trim().split(' ').map(Number)
  const [leastMajor, leastMinor] = MIN_PYTHON
  if (major < leastMajor || (major === leastMajor && minor < leastMinor)) throw new Error(`${needed}: found ${major}.${minor}`)
}

if (require.main === module) main('python', installPython)

module.exports = { installPython }
