//! The contract as the kit knows it, and as the database says it by reflection.
//!
//! Its digest must not depend on who compiled it: each file of the package is read as google.protobuf.FileDescriptorProto,
//! loses `source_code_info`, every `json_name` and what that message does not know (options of our own), and is written
//! again in the order of its field numbers; the files, in the order of their names, each behind its length as four
//! bytes, are what SHA-256 is taken of.

use std::collections::{BTreeMap, BTreeSet};

use contract::database::v1::DESCRIPTORS;
use prost::Message as _;
use prost_types::{DescriptorProto, FileDescriptorProto, FileDescriptorSet};
use sha2::{Digest as _, Sha256};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, ServerReflectionResponse, server_reflection_request::MessageRequest,
    server_reflection_response::MessageResponse,
};

use crate::{
    found::{Tried, Words, failed},
    kit::{Kit, ok, path},
    wire::Wire,
};

/// The package.
const PACKAGE: &str = "lienthong.database.v1";

/// What reflection says of the contract.
#[derive(Debug, Default)]
pub(crate) struct Described {
    pub(crate) sha256: Option<String>,
    pub(crate) remark: Option<Words>,
}

/// SHA-256 of the contract that the kit tries.
#[must_use]
pub fn contract_digest() -> String {
    digest(own_files())
}

fn digest(files: impl IntoIterator<Item = FileDescriptorProto>) -> String {
    let ours = files.into_iter().filter(|file| file.package() == PACKAGE);
    let ours: BTreeMap<String, Vec<u8>> =
        ours.map(|file| (file.name().to_owned(), plain(file).encode_to_vec())).collect();
    let mut hash = Sha256::new();
    for bytes in ours.values() {
        hash.update(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
        hash.update(bytes);
    }
    hex::encode(hash.finalize())
}

/// A file without what differs from one compiler to the next.
fn plain(mut file: FileDescriptorProto) -> FileDescriptorProto {
    file.source_code_info = None;
    file.message_type.iter_mut().for_each(plain_message);
    file
}

fn plain_message(message: &mut DescriptorProto) {
    for field in message.field.iter_mut().chain(&mut message.extension) {
        field.json_name = None;
        // Options of our own are not known here; what is left of them is nothing.
        if field.options.as_ref().is_some_and(|options| *options == Default::default()) {
            field.options = None;
        }
    }
    message.nested_type.iter_mut().for_each(plain_message);
}

/// The answer of reflection, at this path, to one question.
pub(crate) async fn reflect(
    wire: &Wire,
    path: &str,
    question: MessageRequest,
) -> Tried<Option<MessageResponse>> {
    let request = ServerReflectionRequest { host: String::new(), message_request: Some(question) };
    let tried = "ServerReflectionInfo";
    let answer: ServerReflectionResponse = ok(wire, tried, path, &request).await?;
    Ok(answer.message_response)
}

/// The contract as the database describes it.
pub(crate) async fn of_target(kit: &Kit) -> Described {
    let mut files = served(kit, path::REFLECT).await;
    if files.is_err() {
        // Some libraries have the older one alone.
        files = served(kit, path::REFLECT_ALPHA).await;
    }
    let Ok(files) = files else {
        let remark = Words::new(
            "không có reflection nên không biết bản hợp đồng mà cơ sở dữ liệu dùng",
            "reflection is not served: which contract the database was made from is not known",
        );
        return Described { sha256: None, remark: Some(remark) };
    };
    compared(files)
}

/// What is said of the files that a database serves: those of roles that it does not have may be absent.
fn compared(files: Vec<FileDescriptorProto>) -> Described {
    let named = |file: &FileDescriptorProto| file.name().to_owned();
    let served: BTreeSet<String> = files.iter().map(named).collect();
    let sha256 = digest(files);
    let ours = own_files();
    let same = digest(ours.iter().filter(|file| served.contains(file.name())).cloned());
    let remark = match (sha256 == same, served.len() < ours.len()) {
        (true, false) => None,
        (true, true) => Some(Words::new(
            format!("{sha256} là của {} tệp, giống của bộ kiểm thử", served.len()),
            format!("{sha256} is of {} files, the same as the kit's", served.len()),
        )),
        (false, _) => Some(Words::new(
            format!("khác bản hợp đồng của bộ kiểm thử: {sha256}"),
            format!("another contract than the kit's: {sha256}"),
        )),
    };
    Described { sha256: Some(sha256), remark }
}

/// The files of the package that reflection serves.
async fn served(kit: &Kit, path: &str) -> Tried<Vec<FileDescriptorProto>> {
    let wire = kit.connect().await?;
    let mut files = BTreeMap::new();
    for own in own_files() {
        let question = MessageRequest::FileByFilename(own.name().to_owned());
        let answer = reflect(&wire, path, question).await?;
        let Some(MessageResponse::FileDescriptorResponse(found)) = answer else { continue };
        for bytes in found.file_descriptor_proto {
            let file = FileDescriptorProto::decode(bytes.as_slice());
            let file = file.map_err(|_| failed("reflection", "file descriptors", "none"))?;
            if file.package() == PACKAGE {
                files.insert(file.name().to_owned(), file);
            }
        }
    }
    if files.is_empty() {
        return Err(failed("reflection", "files of the contract", "none"));
    }
    Ok(files.into_values().collect())
}

/// The contract's files.
fn own_files() -> Vec<FileDescriptorProto> {
    FileDescriptorSet::decode(DESCRIPTORS).unwrap_or_default().file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_does_not_depend_on_who_compiled_the_contract() {
        assert!(!own_files().is_empty());
        let mut other = own_files();
        other.reverse();
        for file in &mut other {
            file.source_code_info = Some(prost_types::SourceCodeInfo::default());
            for field in file.message_type.iter_mut().flat_map(|message| &mut message.field) {
                field.json_name = Some("other".into());
                field.options.get_or_insert_default();
            }
        }
        assert_eq!(digest(other.clone()), contract_digest());
        for message in other.iter_mut().flat_map(|file| &mut file.message_type) {
            message.name = Some("Other".into());
        }
        assert_ne!(digest(other), contract_digest());
    }
}
