//! Makes the generated code from `proto/` and compares it with what is committed.
//!
//! `UPDATE=1 cargo test -p contract` rewrites it. No protoc is needed: protox compiles the contract.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

#[path = "generate/reference.rs"]
mod reference;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use prost::Message as _;
use prost_reflect::{DescriptorPool, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor};
use prost_types::method_options::IdempotencyLevel;

/// Packages of the contract.
const OURS: &str = "lienthong.";
const RECEIPT: &str = "lienthong.audit.v1.Receipt";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn proto_files(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            proto_files(&path, found);
        } else if path.extension().is_some_and(|e| e == "proto") {
            found.push(path);
        }
    }
}

fn compile() -> (prost_types::FileDescriptorSet, DescriptorPool) {
    let proto = root().join("proto");
    let mut files = Vec::new();
    proto_files(&proto.join("lienthong"), &mut files);
    let mut compiler = protox::Compiler::new([&proto]).unwrap();
    compiler.include_source_info(true).include_imports(true).open_files(&files).unwrap();
    (compiler.file_descriptor_set(), compiler.descriptor_pool())
}

fn rust_path(package: &str) -> String {
    let parts: Vec<_> =
        package.split('.').skip(1).map(|p| if p == "type" { "r#type" } else { p }).collect();
    format!("::contract::{}", parts.join("::"))
}

/// Whether a message has a receipt, or parts that have one; `seen` are those that were looked at.
fn proven(message: &MessageDescriptor, seen: &mut BTreeSet<String>) -> bool {
    seen.insert(message.full_name().to_owned())
        && message.fields().any(|field| {
            field
                .kind()
                .as_message()
                .is_some_and(|part| part.full_name() == RECEIPT || proven(part, seen))
        })
}

/// Services whose answers come with a receipt: their servers belong behind the gate.
fn gated(pool: &DescriptorPool) -> Vec<(String, String, String)> {
    let mut gated = Vec::new();
    for service in pool.services() {
        for method in service.methods() {
            if proven(&method.output(), &mut BTreeSet::new()) {
                let package = service.package_name().to_owned();
                gated.push((
                    package,
                    method.input().name().to_owned(),
                    method.output().name().to_owned(),
                ));
            }
        }
    }
    gated
}

fn sensitivity(pool: &DescriptorPool, field: &FieldDescriptor) -> i32 {
    let extension = pool.get_extension_by_name("lienthong.options.v1.field").unwrap();
    let options = field.options();
    let rules = options.get_extension(&extension);
    let rules = rules.as_message().unwrap();
    rules.get_field_by_name("sensitivity").unwrap().as_enum_number().unwrap()
}

const PERSONAL: i32 = 2;

fn is_hidden(pool: &DescriptorPool, field: &FieldDescriptor) -> bool {
    sensitivity(pool, field) >= PERSONAL
}

fn carries_personal(pool: &DescriptorPool, message: &MessageDescriptor) -> bool {
    message.fields().any(|f| is_hidden(pool, &f))
}

fn snake(name: &str) -> String {
    let mut out = String::new();
    for (i, c) in name.chars().enumerate() {
        if c.is_uppercase() && i > 0 {
            out.push('_');
        }
        out.extend(c.to_lowercase());
    }
    out
}

fn upper(name: &str) -> String {
    name.split('_').map(|p| p[..1].to_uppercase() + &p[1..]).collect()
}

/// Debug for every message that carries personal data: hidden fields are named, never shown.
fn redacted(pool: &DescriptorPool) -> (String, Vec<String>) {
    let mut out = String::from("// Made by tests/generate.rs from proto/. Do not edit.\n");
    let mut skipped = Vec::new();
    let hidden = "&::core::format_args!(\"[personal]\")";
    for message in pool.all_messages().filter(|m| m.package_name().starts_with("lienthong.")) {
        if !carries_personal(pool, &message) {
            continue;
        }
        skipped.push(format!(".{}", message.full_name()));
        let module = rust_path(message.package_name()).replacen("::contract", "crate", 1);
        let name = message.name();
        let mut body = String::new();
        for field in message.fields().filter(|f| f.containing_oneof().is_none()) {
            let name = field.name();
            let value =
                if is_hidden(pool, &field) { hidden.to_owned() } else { format!("&self.{name}") };
            write!(body, "\n            .field(\"{name}\", {value})").unwrap();
        }
        for oneof in message.oneofs() {
            let name = oneof.name();
            write!(body, "\n            .field(\"{name}\", &self.{name})").unwrap();
            let path = format!("{module}::{}::{}", snake(message.name()), upper(name));
            write!(out, "\nimpl ::core::fmt::Debug for {path} {{\n    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {{\n        f.write_str(\"[personal]\")\n    }}\n}}\n").unwrap();
        }
        write!(out, "\nimpl ::core::fmt::Debug for {module}::{name} {{\n    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {{\n        f.debug_struct(\"{name}\"){body}\n            .finish()\n    }}\n}}\n").unwrap();
    }
    (out, skipped)
}

