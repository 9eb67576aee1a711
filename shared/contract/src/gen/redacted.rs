// Made by tests/generate.rs from proto/. Do not edit.

impl ::core::fmt::Debug for crate::r#type::v1::PartialDate {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("PartialDate")
            .field("year", &::core::format_args!("[personal]"))
            .field("month", &::core::format_args!("[personal]"))
            .field("day", &::core::format_args!("[personal]"))
            .finish()
    }
}

impl ::core::fmt::Debug for crate::r#type::v1::PersonName {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("PersonName")
            .field("full_name", &::core::format_args!("[personal]"))
            .field("family_name", &::core::format_args!("[personal]"))
            .field("middle_name", &::core::format_args!("[personal]"))
            .field("given_name", &::core::format_args!("[personal]"))
            .finish()
    }
}

impl ::core::fmt::Debug for crate::r#type::v1::Address {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("Address")
            .field("text", &::core::format_args!("[personal]"))
            .field("province_code", &::core::format_args!("[personal]"))
            .field("district_code", &::core::format_args!("[personal]"))
            .field("commune_code", &::core::format_args!("[personal]"))
            .field("country_code", &::core::format_args!("[personal]"))
            .field("units_version", &self.units_version)
            .finish()
    }
}

impl ::core::fmt::Debug for crate::r#type::v1::CodedValue {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("CodedValue")
            .field("code_system", &self.code_system)
            .field("code_system_version", &self.code_system_version)
            .field("code", &::core::format_args!("[personal]"))
            .field("display", &::core::format_args!("[personal]"))
            .finish()
    }
}

impl ::core::fmt::Debug for crate::r#type::v1::Identifier {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("Identifier")
            .field("kind", &self.kind)
            .field("value", &::core::format_args!("[personal]"))
            .finish()
    }
}

impl ::core::fmt::Debug for crate::r#type::v1::Relation {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("Relation")
            .field("kind", &::core::format_args!("[personal]"))
            .field("name", &self.name)
            .field("identifier", &self.identifier)
            .field("date_of_birth", &self.date_of_birth)
            .field("nationality", &self.nationality)
            .finish()
    }
}

impl ::core::fmt::Debug for crate::r#type::v1::Document {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("Document")
            .field("kind", &self.kind)
            .field("number", &::core::format_args!("[personal]"))
            .field("issue_date", &self.issue_date)
            .field("issuer", &::core::format_args!("[personal]"))
            .field("expiry_date", &self.expiry_date)
            .finish()
    }
}

impl ::core::fmt::Debug for crate::r#type::v1::item_value::Value {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.write_str("[personal]")
    }
}

impl ::core::fmt::Debug for crate::r#type::v1::ItemValue {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("ItemValue")
            .field("value", &self.value)
            .finish()
    }
}

impl ::core::fmt::Debug for crate::r#type::v1::subject_ref::Subject {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.write_str("[personal]")
    }
}

impl ::core::fmt::Debug for crate::r#type::v1::SubjectRef {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("SubjectRef")
            .field("subject", &self.subject)
            .finish()
    }
}

impl ::core::fmt::Debug for crate::r#type::v1::Claims {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("Claims")
            .field("full_name", &::core::format_args!("[personal]"))
            .field("date_of_birth", &self.date_of_birth)
            .finish()
    }
}

impl ::core::fmt::Debug for crate::r#type::v1::AccessBasis {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("AccessBasis")
            .field("procedure", &self.procedure)
            .field("legal_basis", &self.legal_basis)
            .field("case_reference", &::core::format_args!("[personal]"))
            .field("acting_unit", &self.acting_unit)
            .field("officer", &::core::format_args!("[personal]"))
            .field("consent_reference", &::core::format_args!("[personal]"))
            .field("direction_reference", &self.direction_reference)
            .finish()
    }
}

impl ::core::fmt::Debug for crate::r#type::v1::RequestSignature {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("RequestSignature")
            .field("algorithm", &self.algorithm)
            .field("certificate_thumbprint", &self.certificate_thumbprint)
            .field("signature", &::core::format_args!("[personal]"))
            .finish()
    }
}

impl ::core::fmt::Debug for crate::audit::v1::ListAccessesRequest {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("ListAccessesRequest")
            .field("names", &self.names)
            .field("missed", &::core::format_args!("[personal]"))
            .field("before_index", &self.before_index)
            .field("page_size", &self.page_size)
            .finish()
    }
}

