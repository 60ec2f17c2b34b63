// Makes the mutants of a Solidity source: small changes, each of which some test should notice. A function of the text
// and of solc's syntax tree, so that comments and strings are never touched.
'use strict'

const RELATIONS = { '<': ['<=', '>='], '<=': ['<', '>'], '>': ['>=', '<='], '>=': ['>', '<'], '==': ['!='], '!=': ['=='] }
const ARITHMETIC = { '+': ['-'], '-': ['+'], '*': ['/'], '/': ['*'], '%': ['*'] }
const BITS = { '&': ['|'], '|': ['&'], '^': ['&'], '<<': ['>>'], '>>': ['<<'] }
const LOGIC = { '&&': ['||'], '||': ['&&'] }
const ASSIGNMENTS = { '+=': ['-=', '='], '-=': ['+=', '='], '*=': ['='], '|=': ['=', '&='], '&=': ['=', '|='] }
const STEPS = { '++': '--', '--': '++' }

/** An empty block can stand wherever a statement can. */
const NOTHING = '{}'

/**
 * Every mutant of `source`, in the order of the text:
 * {id, fingerprint, operator, scope, line, column, start, end, before, after, from, to}.
 * `start` and `end` are the bytes that `after` replaces, `from` and `to` the whole lines around them, `scope` the
 * function they are in, or `contract`. The id has line and column in it; the fingerprint has not, and so stays the same
 * when other lines change.
 */
function mutants(source, tree) {
  const bytes = Buffer.from(source, 'utf8') // solc counts bytes, JavaScript UTF-16 units
  const found = []
  walk(tree, 'contract', (node, scope) => {
    const text = (start, end) => bytes.subarray(start, end).toString('utf8')
    const add = (operator, start, end, after) =>
      found.push({ operator, scope, start, end, before: text(start, end), after })
    OPERATORS[node.nodeType]?.(node, add, text)
  })
  return named(bytes, unique(found))
}

// ----------------------------------------------------------------------------------------------------------- operators

/** Kind of node → what is done to it. `add(operator, start, end, after)` makes a mutant, `text` reads the source. */
const OPERATORS = {
  BinaryOperation(node, add, text) {
    const [left, right] = [range(node.leftExpression), range(node.rightExpression)]
    for (const [name, table] of Object.entries({ relation: RELATIONS, arithmetic: ARITHMETIC, bits: BITS, logic: LOGIC })) {
      replaceOperator(name, table, node, left, right, add, text)
    }
    if (node.operator in LOGIC) {
      add('operand', left.start, right.end, text(left.start, left.end))
      add('operand', left.start, right.end, text(right.start, right.end))
    }
  },

  Assignment(node, add, text) {
    const [left, right] = [range(node.leftHandSide), range(node.rightHandSide)]
    replaceOperator('assignment', ASSIGNMENTS, node, left, right, add, text)
    if (node.operator === '=') add('delete', left.start, right.end, `delete ${text(left.start, left.end)}`)
  },

  VariableDeclarationStatement(node, add) {
    if (!node.initialValue || node.initialValue.value === '0') return
    const declared = Math.max(...node.declarations.filter(Boolean).map(declaration => range(declaration).end))
    if (node.declarations.length === 1) add('initial', declared, range(node.initialValue).end, '')
  },

  UnaryOperation(node, add) {
    const { start, end } = range(node)
    if (node.operator === '!' || node.operator === '~') add('negation', start, start + 1, '')
    if (!(node.operator in STEPS)) return
    const at = node.prefix ? start : end - 2
    add('arithmetic', at, at + 2, STEPS[node.operator])
  },

  Literal(node, add) {
    const { start, end } = range(node)
    if (node.kind === 'bool') add('constant', start, end, node.value === 'true' ? 'false' : 'true')
    if (node.kind !== 'number' || !/^[\d_]+$|^0x[\da-f_]+$/i.test(node.value)) return
    const value = BigInt(node.value.replaceAll('_', ''))
    const unit = node.subdenomination ? ` ${node.subdenomination}` : ''
    for (const other of new Set([value + 1n, value > 0n ? value - 1n : 1n, 0n])) {
      if (other !== value) add('constant', start, end, like(node.value, other) + unit)
    }
  },

  // Largest values are bounds and masks: one less, a bit less, a bit more.
  MemberAccess(node, add, text) {
    const { start, end } = range(node)
    const max = text(start, end)
    if (!/^type\(uint\d+\)\.max$/.test(max)) return
    add('constant', start, end, `(${max} - 1)`)
    add('constant', start, end, `(${max} >> 1)`)
    add('constant', start, end, `(uint256(${max}) * 2 + 1)`)
  },

  IfStatement: (node, add, text) => changeCondition(node.condition, add, text),
  Conditional: (node, add, text) => changeCondition(node.condition, add, text),
  ForStatement(node, add) {
    if (node.condition) add('condition', range(node.condition).start, range(node.condition).end, 'false')
  },

  FunctionCall(node, add, text) {
    if (node.expression.name === 'require') changeCondition(node.arguments[0], add, text)
    if (node.kind === 'typeConversion') halveCast(node, add, text)
    swapNeighbours(node.arguments, add, text)
  },

  TupleExpression(node, add, text) {
    if (!node.isInlineArray && node.components.every(Boolean)) swapNeighbours(node.components, add, text)
  },

  ModifierInvocation(node, add) {
    const { start, end } = range(node)
    if (node.kind === 'modifierInvocation') add('modifier', start, end, '')
  },

  Return(node, add, text) {
    remove(node, add, text)
    if (node.expression?.typeDescriptions.typeString !== 'bool') return
    const { start, end } = range(node.expression)
    add('condition', start, end, 'true')
    add('condition', start, end, 'false')
  },

  Continue(node, add, text) {
    remove(node, add, text)
    add('removal', range(node).start, range(node).end, 'break')
  },

  ExpressionStatement: remove,
  EmitStatement: remove,
  RevertStatement: remove,
  Break: remove
}