fn generate(
    builder: tonic_prost_build::Builder,
    set: &prost_types::FileDescriptorSet,
    packages: &str,
) -> BTreeMap<String, String> {
    let out = tempfile::tempdir().unwrap();
    builder.out_dir(out.path()).emit_rerun_if_changed(false).compile_fds(set.clone()).unwrap();
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(out.path()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().replace("r#", "");
        if name.starts_with(packages) {
            files.insert(name, fs::read_to_string(&path).unwrap());
        }
    }
    files
}

/// A protocol that is not ours and no part of the contract.
fn foreign(
    folder: &str,
    file: &str,
    package: &str,
    builder: tonic_prost_build::Builder,
) -> BTreeMap<String, String> {
    let mut compiler = protox::Compiler::new([root().join(folder)]).unwrap();
    compiler.include_imports(true).include_source_info(true).open_file(file).unwrap();
    generate(builder, &compiler.file_descriptor_set(), package)
}

/// Whether the contract says that a call of the method may be repeated, with its one request.
fn repeatable(method: &MethodDescriptor) -> bool {
    let options = method.method_descriptor_proto().options.clone().unwrap_or_default();
    options.idempotency_level() != IdempotencyLevel::IdempotencyUnknown
        && !method.is_client_streaming()
}

/// Every method, and whether its proto says that it may be repeated.
fn methods(pool: &DescriptorPool) -> String {
    let mut out = String::from(
        "// Made by tests/generate.rs from proto/. Do not edit.\n\n\
         /// Full path of every method, and whether a call of it may be repeated: a read, or a write under a key\n\
         /// (`idempotency_level`), of one request and one answer.\n\
         pub const METHODS: &[(&str, bool)] = &[\n",
    );
    for service in pool.services().filter(|s| s.full_name().starts_with(OURS)) {
        for method in service.methods() {
            let repeatable = repeatable(&method) && !method.is_server_streaming();
            let path = format!("/{}/{}", service.full_name(), method.name());
            writeln!(out, "    (\"{path}\", {repeatable}),").unwrap();
        }
    }
    out += "];\n\n/// Full path of every method of more than one request or answer.\npub const STREAMS: &[&str] = &[\n";
    for service in pool.services().filter(|s| s.full_name().starts_with(OURS)) {
        for method in service.methods() {
            if method.is_client_streaming() || method.is_server_streaming() {
                writeln!(out, "    \"/{}/{}\",", service.full_name(), method.name()).unwrap();
            }
        }
    }
    out + "];\n"
}

/// What a client of the published services is configured with (gRFC A6): every instance in turn, and another attempt
/// where the contract says that a call may be repeated. UNAVAILABLE alone is worth one: every other code is an answer.
fn service_config(pool: &DescriptorPool) -> String {
    let released = fs::read(root().join("proto/released.binpb")).unwrap();
    let released = prost_types::FileDescriptorSet::decode(released.as_slice()).unwrap();
    let published = released.file.iter().flat_map(|file| {
        file.service.iter().map(|service| format!("{}.{}", file.package(), service.name()))
    });
    let (mut repeatable_ones, mut streams, mut others) = (Vec::new(), Vec::new(), Vec::new());
    for name in published {
        let service = pool.get_service_by_name(&name).unwrap();
        // On a stream of questions the caller says when it ends, and what of it to repeat.
        for method in service.methods().filter(|method| !method.is_client_streaming()) {
            let of = match (repeatable(&method), method.is_server_streaming()) {
                (true, false) => &mut repeatable_ones,
                (true, true) => &mut streams,
                (false, _) => &mut others,
            };
            of.push(serde_json::json!({ "method": method.name(), "service": name }));
        }
    }
    assert!(!repeatable_ones.is_empty(), "nothing is published");
    // The server cuts a call there, too. A stream that follows lasts as long as whoever reads it wants.
    let timeout = "30s";
    let retry = serde_json::json!({
        "backoffMultiplier": 2,
        "initialBackoff": "0.1s",
        "maxAttempts": 5,
        "maxBackoff": "2s",
        "retryableStatusCodes": ["UNAVAILABLE"],
    });
    // Keys stand sorted: features of serde_json that other crates ask for must not change the file.
    let mut methods = vec![
        serde_json::json!({ "name": repeatable_ones, "retryPolicy": retry, "timeout": timeout }),
    ];
    if !streams.is_empty() {
        methods.push(serde_json::json!({ "name": streams, "retryPolicy": retry }));
    }
    if !others.is_empty() {
        methods.push(serde_json::json!({ "name": others, "timeout": timeout }));
    }
    let config = serde_json::json!({
        "loadBalancingConfig": [{ "round_robin": {} }],
        "methodConfig": methods,
        // When more than half of the tokens are gone, nothing is repeated: no storm on top of an outage.
        "retryThrottling": { "maxTokens": 100, "tokenRatio": 0.1 },
    });
    serde_json::to_string_pretty(&config).unwrap() + "\n"
}