impl ::core::fmt::Debug for crate::audit::v1::RecordedName {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("RecordedName")
            .field("person", &::core::format_args!("[personal]"))
            .field("from_milliseconds", &self.from_milliseconds)
            .field("until_milliseconds", &self.until_milliseconds)
            .finish()
    }
}

impl ::core::fmt::Debug for crate::audit::v1::RecordedAccess {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("RecordedAccess")
            .field("name", &self.name)
            .field("number", &self.number)
            .field("index", &self.index)
            .field("leaf", &self.leaf)
            .field("proof", &self.proof)
            .field("sealed", &self.sealed)
            .field("context", &self.context)
            .field("decision", &::core::format_args!("[personal]"))
            .field("erased", &self.erased)
            .field("archived", &self.archived)
            .finish()
    }
}

impl ::core::fmt::Debug for crate::audit::v1::AppendRequest {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("AppendRequest")
            .field("leaf", &self.leaf)
            .field("outer_key", &::core::format_args!("[personal]"))
            .field("inner_key", &::core::format_args!("[personal]"))
            .field("context", &self.context)
            .field("request_digest", &::core::format_args!("[personal]"))
            .field("answer_digest", &::core::format_args!("[personal]"))
            .field("decision", &::core::format_args!("[personal]"))
            .field("signer_certificate", &self.signer_certificate)
            .finish()
    }
}

impl ::core::fmt::Debug for crate::audit::v1::DecisionRecord {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("DecisionRecord")
            .field("decision_id", &self.decision_id)
            .field("policy_revision", &self.policy_revision)
            .field("connection", &self.connection)
            .field("agreement", &self.agreement)
            .field("outcome", &::core::format_args!("[personal]"))
            .field("person", &::core::format_args!("[personal]"))
            .field("facts", &::core::format_args!("[personal]"))
            .field("items", &self.items)
            .field("reason", &self.reason)
            .field("shed", &self.shed)
            .field("basis", &self.basis)
            .field("purpose", &self.purpose)
            .field("sealed_days", &self.sealed_days)
            .field("missed", &::core::format_args!("[personal]"))
            .field("took_microseconds", &self.took_microseconds)
            .field("signature", &self.signature)
            .finish()
    }
}

impl ::core::fmt::Debug for crate::audit::v1::RecordOpening {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("RecordOpening")
            .field("index", &self.index)
            .field("context", &self.context)
            .field("erased", &self.erased)
            .field("outer_key", &::core::format_args!("[personal]"))
            .field("inner_key", &::core::format_args!("[personal]"))
            .field("request_digest", &::core::format_args!("[personal]"))
            .field("answer_digest", &::core::format_args!("[personal]"))
            .field("decision", &::core::format_args!("[personal]"))
            .field("signer_certificate", &self.signer_certificate)
            .field("erasure", &self.erasure)
            .finish()
    }
}

impl ::core::fmt::Debug for crate::audit::v1::RecordErasure {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("RecordErasure")
            .field("document", &self.document)
            .field("time_milliseconds", &self.time_milliseconds)
            .field("person", &::core::format_args!("[personal]"))
            .field("missed", &::core::format_args!("[personal]"))
            .field("sealed_until_milliseconds", &self.sealed_until_milliseconds)
            .finish()
    }
}

impl ::core::fmt::Debug for crate::audit::v1::ItemRecord {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("ItemRecord")
            .field("item", &self.item)
            .field("disclosed", &::core::format_args!("[personal]"))
            .field("rule", &::core::format_args!("[personal]"))
            .field("legal_basis", &::core::format_args!("[personal]"))
            .field("article", &::core::format_args!("[personal]"))
            .finish()
    }
}

impl ::core::fmt::Debug for crate::audit::v1::Receipt {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("Receipt")
            .field("leaf", &self.leaf)
            .field("index", &self.index)
            .field("proof", &self.proof)
            .field("checkpoint", &self.checkpoint)
            .field("opening", &::core::format_args!("[personal]"))
            .finish()
    }
}

impl ::core::fmt::Debug for crate::audit::v1::SealedResponse {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("SealedResponse")
            .field("answer", &::core::format_args!("[personal]"))
            .field("receipt", &::core::format_args!("[personal]"))
            .finish()
    }
}

impl ::core::fmt::Debug for crate::contribution::v1::Evidence {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("Evidence")
            .field("kind", &self.kind)
            .field("digest", &::core::format_args!("[personal]"))
            .field("number", &::core::format_args!("[personal]"))
            .finish()
    }
}

impl ::core::fmt::Debug for crate::contribution::v1::Registration {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("Registration")
            .field("entry_number", &::core::format_args!("[personal]"))
            .field("registration_date", &self.registration_date)
            .field("registration_place", &self.registration_place)
            .finish()
    }
}

