// Makes the mutants of a Solidity source: small changes, each of which some test should notice. A function of the text
// and of solc's syntax tree, so that comments and strings are never touched.
'use strict'

const RELATIONS = { '<': ['<=', '>='], '<=': ['<', '>'], '>': ['>=', '<='], '>=': ['>', '<'], '==': ['!='], '!=': ['=='] }
const ARITHMETIC = { '+': ['-'], '-': ['+'], '*': ['/'], '/': ['*'], '&': ['|'], '|': ['&'], '<<': ['>>'], '>>': ['<<'] }
const LOGIC = { '&&': ['||'], '||': ['&&'] }
const ASSIGNMENTS = { '+=': ['-=', '='], '-=': ['+=', '='] }
const REMOVED = '{}' // an empty block can stand wherever a statement can

/**
 * Every mutant of `source`: {operator, scope, line, start, end, before, after}; `start` and `end` are offsets of the text
 * that `after` replaces. `scope` is the function it is in, or `contract`.
 */
function mutants(source, tree) {
  // solc counts bytes, JavaScript UTF-16 units.
  const bytes = Buffer.from(source, 'utf8')
  const text = (start, end) => bytes.subarray(start, end).toString('utf8')
  const found = []

  function add(scope, operator, start, end, after) {
    const line = text(0, start).split('\n').length
    found.push({ operator, scope, line, start, end, before: text(start, end), after })
  }

  function replaceOperator(scope, name, table, node, left, right) {
    const from = range(left).end
    const at = from + text(from, range(right).start).indexOf(node.operator)
    for (const other of table[node.operator] ?? []) add(scope, name, at, at + node.operator.length, other)
  }

  const operators = {
    BinaryOperation(node, scope) {
      const replace = (name, table) => replaceOperator(scope, name, table, node, node.leftExpression, node.rightExpression)
      replace('relation', RELATIONS)
      replace('arithmetic', ARITHMETIC)
      replace('logic', LOGIC)
    },
    Assignment(node, scope) {
      replaceOperator(scope, 'assignment', ASSIGNMENTS, node, node.leftHandSide, node.rightHandSide)
    },
    UnaryOperation(node, scope) {
      const { start, end } = range(node)
      if (node.operator === '!') add(scope, 'negation', start, start + 1, '')
      if (node.operator === '~') add(scope, 'negation', start, start + 1, '')
    },
    Literal(node, scope) {
      const { start, end } = range(node)
      if (node.kind === 'bool') add(scope, 'constant', start, end, node.value === 'true' ? 'false' : 'true')
      if (node.kind !== 'number' || node.value.startsWith('0x')) return
      const value = BigInt(node.value.replaceAll('_', ''))
      const unit = node.subdenomination ? ` ${node.subdenomination}` : ''
      add(scope, 'constant', start, end, `${value + 1n}${unit}`)
      if (value > 0n) add(scope, 'constant', start, end, `${value - 1n}${unit}`)
    },
    MemberAccess(node, scope) {
      const { start, end } = range(node)
      if (/^type\(uint\d+\)\.max$/.test(text(start, end))) add(scope, 'constant', start, end, `(${text(start, end)} - 1)`)
    },
    IfStatement(node, scope) {
      const { start, end } = range(node.condition)
      add(scope, 'condition', start, end, 'true')
      add(scope, 'condition', start, end, 'false')
    },
    Conditional(node, scope) {
      const { start, end } = range(node.condition)
      add(scope, 'condition', start, end, 'true')
      add(scope, 'condition', start, end, 'false')
    },
    FunctionCall(node, scope) {
      for (let i = 1; i < node.arguments.length; i++) {
        const [one, two] = [node.arguments[i - 1], node.arguments[i]]
        if (kind(one) === undefined || kind(one) !== kind(two)) continue
        const [a, b] = [range(one), range(two)]
        add(scope, 'swap', a.start, b.end, text(b.start, b.end) + text(a.end, b.start) + text(a.start, a.end))
      }
    },
    ModifierInvocation(node, scope) {
      const { start, end } = range(node)
      if (node.kind === 'modifierInvocation') add(scope, 'modifier', start, end, '')
    }
  }
  for (const statement of ['ExpressionStatement', 'EmitStatement', 'RevertStatement', 'Return', 'Continue', 'Break']) {
    operators[statement] = (node, scope) => add(scope, 'removal', range(node).start, semicolon(range(node).end), REMOVED)
  }
  /** Some statements end before their semicolon. */
  const semicolon = end => (text(end, end + 1) === ';' ? end + 1 : end)

  walk(tree, 'contract', (node, scope) => operators[node.nodeType]?.(node, scope))
  return unique(found)
}

/** The type of an expression, as far as two arguments of it can be swapped. */
function kind(expression) {
  const type = expression.typeDescriptions?.typeString ?? ''
  if (/^(u?int\d+|int_const .*)$/.test(type)) return 'integer'
  return /^address/.test(type) ? 'address' : type || undefined
}

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
    if (key !== 'documentation' && child !== null && typeof child === 'object') walk(child, scope, visit)
  }
}

function unique(found) {
  const seen = new Set()
  return found.filter(({ start, end, before, after }) => {
    const key = `${start}:${end}:${after}`
    if (before === after || seen.has(key)) return false
    seen.add(key)
    return true
  }).sort((a, b) => a.start - b.start || a.end - b.end)
}

/** `source` with one mutant in place. */
function apply(source, { start, end, after }) {
  const bytes = Buffer.from(source, 'utf8')
  return Buffer.concat([bytes.subarray(0, start), Buffer.from(after), bytes.subarray(end)]).toString('utf8')
}

module.exports = { apply, mutants }