/// The files of a package, without what they import and without comments, as a FileDescriptorSet.
fn descriptors(set: &prost_types::FileDescriptorSet, package: &str) -> Vec<u8> {
    let mut file: Vec<_> = set.file.iter().filter(|f| f.package() == package).cloned().collect();
    file.iter_mut().for_each(|file| file.source_code_info = None);
    prost_types::FileDescriptorSet { file }.encode_to_vec()
}

/// Whether the answers of a service come with a receipt. They all do then, because its server is behind the gate.
fn is_gated(pool: &DescriptorPool, service: &str) -> bool {
    let service = pool.get_service_by_name(service).unwrap();
    let proven = |method: &MethodDescriptor| proven(&method.output(), &mut BTreeSet::new());
    let gated = service.methods().any(|method| proven(&method));
    let all = service.methods().all(|method| proven(&method));
    assert!(!gated || all, "{}: not every answer has a receipt", service.full_name());
    gated
}

/// The same files with only the services that are behind the gate.
fn only_gated(
    set: &prost_types::FileDescriptorSet,
    pool: &DescriptorPool,
) -> prost_types::FileDescriptorSet {
    let mut set = set.clone();
    for file in &mut set.file {
        let package = file.package().to_owned();
        file.service.retain(|service| is_gated(pool, &format!("{package}.{}", service.name())));
    }
    set
}

/// The server of a service in generated text: the module, with the line before it.
fn server_of<'a>(text: &'a str, service: &str) -> &'a str {
    let name = snake(service);
    let begin = format!("/// Generated server implementations.\npub mod {name}_server {{");
    let from = text.find(&begin).unwrap();
    let to = from + text[from..].find("\n}\n").unwrap() + "\n}\n".len();
    &text[from..to]
}

