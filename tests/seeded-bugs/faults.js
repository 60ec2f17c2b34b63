// The faults, and the tree that has one of them for a while.
'use strict'

const { execFileSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')

const ARTIFACTS = 'bindings/artifacts'

const git = (root, ...args) => execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })

/** Every patch of `folder`, those of the contract first: what it says that it breaks, and the files it changes. */
function faults(folder = __dirname) {
  const names = fs.readdirSync(folder).filter(name => name.endsWith('.patch'))
  const all = names.map(name => {
    const file = path.join(folder, name)
    const text = fs.readFileSync(file, 'utf8')
    const files = [...text.matchAll(/^\+\+\+ b\/(.*)$/gm)].map(([, changed]) => changed)
    const ofContract = files.some(changed => changed.startsWith('contracts/'))
    return { name: path.basename(name, '.patch'), file, says: text.split(/^diff --git /m)[0].trim(), files, ofContract }
  })
  return all.sort((one, other) => other.ofContract - one.ofContract || one.name.localeCompare(other.name))
}

/** Throws where the fault does not apply to the tree at `root`. */
const check = (root, { file }) => git(root, 'apply', '--check', file)

/** A git tree whose files a fault may change, and which gets back what was in them. */
class Tree {
  #root
  #before = new Map()

  constructor(root) {
    this.#root = root
  }

  /** What git says of it. */
  status() {
    return git(this.#root, 'status', '--porcelain')
  }

  /** Throws where one of the files that `faults` change has changes: they would be in the way, or lost. */
  requireUnchanged(faults) {
    const files = new Set(faults.flatMap(({ files }) => files))
    const changed = git(this.#root, 'status', '--porcelain', '--', ...files, ARTIFACTS).trimEnd()
    if (changed) throw new Error(`commit these first, or put them back (git checkout), for they are changed and put back here:\n${changed}`)
  }

  /** Applies a fault. */
  apply(fault) {
    const artifacts = fault.ofContract ? fs.readdirSync(path.join(this.#root, ARTIFACTS)).map(name => `${ARTIFACTS}/${name}`) : []
    for (const name of [...fault.files, ...artifacts]) this.#before.set(name, fs.readFileSync(path.join(this.#root, name)))
    git(this.#root, 'apply', fault.file)
  }

  /** Puts everything back. A file gets a new time, so that what was built of the fault is built again. */
  restore() {
    for (const [name, bytes] of this.#before) fs.writeFileSync(path.join(this.#root, name), bytes)
    this.#before.clear()
  }
}

module.exports = { Tree, check, faults }