impl ::core::fmt::Debug for crate::contribution::v1::TemporaryAbsence {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("TemporaryAbsence")
            .field("declaration", &::core::format_args!("[personal]"))
            .finish()
    }
}

impl ::core::fmt::Debug for crate::contribution::v1::HouseholdChange {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("HouseholdChange")
            .field("residence_file_number", &::core::format_args!("[personal]"))
            .field("members", &self.members)
            .field("left", &self.left)
            .field("left_file_number", &::core::format_args!("[personal]"))
            .finish()
    }
}

impl ::core::fmt::Debug for crate::contribution::v1::ContactChange {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("ContactChange")
            .field("mobile_number", &::core::format_args!("[personal]"))
            .field("email", &::core::format_args!("[personal]"))
            .finish()
    }
}

impl ::core::fmt::Debug for crate::contribution::v1::RecordMerge {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("RecordMerge")
            .field("surviving_person", &self.surviving_person)
            .field("decision_number", &::core::format_args!("[personal]"))
            .finish()
    }
}

impl ::core::fmt::Debug for crate::contribution::v1::RecordSplit {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("RecordSplit")
            .field("restored_subject", &self.restored_subject)
            .field("decision_number", &::core::format_args!("[personal]"))
            .finish()
    }
}

impl ::core::fmt::Debug for crate::contribution::v1::Conflict {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("Conflict")
            .field("conflict_id", &self.conflict_id)
            .field("item", &self.item)
            .field("state", &self.state)
            .field("owner", &self.owner)
            .field("due_time", &self.due_time)
            .field("opened_time", &self.opened_time)
            .field("disagreeing", &self.disagreeing)
            .field("held", &self.held)
            .field("message", &::core::format_args!("[personal]"))
            .finish()
    }
}

impl ::core::fmt::Debug for crate::contribution::v1::HandOverConflictRequest {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("HandOverConflictRequest")
            .field("conflict_id", &self.conflict_id)
            .field("message", &::core::format_args!("[personal]"))
            .field("request_id", &self.request_id)
            .finish()
    }
}

impl ::core::fmt::Debug for crate::contribution::v1::submit_contribution_request::Event {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.write_str("[personal]")
    }
}

impl ::core::fmt::Debug for crate::contribution::v1::SubmitContributionRequest {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("SubmitContributionRequest")
            .field("idempotency_key", &self.idempotency_key)
            .field("basis", &self.basis)
            .field("validate_only", &self.validate_only)
            .field("request_id", &self.request_id)
            .field("expected_version", &::core::format_args!("[personal]"))
            .field("evidence", &self.evidence)
            .field("event", &self.event)
            .finish()
    }
}

impl ::core::fmt::Debug for crate::contribution::v1::BirthRegistration {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("BirthRegistration")
            .field("entry_number", &::core::format_args!("[personal]"))
            .field("registration_date", &self.registration_date)
            .field("registration_place_code", &::core::format_args!("[personal]"))
            .field("registration_place", &self.registration_place)
            .field("full_name", &self.full_name)
            .field("date_of_birth", &self.date_of_birth)
            .field("sex", &self.sex)
            .field("place_of_birth", &self.place_of_birth)
            .field("native_place", &self.native_place)
            .field("ethnic_group", &self.ethnic_group)
            .field("nationality", &self.nationality)
            .field("parents", &self.parents)
            .finish()
    }
}

impl ::core::fmt::Debug for crate::contribution::v1::DeathRegistration {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("DeathRegistration")
            .field("subject", &self.subject)
            .field("claims", &self.claims)
            .field("entry_number", &::core::format_args!("[personal]"))
            .field("registration_date", &self.registration_date)
            .field("registration_place", &self.registration_place)
            .field("date_of_death", &self.date_of_death)
            .finish()
    }
}

impl ::core::fmt::Debug for crate::contribution::v1::ResidenceChange {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("ResidenceChange")
            .field("subject", &self.subject)
            .field("claims", &self.claims)
            .field("kind", &::core::format_args!("[personal]"))
            .field("address", &self.address)
            .field("effective_date", &self.effective_date)
            .field("residence_file_number", &::core::format_args!("[personal]"))
            .finish()
    }
}

impl ::core::fmt::Debug for crate::contribution::v1::Correction {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("Correction")
            .field("subject", &self.subject)
            .field("claims", &self.claims)
            .field("entry_number", &::core::format_args!("[personal]"))
            .field("correction_date", &self.correction_date)
            .field("corrected_values", &self.corrected_values)
            .field("registration_place", &self.registration_place)
            .finish()
    }
}

