//! What a grant demands of whoever uses it: the key, the unit, the direction, its own days.

use contract::policy::v1::AgreementDelegation;

use super::*;

on_both_engines!(
    a_grant_to_a_key_serves_that_key_alone,
    a_one_stop_system_acts_for_whoever_delegates_to_it,
    a_grant_by_direction_serves_the_direction_that_it_names,
    a_grant_ends_on_its_own_day,
    i2_the_registry_file_leaves_what_was_signed_alone,
    i2_a_signed_grant_without_its_terms_grants_nothing,
);

/// The rule by which a lookup is refused; none where it is answered.
async fn rule(
    office: &Office,
    by: &lienthong::client::Client,
    lookup: &GetPersonRequest,
) -> Option<String> {
    match by.get_person(lookup).await.unwrap() {
        Ok(answered) => {
            answered.verify(&office.whole.log).unwrap();
            None
        }
        Err(refused) => Some(refused.get("rule").unwrap().to_owned()),
    }
}

async fn a_grant_to_a_key_serves_that_key_alone(engine: Engine) {
    let office = Office::opened(engine).await;
    let grant = AgreementGrant { client_keys: vec![office.consumer().thumbprint()], ..prefill() };
    office.agreed(&office.drafted(FIRST, vec![grant])).await;
    let lookup = office.prefilled();
    assert_eq!(rule(&office, &office.caller(), &lookup).await, None);
    // The same system by another certificate with another key.
    let path = format!("/agency/{AGENCY}/system/{SYSTEM}");
    let other = office.whole.client_with(&office.whole.issue("cong-moi", &path));
    assert_eq!(rule(&office, &other, &lookup).await.as_deref(), Some("key-not-granted"));
    assert_eq!(rule(&office, &office.caller(), &lookup).await, None);
    office.close().await;
}

async fn a_one_stop_system_acts_for_whoever_delegates_to_it(engine: Engine) {
    let office = Office::opened(engine).await;
    let commune = Signer(office.whole.issue("xa", "/agency/Z10.TEST/system/xa"));
    let district = Signer(office.whole.issue("huyen", "/agency/Z11.TEST/system/huyen"));
    let mut draft = office.drafted(FIRST, vec![prefill()]);
    draft.parties.push(commune.party(AgreementRole::Delegator, "Z10.TEST", &["Z10.TEST.1"]));
    draft.parties.push(district.party(
        AgreementRole::Delegator,
        "Z11.TEST",
        &["Z11.TEST.1", "Z11.TEST.2"],
    ));
    let leads =
        |from: &str, to: &str| AgreementDelegation { from: from.to_owned(), to: to.to_owned() };
    draft.delegations = vec![leads("Z10.TEST", "Z11.TEST"), leads("Z11.TEST", AGENCY)];
    let recipients = [UNIT, "Z10.TEST.1", "Z11.TEST.1"].map(str::to_owned).to_vec();
    draft.grants[0].recipients = recipients;
    // Nothing is agreed before whoever delegates has signed as well.
    office.agreed(&draft).await;
    let as_unit = |unit: &str| {
        let mut lookup = office.prefilled();
        lookup.basis.as_mut().unwrap().acting_unit = unit.to_owned();
        lookup
    };
    let caller = office.caller();
    let asks = async |unit: &str| rule(&office, &caller, &as_unit(unit)).await;
    assert_eq!(asks(UNIT).await.as_deref(), Some("no-agreement"));
    office.accepted(&draft, &commune).await;
    assert_eq!(asks(UNIT).await.as_deref(), Some("no-agreement"));
    office.accepted(&draft, &district).await;
    for unit in [UNIT, "Z10.TEST.1", "Z11.TEST.1"] {
        assert_eq!(asks(unit).await, None, "{unit}");
    }
    // A unit that delegates but is no recipient, and one that nobody named.
    for unit in ["Z11.TEST.2", "Z12.TEST"] {
        assert_eq!(asks(unit).await.as_deref(), Some("unit-not-granted"), "{unit}");
    }
    // One that delegates ends it for all.
    let revoke = commune.says(&draft.encode_to_vec(), AgreementStatement::Revoke);
    office.made(FIRST, Move::Sign(revoke)).await;
    assert_eq!(asks(UNIT).await.as_deref(), Some("no-agreement"));
    office.close().await;
}

async fn a_grant_by_direction_serves_the_direction_that_it_names(engine: Engine) {
    let office = Office::opened(engine).await;
    let grant = AgreementGrant {
        legal_basis: "1911-2021-art-2-4".to_owned(),
        direction: "7/CT-TEST".to_owned(),
        ..prefill()
    };
    office.agreed(&office.drafted(FIRST, vec![grant])).await;
    let caller = office.caller();
    let by = |direction: &str| {
        let mut lookup = office.prefilled();
        let basis = lookup.basis.as_mut().unwrap();
        basis.legal_basis = "1911-2021-art-2-4".to_owned();
        basis.direction_reference = direction.to_owned();
        lookup
    };
    for other in ["", "8/CT-TEST"] {
        let refused = rule(&office, &caller, &by(other)).await;
        assert_eq!(refused.as_deref(), Some("direction-not-granted"), "{other}");
    }
    assert_eq!(rule(&office, &caller, &by("7/CT-TEST")).await, None);
    office.close().await;
}

async fn a_grant_ends_on_its_own_day(engine: Engine) {
    let office = Office::opened(engine).await;
    let grant = AgreementGrant { valid_to: "2026-11-26".to_owned(), ..prefill() };
    office.agreed(&office.drafted(FIRST, vec![grant])).await;
    let (caller, lookup) = (office.caller(), office.prefilled());
    assert_eq!(rule(&office, &caller, &lookup).await, None);
    office.whole.hands.step(time::Duration::days(1));
    assert_eq!(rule(&office, &caller, &lookup).await, None);
    office.whole.hands.step(time::Duration::days(1));
    assert_eq!(rule(&office, &caller, &lookup).await.as_deref(), Some("no-agreement"));
    assert_eq!(office.shown(FIRST).await.state(), AgreementState::InForce);
    office.close().await;
}

/// A changed registry file, and a start with it, touch nothing of what was signed.
async fn i2_the_registry_file_leaves_what_was_signed_alone(engine: Engine) {
    let office = Office::opened(engine).await;
    office.agreed(&office.drafted(FIRST, vec![prefill()])).await;
    let mut registry = office.whole.registry();
    registry.agreements.pop();
    office.whole.apply_registry(&registry).await;
    assert_eq!(rule(&office, &office.caller(), &office.prefilled()).await, None);
    let office = office.restarted().await;
    assert_eq!(rule(&office, &office.caller(), &office.prefilled()).await, None);
    office.close().await;
}

/// Were the terms lost, as no statement of ours loses them, nothing is decided rather than granted on none.
async fn i2_a_signed_grant_without_its_terms_grants_nothing(engine: Engine) {
    let office = Office::opened(engine).await;
    office.agreed(&office.drafted(FIRST, vec![prefill()])).await;
    assert_eq!(rule(&office, &office.caller(), &office.prefilled()).await, None);
    let office = office.changed(&["DELETE FROM agreement_terms"]).await;
    let refused = refused(&office.caller(), &office.prefilled()).await;
    assert_eq!(why(&refused), ("Unavailable", "POLICY_UNAVAILABLE"));
    office.close().await;
}
