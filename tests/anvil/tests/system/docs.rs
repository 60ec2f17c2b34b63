//! The documents name flags, variables, commands and tests. All of them must exist.

use clap::ValueEnum;
use eyre::Result;
use luxxon_script::{project, roles::ActionName};
use luxxon_tests::programs;
use std::{collections::BTreeSet, env, fs, process::Command};

const DOCUMENTS: [&str; 5] = [
    "README.md",
    "docs/ARCHITECTURE.md",
    "docs/AUDIT.md",
    "docs/OPERATIONS.md",
    "docs/SECURITY.md",
];

fn documents() -> Result<String> {
    let root = project::root()?;
    DOCUMENTS.iter().map(|name| Ok(fs::read_to_string(root.join(name))?)).collect()
}

fn output_of(program: &str, args: &[&str]) -> Result<String> {
    let output = Command::new(program).args(args).output()?;
    Ok(String::from_utf8(output.stdout)?)
}

/// Words that begin with `mark` and go on with what `part` accepts.
fn words(text: &str, mark: &str, part: fn(char) -> bool) -> BTreeSet<String> {
    text.match_indices(mark)
        .map(|(at, _)| {
            let rest: String = text[at + mark.len()..].chars().take_while(|c| part(*c)).collect();
            format!("{mark}{rest}")
        })
        .filter(|word| word.len() > mark.len() && !word[mark.len()..].starts_with('-'))
        .collect()
}

#[test]
fn every_flag_and_variable_that_is_documented_exists_and_the_other_way_round() -> Result<()> {
    let text = documents()?;
    let folder = programs()?;
    let program = |name: &str| folder.join(name).to_string_lossy().into_owned();
    let mut help = String::new();
    for command in ["audit", "deploy", "devnet", "roles", "verify"] {
        help += &output_of(&program("luxxon"), &[command, "--help"])?;
    }
    for command in
        ["run", "sync", "audit", "repair", "rebuild", "backup", "export", "check", "openapi"]
    {
        help += &output_of(&program("luxxon-indexer"), &[command, "--help"])?;
    }
    for (group, commands) in
        [("workspace", &["add", "list"][..]), ("key", &["add", "import", "list", "revoke"])]
    {
        for command in commands {
            help += &output_of(&program("luxxon-indexer"), &[group, command, "--help"])?;
        }
    }

    let is_flag = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let offered = words(&help, "--", is_flag);
    // Flags of cargo and cast, and of `luxxon compile`, which is another build of luxxon.
    let cargo = ["--package", "--release", "--features", "--no-default-features"];
    let others = [&cargo[..], &["--from", "--unlocked"], &["--check"]].concat();
    let documented = words(&text, "--", is_flag);
    for flag in &documented {
        let known = offered.contains(flag) || others.contains(&flag.as_str());
        assert!(known, "{flag} is documented, but there is none");
    }
    for flag in &offered {
        let general = ["--help", "--version"].contains(&flag.as_str());
        assert!(general || documented.contains(flag), "{flag} is not documented");
    }

    let is_variable = |c: char| c.is_ascii_uppercase() || c == '_';
    let offered = words(&help, "LUXXON_", is_variable);
    for variable in words(&text, "LUXXON_", is_variable) {
        let known = offered.contains(&variable) || variable == "LUXXON_LOG";
        assert!(known, "{variable} is documented, but there is none");
    }
    for variable in &offered {
        assert!(text.contains(variable.as_str()), "{variable} is not documented");
    }
    Ok(())
}

#[test]
fn every_action_on_roles_is_documented() -> Result<()> {
    let operations = fs::read_to_string(project::root()?.join("docs/OPERATIONS.md"))?;
    let actions = ActionName::value_variants().iter().filter_map(ValueEnum::to_possible_value);
    for action in actions {
        let row = format!("| `{}`", action.get_name());
        assert!(operations.contains(&row), "{} is not documented", action.get_name());
    }
    Ok(())
}

#[test]
fn every_make_target_that_is_documented_exists() -> Result<()> {
    let makefile = fs::read_to_string(project::root()?.join("Makefile"))?;
    let targets = words(&documents()?, "`make ", |c| c.is_ascii_lowercase() || c == '-');
    assert!(targets.len() > 2, "{targets:?}");
    for target in targets {
        let name = target.trim_start_matches("`make ");
        assert!(makefile.contains(&format!("\n{name}:")), "there is no `make {name}`");
    }
    Ok(())
}

#[test]
fn every_check_that_is_named_to_auditors_exists_and_the_other_way_round() -> Result<()> {
    let root = project::root()?;
    let page = fs::read_to_string(root.join("docs/AUDIT.md"))?;
    let named: BTreeSet<String> = page
        .split("`make audit ONLY=")
        .skip(1)
        .filter_map(|rest| rest.split('`').next())
        .flat_map(|names| names.trim_matches('"').split(' ').map(str::to_owned))
        .collect();
    let list = Command::new("node").arg(root.join("tests/audit/run.js")).arg("--list").output()?;
    let list = String::from_utf8(list.stdout)?;
    let checks: BTreeSet<String> =
        list.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect();
    for name in &named {
        assert!(checks.contains(name), "there is no check {name}");
    }
    // Those two have a command of their own.
    for name in checks.iter().filter(|name| !["gas", "system"].contains(&name.as_str())) {
        assert!(named.contains(name), "the check {name} is not named in docs/AUDIT.md");
    }
    Ok(())
}

#[test]
fn every_test_that_a_promise_names_exists() -> Result<()> {
    let here = env::current_exe()?;
    let tests = output_of(&here.to_string_lossy(), &["--list"])?;
    let architecture = fs::read_to_string(project::root()?.join("docs/ARCHITECTURE.md"))?;
    let is_path = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let mut named = 0;
    for module in [
        "audit",
        "balances",
        "consistency",
        "crash",
        "deploy",
        "devnet",
        "differential",
        "reorg",
        "roles",
        "startup",
        "status_page",
        "verify",
    ] {
        for test in words(&architecture, &format!("`{module}::"), is_path) {
            let name = test.trim_start_matches('`');
            assert!(tests.contains(&format!("{name}: test")), "there is no test {name}");
            named += 1;
        }
    }
    assert!(named >= 5, "{named} tests are named");
    Ok(())
}

#[test]
fn every_forge_test_that_holds_an_invariant_exists() -> Result<()> {
    let root = project::root()?;
    let mut sources = String::new();
    for file in fs::read_dir(root.join("tests/forge"))? {
        let path = file?.path();
        if path.is_file() {
            sources += &fs::read_to_string(path)?;
        }
    }
    let security = fs::read_to_string(root.join("docs/SECURITY.md"))?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut named = 0;
    for mark in ["`invariant_", "`test_", "`testFuzz_", "`check_"] {
        for test in words(&security, mark, is_name) {
            let name = test.trim_start_matches('`');
            assert!(sources.contains(&format!("function {name}")), "there is no {name}");
            named += 1;
        }
    }
    assert!(named > 10, "{named} tests are named");
    Ok(())
}