function replaceOperator(name, table, node, left, right, add, text) {
  const at = left.end + text(left.end, right.start).indexOf(node.operator)
  for (const other of table[node.operator] ?? []) add(name, at, at + node.operator.length, other)
}

function changeCondition(condition, add, text) {
  const { start, end } = range(condition)
  add('condition', start, end, 'true')
  add('condition', start, end, 'false')
  // A relation is negated by another relation, and !x by x: mutants that are there anyway.
  if (!(condition.operator in RELATIONS) && condition.operator !== '!') add('condition', start, end, `!(${text(start, end)})`)
}

/** A cast to half the width loses bits that a value may have. */
function halveCast(node, add, text) {
  const { start, end } = range(node.expression)
  const bits = Number(/^uint(\d+)$/.exec(text(start, end))?.[1])
  if (bits > 8 && bits < 256) add('cast', start, end, `uint${Math.floor(bits / 16) * 8}`)
}

function swapNeighbours(expressions, add, text) {
  for (let i = 1; i < expressions.length; i++) {
    const [one, two] = [expressions[i - 1], expressions[i]]
    if (kind(one) === undefined || kind(one) !== kind(two)) continue
    const [a, b] = [range(one), range(two)]
    add('swap', a.start, b.end, text(b.start, b.end) + text(a.end, b.start) + text(a.start, a.end))
  }
}

/** The type of an expression, as far as two arguments of it can be swapped. */
function kind(expression) {
  const type = expression.typeDescriptions?.typeString ?? ''
  if (/^(u?int\d+|int_const .*)$/.test(type)) return 'integer'
  return /^address/.test(type) ? 'address' : type || undefined
}

function remove(node, add, text) {
  const { start, end } = range(node)
  add('removal', start, text(end, end + 1) === ';' ? end + 1 : end, NOTHING) // some end before their semicolon
}

/** `value`, written as `literal` is. */
function like(literal, value) {
  if (!/^0x/i.test(literal)) return String(value)
  return `0x${value.toString(16).padStart(literal.replaceAll('_', '').length - 2, '0')}`
}

// ------------------------------------------------------------------------------------------------------ tree and names

function range(node) {
  const [start, length] = node.src.split(':').map(Number)
  return { start, end: start + length }
}

function walk(node, scope, visit) {
  if (Array.isArray(node)) return node.forEach(child => walk(child, scope, visit))
  if (node === null || typeof node !== 'object') return
  if (node.nodeType === 'FunctionDefinition') scope = node.name || node.kind
  if (node.nodeType) visit(node, scope)
  for (const [key, child] of Object.entries(node)) {
    if (key !== 'documentation') walk(child, scope, visit)
  }
}

function unique(found) {
  const seen = new Set()
  return found.filter(({ start, end, before, after }) => {
    const key = `${start}:${end}:${after}`
    if (before === after || seen.has(key)) return false
    return seen.add(key)
  }).sort((a, b) => a.start - b.start || a.end - b.end)
}

/** With id and fingerprint. Where several would have the same one, the second is called .2, and so on. */
function named(bytes, found) {
  const times = new Map()
  const nth = name => {
    times.set(name, (times.get(name) ?? 0) + 1)
    return times.get(name) === 1 ? name : `${name}.${times.get(name)}`
  }
  return found.map(mutant => {
    const place = where(bytes, mutant)
    const { scope, operator } = mutant
    const id = nth(`${place.line}:${place.column} ${operator}`)
    const fingerprint = nth(`${scope}: ${place.from} → ${place.to}`)
    return { id, fingerprint, ...mutant, ...place }
  })
}

function where(bytes, { start, end, after }) {
  const cut = (a, b) => bytes.subarray(a, b).toString('utf8')
  const words = text => text.replace(/\s+/g, ' ').trim()
  const first = bytes.lastIndexOf('\n', start - 1) + 1
  const newline = bytes.indexOf('\n', end)
  const last = newline === -1 ? bytes.length : newline
  return {
    line: cut(0, start).split('\n').length,
    column: cut(first, start).length + 1,
    from: words(cut(first, last)),
    to: words(cut(first, start) + after + cut(end, last))
  }
}

/** `source` with one mutant in place. */
function apply(source, { start, end, after }) {
  const bytes = Buffer.from(source, 'utf8')
  return Buffer.concat([bytes.subarray(0, start), Buffer.from(after), bytes.subarray(end)]).toString('utf8')
}

module.exports = { apply, mutants }
