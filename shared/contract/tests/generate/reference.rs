//! The reference of the published packages, and the numbered rules of the database contract, out of the comments of
//! `proto/`.

use std::{collections::BTreeMap, fmt::Write as _};

use prost_types::{
    FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto, field_descriptor_proto::Label,
};

/// Where the numbered rules stand.
pub(crate) const RULED: &str = "lienthong.database.v1";

/// One numbered rule.
struct Rule {
    id: String,
    must: bool,
    /// The service, or the service and method, whose comment holds it.
    of: String,
    text: String,
}

/// The comments of a file, by the path of what they belong to.
struct Comments(BTreeMap<Vec<i32>, String>);

impl Comments {
    fn of(file: &FileDescriptorProto) -> Self {
        let locations = file.source_code_info.iter().flat_map(|info| &info.location);
        Self(locations.map(|l| (l.path.clone(), l.leading_comments().to_owned())).collect())
    }

    /// The paragraphs of a comment, each on one line.
    fn paragraphs(&self, path: &[i32]) -> Vec<String> {
        let text = self.0.get(path).map(String::as_str).unwrap_or_default();
        let lines: Vec<&str> =
            text.lines().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
        let mut paragraphs = Vec::new();
        for part in lines.split(|line| line.is_empty()).filter(|part| !part.is_empty()) {
            // What is indented further is laid out on purpose.
            let kept = part.iter().all(|line| line.starts_with(' '));
            paragraphs.push(if kept {
                format!("```\n{}\n```", part.join("\n"))
            } else {
                part.join(" ")
            });
        }
        paragraphs
    }
}

/// A paragraph as a rule: `MUST SRC-1: text`.
fn rule(paragraph: &str, of: &str) -> Option<Rule> {
    let (must, rest) = match paragraph.strip_prefix("MUST ") {
        Some(rest) => (true, rest),
        None => (false, paragraph.strip_prefix("SHOULD ")?),
    };
    let (id, text) = rest.split_once(": ")?;
    Some(Rule { id: id.to_owned(), must, of: of.to_owned(), text: text.to_owned() })
}

fn ours(set: &FileDescriptorSet) -> impl Iterator<Item = &FileDescriptorProto> {
    set.file.iter().filter(|file| file.package().starts_with("lienthong."))
}

/// The rules of the database contract, in the order in which they stand, as Rust.
pub(crate) fn rules(set: &FileDescriptorSet) -> String {
    let mut found: Vec<Rule> = Vec::new();
    for file in ours(set).filter(|file| file.package() == RULED) {
        let comments = Comments::of(file);
        for (s, service) in file.service.iter().enumerate() {
            let at = |paragraphs: Vec<String>, of: &str| -> Vec<Rule> {
                paragraphs.iter().filter_map(|p| rule(p, of)).collect()
            };
            found.extend(at(comments.paragraphs(&[6, s as i32]), service.name()));
            for (m, method) in service.method.iter().enumerate() {
                let of = format!("{}/{}", service.name(), method.name());
                found.extend(at(comments.paragraphs(&[6, s as i32, 2, m as i32]), &of));
            }
        }
    }
    let mut ids: Vec<&str> = found.iter().map(|rule| rule.id.as_str()).collect();
    ids.sort_unstable();
    let all = ids.len();
    ids.dedup();
    assert!(all > 0 && ids.len() == all, "a rule's number stands twice, or there is none");
    let mut out = String::from(
        "// Made by tests/generate.rs from proto/. Do not edit.\n\n\
         /// One numbered rule of the contract that databases implement.\n\
         #[derive(Clone, Copy, Debug, PartialEq, Eq)]\n\
         pub struct Rule {\n    /// Its number, for example `SRC-1`.\n    pub id: &'static str,\n    \
         /// Whether it is a MUST; a SHOULD otherwise.\n    pub must: bool,\n    \
         /// The service, or service and method, that it is a rule of.\n    pub of: &'static str,\n    \
         /// The rule.\n    pub text: &'static str,\n}\n\n\
         /// Every rule of `lienthong.database.v1`, in the order of the contract.\npub const RULES: &[Rule] = &[\n",
    );
    for Rule { id, must, of, text } in &found {
        writeln!(out, "    Rule {{ id: {id:?}, must: {must}, of: {of:?}, text: {text:?} }},")
            .unwrap();
    }
    out + "];\n"
}

/// The reference of every published package, by its path from the root. `published` are the files and folders that
/// clients get.
pub(crate) fn pages(set: &FileDescriptorSet, published: &str) -> BTreeMap<String, String> {
    let mut packages: BTreeMap<&str, Vec<&FileDescriptorProto>> = BTreeMap::new();
    let is_published =
        |file: &&FileDescriptorProto| published.lines().any(|path| file.name().starts_with(path));
    for file in ours(set).filter(is_published) {
        packages.entry(file.package()).or_default().push(file);
    }
    let page = |(package, files): (&str, Vec<_>)| {
        let path = format!("proto/{}/README.md", package.replace('.', "/"));
        (path, page(package, &files))
    };
    packages.into_iter().map(page).collect()
}