impl ::core::fmt::Debug for crate::contribution::v1::Annulment {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("Annulment")
            .field("annulled_key", &self.annulled_key)
            .field("annulled_items", &self.annulled_items)
            .field("decision_number", &::core::format_args!("[personal]"))
            .field("decision_date", &self.decision_date)
            .finish()
    }
}

impl ::core::fmt::Debug for crate::contribution::v1::ConflictDecision {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("ConflictDecision")
            .field("conflict_id", &self.conflict_id)
            .field("item", &self.item)
            .field("outcome", &::core::format_args!("[personal]"))
            .field("decision_number", &::core::format_args!("[personal]"))
            .field("decision_date", &self.decision_date)
            .field("reason", &::core::format_args!("[personal]"))
            .finish()
    }
}

impl ::core::fmt::Debug for crate::contribution::v1::ContributionReceipt {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("ContributionReceipt")
            .field("contribution_id", &self.contribution_id)
            .field("idempotency_key", &self.idempotency_key)
            .field("state", &self.state)
            .field("version", &self.version)
            .field("personal_number", &::core::format_args!("[personal]"))
            .field("received_time", &self.received_time)
            .field("known_time", &self.known_time)
            .field("digest", &::core::format_args!("[personal]"))
            .field("decision_id", &self.decision_id)
            .field("policy_revision", &self.policy_revision)
            .field("request_id", &self.request_id)
            .field("outranked_items", &::core::format_args!("[personal]"))
            .finish()
    }
}

impl ::core::fmt::Debug for crate::r#type::v1::Withheld {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("Withheld")
            .field("rule", &::core::format_args!("[personal]"))
            .field("legal_basis", &self.legal_basis)
            .field("article", &self.article)
            .finish()
    }
}

impl ::core::fmt::Debug for crate::r#type::v1::item_outcome::Outcome {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.write_str("[personal]")
    }
}

impl ::core::fmt::Debug for crate::r#type::v1::ItemOutcome {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("ItemOutcome")
            .field("item", &self.item)
            .field("obligations", &self.obligations)
            .field("outcome", &self.outcome)
            .finish()
    }
}

impl ::core::fmt::Debug for crate::database::v1::GetRecordRequest {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("GetRecordRequest")
            .field("subject", &self.subject)
            .field("claims", &self.claims)
            .field("items", &self.items)
            .field("basis", &self.basis)
            .field("request_id", &self.request_id)
            .field("warrant", &::core::format_args!("[personal]"))
            .field("warrant_opening", &::core::format_args!("[personal]"))
            .finish()
    }
}

impl ::core::fmt::Debug for crate::database::v1::GetRecordResponse {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("GetRecordResponse")
            .field("outcome", &::core::format_args!("[personal]"))
            .field("items", &self.items)
            .field("subject", &self.subject)
            .field("request_id", &self.request_id)
            .field("answer_time", &self.answer_time)
            .finish()
    }
}

impl ::core::fmt::Debug for crate::database::v1::VerifyRecordRequest {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("VerifyRecordRequest")
            .field("subject", &self.subject)
            .field("claims", &self.claims)
            .field("claimed_values", &self.claimed_values)
            .field("basis", &self.basis)
            .field("request_id", &self.request_id)
            .field("warrant", &::core::format_args!("[personal]"))
            .field("warrant_opening", &::core::format_args!("[personal]"))
            .finish()
    }
}

impl ::core::fmt::Debug for crate::database::v1::VerifyRecordResponse {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("VerifyRecordResponse")
            .field("outcome", &::core::format_args!("[personal]"))
            .field("results", &self.results)
            .field("subject", &self.subject)
            .field("request_id", &self.request_id)
            .field("answer_time", &self.answer_time)
            .finish()
    }
}

impl ::core::fmt::Debug for crate::database::v1::RecordClaimResult {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("RecordClaimResult")
            .field("item", &self.item)
            .field("outcome", &::core::format_args!("[personal]"))
            .finish()
    }
}

impl ::core::fmt::Debug for crate::database::v1::PersonChanged {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("PersonChanged")
            .field("token", &::core::format_args!("[personal]"))
            .field("version", &::core::format_args!("[personal]"))
            .field("items", &::core::format_args!("[personal]"))
            .field("kind", &::core::format_args!("[personal]"))
            .field("bulk_job", &self.bulk_job)
            .field("surviving_token", &::core::format_args!("[personal]"))
            .finish()
    }
}

