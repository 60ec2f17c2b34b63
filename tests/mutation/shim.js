// Stands in for the contract while mutants are tested: the same functions, none of their code. Its constructor runs the
// creation code in the environment variable MUTANT in its own place, and so becomes the mutant. The tests are compiled
// once, against it, and not again for every mutant.
'use strict'

const CHEATCODES = '0x7109709ECfa91a80626fF3989D68f67F5b1DD12D' // where forge answers

const INTERFACE = `
interface Cheatcodes {
    function envBytes(string calldata name) external view returns (bytes memory);
    function etch(address target, bytes calldata code) external;
}
`

/** A constructor's body that becomes the contract whose creation code MUTANT holds, given the same arguments. */
const becomeMutant = args => `{
        Cheatcodes cheatcodes = Cheatcodes(${CHEATCODES});
        bytes memory code = bytes.concat(cheatcodes.envBytes("MUTANT"), abi.encode(${args.join(', ')}));
        address host = address(uint160(uint256(keccak256(code))));
        cheatcodes.etch(host, code);
        assembly {
            let done := delegatecall(gas(), host, 0, 0, 0, 0)
            returndatacopy(0, 0, returndatasize())
            if iszero(done) { revert(0, returndatasize()) }
            return(0, returndatasize())
        }
    }`

/** The shim for a contract, from its source and syntax tree. */
function shim(source, tree) {
  const bytes = Buffer.from(source, 'utf8')
  const contract = tree.nodes.find(node => node.nodeType === 'ContractDefinition')
  const original = node => {
    const [start, length] = node.src.split(':').map(Number)
    return { start, end: start + length, text: bytes.subarray(start, start + length).toString('utf8') }
  }
  const replaced = contract.nodes
    .flatMap(node => {
      // An immutable would have to be assigned by the constructor.
      if (node.mutability === 'immutable') return { ...original(node), text: original(node).text.replace(' immutable ', ' ') }
      if (node.nodeType !== 'FunctionDefinition' || !node.body) return []
      const args = node.parameters.parameters.map(({ name }) => name)
      return { ...original(node.body), text: node.kind === 'constructor' ? becomeMutant(args) : '{}' }
    })
    .sort((a, b) => a.start - b.start)

  let at = 0
  let text = ''
  for (const part of replaced) {
    text += bytes.subarray(at, part.start).toString('utf8') + part.text
    at = part.end
  }
  return text + bytes.subarray(at).toString('utf8') + INTERFACE
}

module.exports = { shim }