fn page(package: &str, files: &[&FileDescriptorProto]) -> String {
    let mut out = format!(
        "<!-- Made from the proto files beside it: `UPDATE=1 cargo test -p contract`. Do not edit. -->\n\n# `{package}`\n"
    );
    for file in files {
        let name = file.name().rsplit('/').next().unwrap();
        let comments = Comments::of(file);
        write!(out, "\n## [`{name}`]({name})\n").unwrap();
        // The comment of a file belongs to its first line, `syntax`.
        prose(&mut out, &comments.paragraphs(&[12]));
        for s in 0..file.service.len() {
            service(&mut out, package, file, s, &comments);
        }
        for m in 0..file.message_type.len() {
            message(&mut out, package, file, m, &comments);
        }
        for e in 0..file.enum_type.len() {
            enumeration(&mut out, file, e, &comments);
        }
    }
    out
}

/// Paragraphs, and the rules among them as a list.
fn prose(out: &mut String, paragraphs: &[String]) {
    let (rules, text): (Vec<_>, Vec<_>) = paragraphs.iter().partition(|p| rule(p, "").is_some());
    for paragraph in text {
        write!(out, "\n{paragraph}\n").unwrap();
    }
    if !rules.is_empty() {
        out.push_str("\n| rule | | |\n|---|---|---|\n");
    }
    for Rule { id, must, text, .. } in rules.iter().filter_map(|p| rule(p, "")) {
        let level = if must { "MUST" } else { "SHOULD" };
        writeln!(out, "| {id} | {level} | {} |", cell(&[text])).unwrap();
    }
}

fn service(
    out: &mut String,
    package: &str,
    file: &FileDescriptorProto,
    s: usize,
    comments: &Comments,
) {
    let service = &file.service[s];
    write!(out, "\n### service `{}`\n", service.name()).unwrap();
    prose(out, &comments.paragraphs(&[6, s as i32]));
    for (m, method) in service.method.iter().enumerate() {
        let signature = signature(package, method);
        write!(out, "\n#### `{}`{signature}\n", method.name()).unwrap();
        prose(out, &comments.paragraphs(&[6, s as i32, 2, m as i32]));
    }
}

fn signature(package: &str, method: &MethodDescriptorProto) -> String {
    let stream = |yes: bool| if yes { "stream of " } else { "" };
    format!(
        " ({}{}) → {}{}",
        stream(method.client_streaming()),
        link(package, method.input_type()),
        stream(method.server_streaming()),
        link(package, method.output_type())
    )
}

fn message(
    out: &mut String,
    package: &str,
    file: &FileDescriptorProto,
    m: usize,
    comments: &Comments,
) {
    let message = &file.message_type[m];
    assert!(message.nested_type.is_empty() && message.enum_type.is_empty(), "would not be told");
    write!(out, "\n### `{}`\n", message.name()).unwrap();
    prose(out, &comments.paragraphs(&[4, m as i32]));
    if message.field.is_empty() {
        return;
    }
    out.push_str("\n| # | field | type | |\n|---|---|---|---|\n");
    for (f, field) in message.field.iter().enumerate() {
        let repeated = if field.label() == Label::Repeated { "repeated " } else { "" };
        let kind = match field.type_name() {
            "" => format!("{:?}", field.r#type()).to_lowercase(),
            name => link(package, name),
        };
        let choice = match field.oneof_index {
            Some(index) => format!("one of `{}`: ", message.oneof_decl[index as usize].name()),
            None => String::new(),
        };
        let text = cell(&comments.paragraphs(&[4, m as i32, 2, f as i32]));
        let (number, name) = (field.number(), field.name());
        writeln!(out, "| {number} | `{name}` | {choice}{repeated}{kind} | {text} |").unwrap();
    }
}

fn enumeration(out: &mut String, file: &FileDescriptorProto, e: usize, comments: &Comments) {
    let enumeration = &file.enum_type[e];
    write!(out, "\n### `{}`\n", enumeration.name()).unwrap();
    prose(out, &comments.paragraphs(&[5, e as i32]));
    out.push_str("\n| # | name | |\n|---|---|---|\n");
    for (v, value) in enumeration.value.iter().enumerate() {
        let text = cell(&comments.paragraphs(&[5, e as i32, 2, v as i32]));
        writeln!(out, "| {} | `{}` | {text} |", value.number(), value.name()).unwrap();
    }
}

/// A type's name, with a link to its page where it is of ours.
fn link(package: &str, name: &str) -> String {
    let full = name.trim_start_matches('.');
    let (of, short) = full.rsplit_once('.').unwrap();
    let anchor = short.to_lowercase();
    if of == package {
        format!("[`{short}`](#{anchor})")
    } else if let Some(folder) = of.strip_prefix("lienthong.") {
        format!("[`{full}`](../../{}/README.md#{anchor})", folder.replace('.', "/"))
    } else {
        format!("`{full}`")
    }
}

fn cell(paragraphs: &[String]) -> String {
    paragraphs.join("<br>").replace('|', "\\|")
}