impl ::core::fmt::Debug for crate::database::v1::ChangeApplied {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("ChangeApplied")
            .field("contribution_id", &self.contribution_id)
            .field("version", &self.version)
            .field("personal_number", &::core::format_args!("[personal]"))
            .finish()
    }
}

impl ::core::fmt::Debug for crate::identity::v1::GetPersonAnswer {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("GetPersonAnswer")
            .field("outcome", &::core::format_args!("[personal]"))
            .field("items", &self.items)
            .field("version", &::core::format_args!("[personal]"))
            .field("etag", &::core::format_args!("[personal]"))
            .field("answer_time", &self.answer_time)
            .field("valid_until", &self.valid_until)
            .field("decision_id", &self.decision_id)
            .field("policy_revision", &self.policy_revision)
            .field("request_id", &self.request_id)
            .field("known_time", &self.known_time)
            .field("number_replaced", &::core::format_args!("[personal]"))
            .field("token", &::core::format_args!("[personal]"))
            .field("record_merged", &::core::format_args!("[personal]"))
            .finish()
    }
}

impl ::core::fmt::Debug for crate::identity::v1::VerifyClaimsAnswer {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("VerifyClaimsAnswer")
            .field("outcome", &::core::format_args!("[personal]"))
            .field("results", &self.results)
            .field("answer_time", &self.answer_time)
            .field("valid_until", &self.valid_until)
            .field("decision_id", &self.decision_id)
            .field("policy_revision", &self.policy_revision)
            .field("request_id", &self.request_id)
            .field("version", &::core::format_args!("[personal]"))
            .field("etag", &::core::format_args!("[personal]"))
            .field("number_replaced", &::core::format_args!("[personal]"))
            .field("record_merged", &::core::format_args!("[personal]"))
            .finish()
    }
}

impl ::core::fmt::Debug for crate::identity::v1::ClaimResult {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("ClaimResult")
            .field("item", &self.item)
            .field("outcome", &::core::format_args!("[personal]"))
            .field("denied", &self.denied)
            .field("obligations", &self.obligations)
            .finish()
    }
}

impl ::core::fmt::Debug for crate::identity::v1::ExplainValueAnswer {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("ExplainValueAnswer")
            .field("outcome", &::core::format_args!("[personal]"))
            .field("item", &self.item)
            .field("values", &self.values)
            .field("rule", &self.rule)
            .field("authority", &self.authority)
            .field("withheld", &self.withheld)
            .field("version", &::core::format_args!("[personal]"))
            .field("answer_time", &self.answer_time)
            .field("valid_until", &self.valid_until)
            .field("decision_id", &self.decision_id)
            .field("policy_revision", &self.policy_revision)
            .field("request_id", &self.request_id)
            .field("record_merged", &::core::format_args!("[personal]"))
            .finish()
    }
}

impl ::core::fmt::Debug for crate::identity::v1::ExplainedValue {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("ExplainedValue")
            .field("held", &self.held)
            .field("standing", &::core::format_args!("[personal]"))
            .field("version", &::core::format_args!("[personal]"))
            .field("ended", &::core::format_args!("[personal]"))
            .field("event", &::core::format_args!("[personal]"))
            .finish()
    }
}

impl ::core::fmt::Debug for crate::identity::v1::ListAccessesAnswer {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("ListAccessesAnswer")
            .field("outcome", &::core::format_args!("[personal]"))
            .field("accesses", &self.accesses)
            .field("counts", &::core::format_args!("[personal]"))
            .field("next_page_token", &::core::format_args!("[personal]"))
            .field("checkpoint", &::core::format_args!("[personal]"))
            .field("withheld", &self.withheld)
            .field("answer_time", &self.answer_time)
            .field("decision_id", &self.decision_id)
            .field("policy_revision", &self.policy_revision)
            .field("request_id", &self.request_id)
            .finish()
    }
}

impl ::core::fmt::Debug for crate::identity::v1::person_access::Told {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.write_str("[personal]")
    }
}

impl ::core::fmt::Debug for crate::identity::v1::PersonAccess {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("PersonAccess")
            .field("record", &::core::format_args!("[personal]"))
            .field("number", &::core::format_args!("[personal]"))
            .field("told", &self.told)
            .finish()
    }
}

