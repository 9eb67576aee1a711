//! The README's tables are what the data and the program say, and the data are what the catalogue of items says.

use std::{collections::BTreeMap, fmt::Write as _};

use super::*;
use crate::{Element, Origin, told};

fn folder() -> &'static std::path::Path {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn element(element: &Element) -> String {
    let path: Vec<&str> =
        element.within.iter().map(String::as_str).chain([element.name.as_str()]).collect();
    let form = format!("{:?}", element.form).to_lowercase();
    let list = match (&element.list, &element.version) {
        (Some(list), Some(version)) => format!("`{list}/{version}`"),
        (Some(list), None) => format!("`{list}`, version to be said"),
        (None, _) => String::new(),
    };
    let mut parts: Vec<&str> = element.parts.iter().map(|part| part.name()).collect();
    parts.extend(element.code_in.as_deref());
    parts.extend(match element.form {
        crate::Form::Name => vec!["Ho", "ChuDem", "Ten"],
        crate::Form::Date => vec!["NgayThangNam", "or Nam"],
        crate::Form::Address => vec!["MaDonViHanhChinh", "ChiTiet", "QuocGia"],
        crate::Form::Identifier | crate::Form::Coded | crate::Form::Relation => vec![],
    });
    let origin = match element.origin {
        Origin::Annex => "annex",
        Origin::Client => "client",
    };
    let (path, parts) = (path.join("/"), parts.join(", "));
    format!("| `{path}` | `{}` | {form} | {parts} | {list} | {origin} |", element.item)
}

fn tables() -> Vec<(&'static str, String)> {
    let table = Table::shipped().unwrap();
    let mut elements =
        "| element | item | type | with | code list | shape from |\n|---|---|---|---|---|---|\n"
            .to_owned();
    for row in table.elements.iter().map(element) {
        writeln!(elements, "{row}").unwrap();
    }
    let mut absent = "| item | why |\n|---|---|\n".to_owned();
    for row in &table.absent {
        writeln!(absent, "| `{}` | {} |", row.item, row.why).unwrap();
    }
    let mut inputs =
        "| input | at most | field of `GetPersonRequest` |\n|---|---|---|\n".to_owned();
    for row in &table.inputs {
        writeln!(inputs, "| `{}` | {} | `{}` |", row.name, row.max, row.field).unwrap();
    }
    let mut services = "| MaTichHop | operation | method |\n|---|---|---|\n".to_owned();
    for row in &table.services {
        writeln!(services, "| {} | `{}` | `{}` |", row.code, row.operation, row.method).unwrap();
    }
    let mut all = "| name | is a | vi | en |\n|---|---|---|---|\n".to_owned();
    for what in told::catalogue() {
        let (name, severity) = (what.name(), what.severity().name().replace('_', " "));
        writeln!(all, "| `{name}` | {severity} | {} | {} |", what.vi(), what.en()).unwrap();
    }
    vec![
        ("elements", elements),
        ("absent", absent),
        ("inputs", inputs),
        ("services", services),
        ("told", all),
    ]
}

/// `UPDATE=1` rewrites the tables in `README.md`.
#[test]
fn the_readme_says_what_the_data_say() {
    let path = folder().join("README.md");
    let found = std::fs::read_to_string(&path).unwrap();
    let mut wanted = found.clone();
    for (name, table) in tables() {
        let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
        let (before, rest) = wanted.split_once(&begin).unwrap();
        let (_, after) = rest.split_once(&end).unwrap();
        wanted = format!("{before}{begin}{table}{end}{after}");
    }
    if found != wanted && std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, wanted).unwrap();
        return;
    }
    assert!(found == wanted, "run `UPDATE=1 cargo test -p qcvn` and read the difference");
}

#[test]
fn every_item_of_the_catalogue_has_an_element_or_is_known_to_have_none() {
    let catalogue = folder().join("../../services/policy/data/items.toml");
    let catalogue: toml::Table = std::fs::read_to_string(catalogue).unwrap().parse().unwrap();
    let items: BTreeMap<&str, &toml::Value> = catalogue["item"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| (item["id"].as_str().unwrap(), item))
        .collect();
    let table = Table::shipped().unwrap();
    assert_eq!(items.len(), 26);
    for (id, item) in &items {
        let mapped = table.of_item(id).count();
        assert_eq!(mapped == 0, table.is_absent(id), "{id}");
        for element in table.of_item(id) {
            let form = format!("{:?}", element.form).to_lowercase();
            assert_eq!(item["type"].as_str(), Some(form.as_str()), "{id}");
            if element.form == crate::Form::Coded {
                let list = item.get("code_list").and_then(toml::Value::as_str);
                assert_eq!(list, element.list.as_deref(), "{id}");
            }
        }
    }
    let named = table.elements.iter().map(|element| &element.item);
    for item in named.chain(table.absent.iter().map(|absent| &absent.item)) {
        assert!(items.contains_key(item.as_str()), "{item}");
    }
    // A list that is meant is one that is shipped.
    let lists = CodeLists::shipped().unwrap();
    for element in &table.elements {
        if let (Some(list), Some(version)) = (&element.list, &element.version) {
            assert!(lists.knows(list, version), "{list}/{version}");
        }
    }
}
