//! Style that a compiler does not check: where what may be named.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The workspace's root.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Every Rust file under a folder of the workspace: its path from the root, and its text.
fn sources(folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "{folder} has no sources");
    found
}

/// Whether a file holds tests and nothing else.
fn is_test(path: &str) -> bool {
    path.starts_with("tests/")
        || path.split('/').any(|part| matches!(part, "tests" | "tests.rs"))
        || path.ends_with("_tests.rs")
}

/// Whether a file is the module, or lies within it: `api.rs` or `api/...` of a crate.
fn within(path: &str, module: &str) -> bool {
    path.contains(&format!("/src/{module}/")) || path.ends_with(&format!("/src/{module}.rs"))
}

/// The code of a file: without its comments, and without the tests at its end.
fn code(text: &str) -> String {
    let before = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let line = |line: &str| line.split("//").next().unwrap_or_default().to_owned();
    before.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// Whether a word stands in a text by itself.
fn names(text: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    text.split(|c| !part(c)).any(|found| found == word)
}

/// The sources of services, without tests, and their code.
fn services() -> impl Iterator<Item = (String, String)> {
    let files = sources("services").into_iter().filter(|(path, _)| !is_test(path));
    files.map(|(path, text)| (path, code(&text)))
}

#[test]
fn grpc_types_stop_at_api_and_client() {
    for (path, code) in services() {
        if within(&path, "api") || within(&path, "client") {
            continue;
        }
        for word in ["tonic", "tonic_types", "tonic_prost", "tonic_health", "prost", "prost_types"]
        {
            assert!(!names(&code, word), "{path} names {word}");
        }
    }
}

#[test]
fn sql_stops_at_the_store() {
    for (path, code) in services() {
        if within(&path, "store") {
            continue;
        }
        for word in ["sea_orm", "sqlx", "Sql", "Transaction"] {
            assert!(!names(&code, word), "{path} names {word}");
        }
        for words in ["SELECT ", "INSERT INTO", "DELETE FROM", "UPDATE ", "CREATE TABLE"] {
            assert!(!code.contains(words), "{path} has SQL");
        }
    }
    // A store is a store, and no way round to gRPC.
    let stores = services().filter(|(path, _)| within(path, "store")).count();
    assert!(stores >= 3);
}

/// The names of the crates that a manifest depends on, also for its tests.
fn dependencies(manifest: &Path) -> Vec<String> {
    let manifest: toml::Table = fs::read_to_string(manifest).unwrap().parse().unwrap();
    let tables = ["dependencies", "dev-dependencies", "build-dependencies"];
    let named = tables.iter().filter_map(|table| manifest.get(*table)?.as_table());
    named.flat_map(|table| table.keys().cloned()).collect()
}

fn crates(folder: &str) -> Vec<String> {
    let folders = fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap());
    let folders = folders.filter(|entry| entry.path().join("Cargo.toml").exists());
    let mut names: Vec<_> = folders.map(|e| e.file_name().into_string().unwrap()).collect();
    names.sort();
    assert!(!names.is_empty());
    names
}

#[test]
fn no_service_knows_another() {
    let services = crates("services");
    for folder in ["services", "shared"] {
        for name in crates(folder) {
            // The one binary knows every service.
            if name == "lienthong" {
                continue;
            }
            for other in dependencies(&root().join(folder).join(&name).join("Cargo.toml")) {
                assert!(!services.contains(&other), "{name} depends on {other}");
            }
        }
    }
}

/// What decides is pure: no I/O, no async, no clock.
#[test]
fn the_domain_is_pure() {
    for (path, code) in services().filter(|(path, _)| within(path, "domain")) {
        for word in ["async", "await", "tokio", "contract", "server", "Clock", "Entropy"] {
            assert!(!names(&code, word), "{path} names {word}");
        }
    }
}

/// A personal service answers by the gate and by nothing else: its server exists in `disclosure` only, and
/// what the gate is made of is made there only.
#[test]
fn i1_there_is_no_way_round_the_gate() {
    let generated = sources("shared/disclosure/src/gen");
    let modules = generated.iter().flat_map(|(_, text)| text.split("pub mod ").skip(1));
    let modules = modules.filter_map(|module| module.split([' ', '{']).next());
    let personal: Vec<_> = modules.filter(|module| module.ends_with("_service_server")).collect();
    assert!(personal.contains(&"identity_service_server"), "{personal:?}");
    for (path, text) in sources("shared/contract/src") {
        for server in &personal {
            assert!(!names(&text, server), "{path} has {server}");
        }
    }
    let everywhere = sources("services").into_iter().chain(sources("shared"));
    for (path, text) in everywhere.filter(|(path, _)| !is_test(path)) {
        if path.starts_with("shared/disclosure/") {
            continue;
        }
        let code = code(&text);
        for made in ["DurableReceipt {", "Released {", "Disclosed {"] {
            // A result of that type is none made here.
            let made_here =
                code.match_indices(made).any(|(at, _)| !code[..at].trim_end().ends_with("->"));
            assert!(!made_here, "{path} makes {made}");
        }
        // No server of our own making either: a handler is behind a generated trait.
        for word in ["NamedService", "server_streaming", "client_streaming"] {
            assert!(!names(&code, word) || path.contains("/gen/"), "{path} names {word}");
        }
    }
    for (path, code) in services() {
        for server in &personal {
            for line in code.lines().filter(|line| names(line, server)) {
                assert!(!line.contains("contract::"), "{path}: {line}");
            }
        }
    }
}

#[test]
fn files_are_short_and_nothing_is_left_undone() {
    const LINES_MAX: usize = 700;
    // In two pieces, so that this file has none of them.
    let undone = [concat!("todo", "!("), concat!("unimplemented", "!("), concat!("#[", "ignore")];
    for folder in ["services", "shared", "tests"] {
        for (path, text) in sources(folder) {
            if path.contains("/gen/") {
                continue;
            }
            let lines = text.split("#[cfg(test)]\nmod tests {").next().unwrap().lines().count();
            assert!(lines <= LINES_MAX || is_test(&path), "{path} has {lines} lines");
            for undone in undone {
                assert!(!text.contains(undone), "{path} has {undone}");
            }
        }
    }
}