impl ::core::fmt::Debug for crate::identity::v1::AccessDetails {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("AccessDetails")
            .field("record_time", &self.record_time)
            .field("agency", &::core::format_args!("[personal]"))
            .field("system", &::core::format_args!("[personal]"))
            .field("acting_unit", &::core::format_args!("[personal]"))
            .field("method", &::core::format_args!("[personal]"))
            .field("procedure", &::core::format_args!("[personal]"))
            .field("purpose", &::core::format_args!("[personal]"))
            .field("legal_basis", &::core::format_args!("[personal]"))
            .field("ending", &::core::format_args!("[personal]"))
            .field("items", &self.items)
            .field("index", &::core::format_args!("[personal]"))
            .field("leaf", &::core::format_args!("[personal]"))
            .field("proof", &::core::format_args!("[personal]"))
            .finish()
    }
}

impl ::core::fmt::Debug for crate::identity::v1::AccessedItem {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("AccessedItem")
            .field("item", &::core::format_args!("[personal]"))
            .field("disclosed", &::core::format_args!("[personal]"))
            .field("article", &::core::format_args!("[personal]"))
            .finish()
    }
}

impl ::core::fmt::Debug for crate::identity::v1::PersonChange {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("PersonChange")
            .field("token", &::core::format_args!("[personal]"))
            .field("version", &::core::format_args!("[personal]"))
            .field("items", &::core::format_args!("[personal]"))
            .field("known_time", &self.known_time)
            .field("kind", &::core::format_args!("[personal]"))
            .field("bulk_job", &self.bulk_job)
            .field("surviving_token", &::core::format_args!("[personal]"))
            .finish()
    }
}

impl ::core::fmt::Debug for crate::identity::v1::ListedPerson {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("ListedPerson")
            .field("token", &::core::format_args!("[personal]"))
            .field("version", &::core::format_args!("[personal]"))
            .finish()
    }
}

impl ::core::fmt::Debug for crate::identity::v1::FollowPersonsRequest {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("FollowPersonsRequest")
            .field("basis", &self.basis)
            .field("items", &self.items)
            .field("tokens", &::core::format_args!("[personal]"))
            .field("request_id", &self.request_id)
            .finish()
    }
}

impl ::core::fmt::Debug for crate::identity::v1::UnfollowPersonsRequest {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("UnfollowPersonsRequest")
            .field("basis", &self.basis)
            .field("items", &self.items)
            .field("tokens", &::core::format_args!("[personal]"))
            .field("request_id", &self.request_id)
            .finish()
    }
}

impl ::core::fmt::Debug for crate::identity::v1::RecordConsentRequest {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("RecordConsentRequest")
            .field("subject", &self.subject)
            .field("claims", &self.claims)
            .field("items", &self.items)
            .field("basis", &self.basis)
            .field("recipient", &self.recipient)
            .field("begin_time", &self.begin_time)
            .field("end_time", &self.end_time)
            .field("channel", &self.channel)
            .field("evidence_digest", &::core::format_args!("[personal]"))
            .field("notice_version", &self.notice_version)
            .field("idempotency_key", &self.idempotency_key)
            .field("request_id", &self.request_id)
            .finish()
    }
}

impl ::core::fmt::Debug for crate::identity::v1::WithdrawConsentRequest {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("WithdrawConsentRequest")
            .field("consent_reference", &::core::format_args!("[personal]"))
            .field("basis", &self.basis)
            .field("request_id", &self.request_id)
            .finish()
    }
}

impl ::core::fmt::Debug for crate::identity::v1::GetConsentRequest {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("GetConsentRequest")
            .field("consent_reference", &::core::format_args!("[personal]"))
            .field("basis", &self.basis)
            .field("request_id", &self.request_id)
            .finish()
    }
}

impl ::core::fmt::Debug for crate::identity::v1::ConsentAnswer {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("ConsentAnswer")
            .field("outcome", &::core::format_args!("[personal]"))
            .field("consent", &self.consent)
            .field("answer_time", &self.answer_time)
            .field("decision_id", &self.decision_id)
            .field("policy_revision", &self.policy_revision)
            .field("request_id", &self.request_id)
            .finish()
    }
}

impl ::core::fmt::Debug for crate::identity::v1::Consent {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("Consent")
            .field("reference", &::core::format_args!("[personal]"))
            .field("recipient", &self.recipient)
            .field("items", &::core::format_args!("[personal]"))
            .field("procedure", &::core::format_args!("[personal]"))
            .field("begin_time", &self.begin_time)
            .field("end_time", &self.end_time)
            .field("channel", &::core::format_args!("[personal]"))
            .field("evidence_digest", &::core::format_args!("[personal]"))
            .field("notice_version", &::core::format_args!("[personal]"))
            .field("record_time", &self.record_time)
            .field("withdraw_time", &self.withdraw_time)
            .finish()
    }
}