/// Everything that is committed, as path from the root and bytes.
fn expected() -> BTreeMap<PathBuf, Vec<u8>> {
    let (set, pool) = compile();
    let (debug, skipped) = redacted(&pool);
    let gated = gated(&pool);
    let builder = || tonic_prost_build::configure().skip_debug(&skipped);

    let open = generate(builder(), &set, OURS);
    let clients = generate(builder().build_server(false), &set, OURS);
    let mut behind =
        tonic_prost_build::configure().build_client(false).codec_path("crate::codec::GateCodec");
    for message in pool.all_messages().filter(|m| m.package_name().starts_with("lienthong.")) {
        let path = format!("{}::{}", rust_path(message.package_name()), message.name());
        let rust = if gated
            .iter()
            .any(|(p, i, _)| p == message.package_name() && i == message.name())
        {
            format!("crate::Exact<{path}>")
        } else if gated.iter().any(|(p, _, o)| p == message.package_name() && o == message.name()) {
            format!("crate::Released<{path}>")
        } else {
            path
        };
        behind = behind.extern_path(format!(".{}", message.full_name()), rust);
    }
    for enumeration in pool.all_enums().filter(|e| e.package_name().starts_with("lienthong.")) {
        let path = format!("{}::{}", rust_path(enumeration.package_name()), enumeration.name());
        behind = behind.extern_path(format!(".{}", enumeration.full_name()), path);
    }
    let servers = generate(behind, &only_gated(&set, &pool), OURS);

    let mut files = BTreeMap::new();
    for (name, text) in open {
        let package = name.trim_end_matches(".rs");
        let personal = gated.iter().any(|(p, _, _)| p == package);
        let text = if personal {
            // Where a package has services of both kinds, those that are not behind the gate keep their servers.
            let services = pool.services().filter(|service| service.package_name() == package);
            let open = services.filter(|service| !is_gated(&pool, service.full_name()));
            let servers = open.map(|service| server_of(&text, service.name()));
            servers.fold(clients[&name].clone(), |all, server| all + server)
        } else {
            text
        };
        files.insert(PathBuf::from("shared/contract/src/gen").join(&name), text);
        if personal {
            files.insert(
                PathBuf::from("shared/disclosure/src/gen").join(&name),
                servers[&name].clone(),
            );
        }
    }
    files.insert("shared/contract/src/gen/redacted.rs".into(), debug);
    files.insert("proto/service_config.json".into(), service_config(&pool));
    files.insert("shared/contract/src/gen/methods.rs".into(), methods(&pool));
    files.insert("shared/contract/src/gen/rules.rs".into(), reference::rules(&set));
    let published = fs::read_to_string(root().join("proto/sdk/published")).unwrap();
    let pages = reference::pages(&set, &published);
    files.extend(pages.into_iter().map(|(path, text)| (path.into(), text)));
    let plain = tonic_prost_build::configure;
    let health =
        foreign("proto/third_party", "grpc/health/v1/health.proto", "grpc.health.", plain());
    for (name, text) in health {
        files.insert(PathBuf::from("shared/server/src/gen").join(name), text);
    }
    let authz = "envoy/service/auth/v3/external_auth.proto";
    for (name, text) in foreign("proto/third_party", authz, "envoy.service.", plain()) {
        files.insert(PathBuf::from("services/policy/src/api/ext_authz/gen").join(name), text);
    }
    let testing = foreign(
        "tests/interop/proto",
        "grpc/testing/test.proto",
        "grpc.testing.",
        plain().build_client(false),
    );
    for (name, text) in testing {
        files.insert(PathBuf::from("tests/src/gen").join(name), text);
    }
    let mut files: BTreeMap<_, _> =
        files.into_iter().map(|(path, text)| (path, text.into_bytes())).collect();
    files.insert(
        format!("shared/contract/src/gen/{}.binpb", reference::RULED).into(),
        descriptors(&set, reference::RULED),
    );
    files
}

#[test]
fn generated_code_is_what_the_contract_says() {
    let root = root();
    let update = std::env::var_os("UPDATE").is_some();
    let mut stale = Vec::new();
    for (path, bytes) in expected() {
        let path = root.join(path);
        let committed = fs::read(&path).unwrap_or_default();
        if committed != bytes {
            if update {
                fs::write(&path, bytes).unwrap();
            }
            stale.push(path);
        }
    }
    assert!(update || stale.is_empty(), "run `UPDATE=1 cargo test -p contract`; stale: {stale:?}");
}

#[test]
fn i8_every_scalar_field_beside_personal_data_says_what_it_holds() {
    let (_, pool) = compile();
    let mut unmarked = Vec::new();
    for message in pool.all_messages().filter(|m| m.package_name().starts_with("lienthong.")) {
        if !carries_personal(&pool, &message) {
            continue;
        }
        for field in message.fields() {
            let scalar = !matches!(field.kind(), Kind::Message(_));
            if scalar && sensitivity(&pool, &field) == 0 {
                unmarked.push(field.full_name().to_owned());
            }
        }
    }
    assert!(unmarked.is_empty(), "fields without sensitivity: {unmarked:?}");
}

#[test]
fn i8_debug_of_a_message_leaves_personal_data_out() {
    let name = contract::r#type::v1::PersonName {
        full_name: "Nguyễn Thị Canary".into(),
        ..Default::default()
    };
    let value = contract::r#type::v1::ItemValue {
        value: Some(contract::r#type::v1::item_value::Value::Text("Canary".into())),
    };
    let subject = contract::r#type::v1::SubjectRef {
        subject: Some(contract::r#type::v1::subject_ref::Subject::PersonalNumber("990".into())),
    };
    for text in [format!("{name:?}"), format!("{value:?}"), format!("{subject:#?}")] {
        assert!(!text.contains("Canary") && !text.contains("990"), "{text}");
        assert!(text.contains("[personal]"), "{text}");
    }
}
