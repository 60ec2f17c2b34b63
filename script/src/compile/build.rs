//! What a deployed contract is compared with its sources by: where its immutables stand in the
//! code, and solc's metadata, which names every source and setting.

use eyre::{OptionExt, Result, WrapErr, ensure};
use foundry_compilers::{
    artifacts::{Offsets, output_selection::OutputSelection},
    compilers::solc::SolcCompiler,
    output::AggregatedCompilerOutput,
};
use serde_json::Value;
use std::collections::BTreeMap;

/// Everything of the compiler's output that is used: of each contract, and of each file.
pub(super) fn output_selection() -> OutputSelection {
    let of_contract = ["abi", "evm.bytecode", "evm.deployedBytecode", "metadata"];
    let selection = [("*", of_contract.as_slice()), ("", &["ast"])];
    let selection = selection.map(|(of, what)| {
        (of.to_owned(), what.iter().map(|&output| output.to_owned()).collect::<Vec<_>>())
    });
    BTreeMap::from([("*".to_owned(), BTreeMap::from(selection))]).into()
}

/// The contract's `.build.json`: `immutables`, by name, and `metadata`.
pub(super) fn build_json(
    output: &AggregatedCompilerOutput<SolcCompiler>,
    name: &str,
) -> Result<String> {
    let contract =
        output.contracts_iter().find_map(|(n, contract)| (n == name).then_some(contract));
    let contract = contract.ok_or_eyre("the compiler left it out")?;
    let evm = contract.evm.as_ref().ok_or_eyre("no code")?;
    let deployed = evm.deployed_bytecode.as_ref().ok_or_eyre("no deployed code")?;
    let metadata = contract.metadata.as_ref().ok_or_eyre("no metadata")?;
    let metadata: Value = serde_json::from_str(&metadata.raw_metadata).wrap_err("the metadata")?;

    let mut names = BTreeMap::new();
    for file in output.sources.0.values().flatten() {
        if let Some(ast) = &file.source_file.ast {
            immutable_names(&serde_json::to_value(ast)?, &mut names);
        }
    }
    let immutables = by_name(&deployed.immutable_references, &names)?;
    let json = serde_json::json!({ "immutables": immutables, "metadata": metadata });
    Ok(serde_json::to_string_pretty(&json)? + "\n")
}

/// Collects the immutables declared in a syntax tree: from their ids to their names.
fn immutable_names(node: &Value, names: &mut BTreeMap<String, String>) {
    match node {
        Value::Array(nodes) => nodes.iter().for_each(|node| immutable_names(node, names)),
        Value::Object(fields) => {
            if fields.get("mutability").is_some_and(|mutability| mutability == "immutable")
                && let (Some(id), Some(Value::String(name))) =
                    (fields.get("id"), fields.get("name"))
            {
                names.insert(id.to_string(), name.clone());
            }
            fields.values().for_each(|node| immutable_names(node, names));
        }
        _ => {}
    }
}

/// The references under the names people know. Two immutables of one name would be told apart by
/// nothing: they are refused.
fn by_name<'r>(
    references: &'r BTreeMap<String, Vec<Offsets>>,
    names: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, &'r Vec<Offsets>>> {
    let mut immutables = BTreeMap::new();
    for (id, places) in references {
        let name = names.get(id).ok_or_eyre("an immutable that no source declares")?;
        let twice = immutables.insert(name.clone(), places).is_some();
        ensure!(!twice, "two immutables are called {name}: rename one");
    }
    Ok(immutables)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn immutables_are_found_at_any_depth_by_their_mutability() {
        let tree = serde_json::json!({ "nodes": [
            { "id": 7, "name": "A", "mutability": "immutable" },
            { "id": 8, "name": "B", "mutability": "constant" },
            { "body": { "id": 9, "name": "C", "mutability": "immutable" } },
        ] });
        let mut names = BTreeMap::new();
        immutable_names(&tree, &mut names);
        let expected = [("7", "A"), ("9", "C")].map(|(id, name)| (id.to_owned(), name.to_owned()));
        assert_eq!(names, BTreeMap::from(expected));
    }

    #[test]
    fn two_immutables_of_one_name_and_one_without_a_name_are_refused() {
        let place = vec![Offsets { start: 1, length: 32 }];
        let references = BTreeMap::from([("1", &place), ("2", &place)])
            .into_iter()
            .map(|(id, place)| (id.to_owned(), place.clone()))
            .collect();
        let named = |names: [(&str, &str); 2]| {
            let names = names.map(|(id, name)| (id.to_owned(), name.to_owned()));
            by_name(&references, &BTreeMap::from(names)).map(|found| found.len())
        };
        assert_eq!(named([("1", "A"), ("2", "B")]).unwrap(), 2);
        assert!(named([("1", "A"), ("2", "A")]).unwrap_err().to_string().contains("called A"));
        assert!(named([("1", "A"), ("3", "B")]).is_err());
    }
}