impl ::core::fmt::Debug for crate::identity::v1::ListRelationsAnswer {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("ListRelationsAnswer")
            .field("outcome", &::core::format_args!("[personal]"))
            .field("listed", &::core::format_args!("[personal]"))
            .field("truncated", &::core::format_args!("[personal]"))
            .field("withheld", &self.withheld)
            .field("version", &::core::format_args!("[personal]"))
            .field("number_replaced", &::core::format_args!("[personal]"))
            .field("answer_time", &self.answer_time)
            .field("valid_until", &self.valid_until)
            .field("decision_id", &self.decision_id)
            .field("policy_revision", &self.policy_revision)
            .field("request_id", &self.request_id)
            .finish()
    }
}

impl ::core::fmt::Debug for crate::identity::v1::PersonRelation {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("PersonRelation")
            .field("direction", &::core::format_args!("[personal]"))
            .field("kind", &::core::format_args!("[personal]"))
            .field("token", &::core::format_args!("[personal]"))
            .field("items", &self.items)
            .field("provenance", &self.provenance)
            .finish()
    }
}

impl ::core::fmt::Debug for crate::identity::v1::GetHouseholdAnswer {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("GetHouseholdAnswer")
            .field("outcome", &::core::format_args!("[personal]"))
            .field("head", &::core::format_args!("[personal]"))
            .field("items", &self.items)
            .field("listed", &::core::format_args!("[personal]"))
            .field("truncated", &::core::format_args!("[personal]"))
            .field("withheld", &self.withheld)
            .field("version", &::core::format_args!("[personal]"))
            .field("number_replaced", &::core::format_args!("[personal]"))
            .field("answer_time", &self.answer_time)
            .field("valid_until", &self.valid_until)
            .field("decision_id", &self.decision_id)
            .field("policy_revision", &self.policy_revision)
            .field("request_id", &self.request_id)
            .finish()
    }
}

impl ::core::fmt::Debug for crate::identity::v1::MemberOfHousehold {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("MemberOfHousehold")
            .field("token", &::core::format_args!("[personal]"))
            .field("head", &::core::format_args!("[personal]"))
            .field("evidence", &::core::format_args!("[personal]"))
            .field("items", &self.items)
            .field("provenance", &self.provenance)
            .finish()
    }
}

impl ::core::fmt::Debug for crate::identity::v1::UnitCode {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("UnitCode")
            .field("code", &::core::format_args!("[personal]"))
            .field("units_version", &self.units_version)
            .finish()
    }
}

impl ::core::fmt::Debug for crate::identity::v1::FurtherFacts {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("FurtherFacts")
            .field("sex", &self.sex)
            .field("native_province", &self.native_province)
            .field("permanent_commune", &self.permanent_commune)
            .field("parent_full_name", &::core::format_args!("[personal]"))
            .finish()
    }
}

impl ::core::fmt::Debug for crate::identity::v1::ResolvePersonRequest {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("ResolvePersonRequest")
            .field("full_name", &::core::format_args!("[personal]"))
            .field("date_of_birth", &self.date_of_birth)
            .field("further", &self.further)
            .field("basis", &self.basis)
            .field("request_id", &self.request_id)
            .field("min_version", &self.min_version)
            .finish()
    }
}

impl ::core::fmt::Debug for crate::identity::v1::ResolvePersonAnswer {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("ResolvePersonAnswer")
            .field("outcome", &::core::format_args!("[personal]"))
            .field("token", &::core::format_args!("[personal]"))
            .field("name_level", &::core::format_args!("[personal]"))
            .field("answer_time", &self.answer_time)
            .field("decision_id", &self.decision_id)
            .field("policy_revision", &self.policy_revision)
            .field("request_id", &self.request_id)
            .finish()
    }
}

impl ::core::fmt::Debug for crate::identity::v1::SearchPersonsRequest {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("SearchPersonsRequest")
            .field("full_name", &::core::format_args!("[personal]"))
            .field("name_level", &self.name_level)
            .field("birth_year_from", &::core::format_args!("[personal]"))
            .field("birth_year_to", &::core::format_args!("[personal]"))
            .field("sex", &self.sex)
            .field("native_province", &self.native_province)
            .field("basis", &self.basis)
            .field("request_id", &self.request_id)
            .field("cursor", &::core::format_args!("[personal]"))
            .field("page_size", &self.page_size)
            .field("min_version", &self.min_version)
            .finish()
    }
}

