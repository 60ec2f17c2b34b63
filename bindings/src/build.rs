//! How the committed code of `LuxxonSettlement` was built: what comparing a deployed contract with
//! the sources takes.
//!
//! solc leaves the immutables of the code at zero and says where they stand; the constructor fills
//! them in. [`runtime_code`] does the same, and so gives what must stand on chain byte for byte.
//! The code holds no hash of the sources, so the [`Metadata`] that names them is committed beside
//! it.

use crate::settlement::LuxxonSettlement;
use alloy::primitives::{Address, B256, Bytes, U256, keccak256};
use serde::Deserialize;
use serde_json::Value;
use std::{collections::BTreeMap, fmt::Write, sync::LazyLock};

/// The committed `.build.json`, as `luxxon compile` wrote it.
const BUILD_JSON: &str = include_str!("../artifacts/LuxxonSettlement.build.json");

/// A contract's code and where it comes from.
#[derive(Clone, Debug, Deserialize)]
pub struct Build {
    /// Where each immutable stands in the runtime code, by its name in the source.
    pub immutables: BTreeMap<String, Vec<CodeRange>>,
    /// solc's metadata.
    pub metadata: Metadata,
}

/// A part of the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct CodeRange {
    /// The offset of its first byte.
    pub start: usize,
    /// How many bytes it has; 32 for every immutable.
    pub length: usize,
}

/// What solc says about a compilation: enough to repeat it.
///
/// See <https://docs.soliditylang.org/en/latest/metadata.html>.
#[derive(Clone, Debug, Deserialize)]
pub struct Metadata {
    /// The compiler.
    pub compiler: Compiler,
    /// `Solidity`.
    pub language: String,
    /// The settings, as solc states them; among them `compilationTarget`, which is no setting of
    /// the compiler's input.
    pub settings: serde_json::Map<String, Value>,
    /// Every source file that went in, by its path under the project's root.
    pub sources: BTreeMap<String, Source>,
}

/// A compiler.
#[derive(Clone, Debug, Deserialize)]
pub struct Compiler {
    /// Its version with the commit, as `0.8.37+commit.f401782d`.
    pub version: String,
}

/// A source file.
#[derive(Clone, Debug, Deserialize)]
pub struct Source {
    /// The hash of its bytes.
    pub keccak256: B256,
}

impl Metadata {
    /// One hash for all sources: keccak256 of a text with a line for each file,
    /// `<keccak256 of the file, 0x…> <its path>\n`, in the order of the paths' bytes.
    #[must_use]
    pub fn source_hash(&self) -> B256 {
        let mut lines = String::new();
        for (path, source) in &self.sources {
            writeln!(lines, "{} {path}", source.keccak256).expect("a string takes everything");
        }
        keccak256(lines)
    }
}

/// How the code in [`LuxxonSettlement`] was built.
#[must_use]
pub fn build() -> &'static Build {
    static BUILD: LazyLock<Build> = LazyLock::new(|| {
        serde_json::from_str(BUILD_JSON).expect("a test reads the committed file")
    });
    &BUILD
}

/// The runtime code of a `LuxxonSettlement` with these immutables: what `eth_getCode` returns.
#[must_use]
pub fn runtime_code(usdc: Address, relayer_delay: U256) -> Bytes {
    filled(&LuxxonSettlement::DEPLOYED_BYTECODE, usdc, relayer_delay)
}

/// `code`, which a compiler made of the committed sources, with these immutables. Code too short
/// for one is left as it is there: it then differs from every contract on chain.
#[must_use]
pub fn filled(code: &Bytes, usdc: Address, relayer_delay: U256) -> Bytes {
    let values: [(&str, B256); 2] =
        [("USDC", usdc.into_word()), ("RELAYER_DELAY", relayer_delay.into())];
    let mut code = code.to_vec();
    for (name, value) in values {
        for range in build().immutables.get(name).into_iter().flatten() {
            if let Some(place) = code.get_mut(range.start..range.start + value.len()) {
                place.copy_from_slice(value.as_slice());
            }
        }
    }
    code.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::primitives::address;

    #[test]
    fn the_committed_build_has_exactly_the_immutables_that_are_filled_in() {
        let build = build();
        let names: Vec<&str> = build.immutables.keys().map(String::as_str).collect();
        assert_eq!(names, ["RELAYER_DELAY", "USDC"]);
        let code = &LuxxonSettlement::DEPLOYED_BYTECODE;
        for range in build.immutables.values().flatten() {
            assert_eq!(range.length, 32);
            let place = &code[range.start..range.start + range.length];
            assert!(place.iter().all(|byte| *byte == 0), "solc leaves immutables at zero");
        }
    }

    #[test]
    fn the_committed_metadata_names_the_contract_and_hides_no_source_in_its_code() {
        let metadata = &build().metadata;
        assert!(metadata.sources.contains_key("contracts/LuxxonSettlement.sol"));
        assert!(metadata.sources.keys().all(|path| !path.starts_with('/')), "paths are relative");
        assert_eq!(metadata.settings["metadata"]["bytecodeHash"], "none");
        assert_eq!(metadata.language, "Solidity");
    }

    #[test]
    fn only_the_places_of_the_immutables_are_filled() {
        let usdc = address!("0x1111111111111111111111111111111111111111");
        let code = runtime_code(usdc, U256::from(7));
        let template = &LuxxonSettlement::DEPLOYED_BYTECODE;
        assert_eq!(code.len(), template.len());
        let within = |offset: usize| {
            let mut ranges = build().immutables.values().flatten();
            ranges.any(|range| (range.start..range.start + range.length).contains(&offset))
        };
        for (offset, (filled, before)) in code.iter().zip(template.iter()).enumerate() {
            assert!(filled == before || within(offset), "offset {offset}");
        }
        let usdc_at = build().immutables["USDC"][0].start;
        assert_eq!(code[usdc_at..usdc_at + 32], usdc.into_word()[..]);
        assert_eq!(filled(&Bytes::from_static(&[1, 2]), usdc, U256::ZERO).len(), 2);
    }

    #[test]
    fn the_hash_of_the_sources_changes_with_each_of_them() {
        let metadata = build().metadata.clone();
        let mut changed = metadata.clone();
        let source = changed.sources.values_mut().next().expect("a source");
        source.keccak256 = B256::ZERO;
        assert_ne!(metadata.source_hash(), changed.source_hash());
    }
}