impl ::core::fmt::Debug for crate::identity::v1::SearchPersonsAnswer {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("SearchPersonsAnswer")
            .field("listed", &::core::format_args!("[personal]"))
            .field("next_cursor", &::core::format_args!("[personal]"))
            .field("truncated", &::core::format_args!("[personal]"))
            .field("answer_time", &self.answer_time)
            .field("decision_id", &self.decision_id)
            .field("policy_revision", &self.policy_revision)
            .field("request_id", &self.request_id)
            .finish()
    }
}

impl ::core::fmt::Debug for crate::identity::v1::FoundPerson {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("FoundPerson")
            .field("token", &::core::format_args!("[personal]"))
            .field("name_level", &::core::format_args!("[personal]"))
            .finish()
    }
}

impl ::core::fmt::Debug for crate::policy::v1::SubjectFact {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("SubjectFact")
            .field("fact", &self.fact)
            .field("holds", &::core::format_args!("[personal]"))
            .finish()
    }
}

impl ::core::fmt::Debug for crate::policy::v1::Warrant {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("Warrant")
            .field("token", &::core::format_args!("[personal]"))
            .field("expire_time", &self.expire_time)
            .field("items", &self.items)
            .finish()
    }
}

impl ::core::fmt::Debug for crate::register::v1::FollowedChange {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("FollowedChange")
            .field("token", &::core::format_args!("[personal]"))
            .field("version", &::core::format_args!("[personal]"))
            .field("items", &::core::format_args!("[personal]"))
            .field("known_time", &self.known_time)
            .field("kind", &::core::format_args!("[personal]"))
            .field("bulk_job", &self.bulk_job)
            .field("surviving_token", &::core::format_args!("[personal]"))
            .finish()
    }
}

impl ::core::fmt::Debug for crate::register::v1::ListVisibleRequest {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("ListVisibleRequest")
            .field("persons", &::core::format_args!("[personal]"))
            .field("connection", &self.connection)
            .finish()
    }
}

impl ::core::fmt::Debug for crate::register::v1::ListVisibleAnswer {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("ListVisibleAnswer")
            .field("visible_persons", &::core::format_args!("[personal]"))
            .finish()
    }
}

impl ::core::fmt::Debug for crate::register::v1::apply_request::Subject {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.write_str("[personal]")
    }
}

impl ::core::fmt::Debug for crate::register::v1::ApplyRequest {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("ApplyRequest")
            .field("contribution_id", &self.contribution_id)
            .field("digest", &::core::format_args!("[personal]"))
            .field("source", &self.source)
            .field("assertions", &self.assertions)
            .field("connection", &self.connection)
            .field("dry_run", &self.dry_run)
            .field("expected_version", &::core::format_args!("[personal]"))
            .field("event", &self.event)
            .field("further_persons", &self.further_persons)
            .field("subject", &self.subject)
            .finish()
    }
}

impl ::core::fmt::Debug for crate::register::v1::NewPerson {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("NewPerson")
            .field("number_prefix", &::core::format_args!("[personal]"))
            .field("source_entry", &::core::format_args!("[personal]"))
            .finish()
    }
}

impl ::core::fmt::Debug for crate::register::v1::KnownPerson {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("KnownPerson")
            .field("subject", &self.subject)
            .field("claims", &self.claims)
            .field("source_entry", &::core::format_args!("[personal]"))
            .field("corrects", &self.corrects)
            .finish()
    }
}

impl ::core::fmt::Debug for crate::register::v1::Decided {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("Decided")
            .field("item", &self.item)
            .field("contribution_id", &self.contribution_id)
            .field("against_contribution_id", &self.against_contribution_id)
            .field("accepted", &self.accepted)
            .field("person", &::core::format_args!("[personal]"))
            .finish()
    }
}

impl ::core::fmt::Debug for crate::register::v1::Applied {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("Applied")
            .field("version", &self.version)
            .field("issued_number", &::core::format_args!("[personal]"))
            .field("known_time", &self.known_time)
            .field("outranked_items", &::core::format_args!("[personal]"))
            .field("disagreements", &self.disagreements)
            .field("settled_disagreements", &self.settled_disagreements)
            .finish()
    }
}

impl ::core::fmt::Debug for crate::register::v1::Disagreement {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("Disagreement")
            .field("person", &::core::format_args!("[personal]"))
            .field("item", &self.item)
            .field("contribution_id", &self.contribution_id)
            .field("source", &self.source)
            .field("against_contribution_id", &self.against_contribution_id)
            .field("against_source", &self.against_source)
            .finish()
    }
}
