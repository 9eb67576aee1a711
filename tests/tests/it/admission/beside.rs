//! The operator's registry file beside what officers admit: each takes the place of its own alone.

use policy::domain::registry::{Connection, State};

use super::*;

on_both_engines!(
    the_file_does_not_touch_what_officers_admitted,
    the_file_is_refused_where_it_names_what_officers_admitted,
    officers_do_not_admit_what_the_file_has,
);

async fn the_file_does_not_touch_what_officers_admitted(engine: Engine) {
    let office = Office::open(engine).await;
    let (caller, lookup) = (office.caller(), office.lookup());
    office.admitted().await;
    // The agency is not in the file, and the file changes.
    let mut registry = office.registry(time::macros::date!(2027 - 06 - 01));
    registry.connections[0].state = State::Suspended;
    office.whole.apply_registry(&registry).await;
    let before = answered(&caller, &lookup).await.answer.policy_revision;
    // A move is another revision, and the file of before is no reason to go back.
    office.moves("operator", suspend("violation")).await;
    office.moves("second-registrar", Move::Resume(Resumption {})).await;
    office.whole.hands.step(time::Duration::seconds(61));
    assert_ne!(answered(&caller, &lookup).await.answer.policy_revision, before);
    // A start with the file, which has its agreement by now, is none either.
    let file = office.whole.settings().policy.registry_file.clone();
    let agreement = format!(
        "\n[[agreement]]\nid = \"{AGREEMENT}\"\nconnection = \"{ID}\"\nvalid_from = \"2026-01-01\"\n\
         valid_to = \"2027-06-01\"\n\n[[agreement.grant]]\naction = \"obtain\"\n\
         procedure = \"child-health-insurance-card\"\nlegal_basis = \"1911-2021-art-2-1\"\n\
         items = [\"birth_full_name\"]\n"
    );
    let text = std::fs::read_to_string(&file).unwrap() + &agreement;
    std::fs::write(&file, text).unwrap();
    let Office { whole, requests } = office;
    let office = Office { whole: whole.restarted(&[]).await, requests };
    answered(&office.caller(), &lookup).await;
    let version = office.get("auditor").await.unwrap().answer.admission.unwrap().version;
    assert_eq!(version, 8);
    office.close().await;
}

async fn the_file_is_refused_where_it_names_what_officers_admitted(engine: Engine) {
    let office = Office::open(engine).await;
    let (caller, lookup) = (office.caller(), office.lookup());
    office.admitted().await;
    let good = office.registry(time::macros::date!(2027 - 06 - 01));
    let connection = |id: &str, agency: &str, system: &str| Connection {
        id: id.to_owned(),
        agency: agency.to_owned(),
        system: system.to_owned(),
        ..good.connections[0].clone()
    };
    let agency = policy::domain::registry::Agency {
        code: AGENCY.to_owned(),
        vi: "Cơ quan mẫu".to_owned(),
        en: "Example agency".to_owned(),
    };
    for taken in
        [connection(ID, &good.agencies[0].code, "khac"), connection("khac", AGENCY, SYSTEM)]
    {
        let mut bad = good.clone();
        bad.agencies.push(agency.clone());
        bad.connections.push(taken);
        assert!(office.whole.all.policy().apply_registry(&bad).await.is_err());
        answered(&caller, &lookup).await;
    }
    let mut unknown = good.clone();
    unknown.agreements[0].connection = "nobody".to_owned();
    assert!(office.whole.all.policy().apply_registry(&unknown).await.is_err());
    // It may know the agency, under its own name.
    let mut named = good;
    named.agencies.push(agency);
    office.whole.apply_registry(&named).await;
    answered(&caller, &lookup).await;
    office.close().await;
}

async fn officers_do_not_admit_what_the_file_has(engine: Engine) {
    let office = Office::open(engine).await;
    let taken = office.whole.registry().connections[0].clone();
    let same = ConnectionApplication {
        agency: taken.agency.clone(),
        system: taken.system.clone(),
        ..application()
    };
    let refused = office.is_refused("operator", Move::Apply(same)).await;
    assert_eq!(missing(&refused), ["HELD_ELSEWHERE"]);
    let request = MoveConnectionRequest {
        connection: taken.id,
        ..office.request(Move::Apply(application())).await
    };
    let refused =
        office.officer("operator").move_connection(&request).await.unwrap().err().unwrap();
    assert_eq!(missing(&refused), ["HELD_ELSEWHERE"]);
    // Nor what another admission has.
    office.moves("operator", Move::Apply(application())).await;
    let request = MoveConnectionRequest {
        connection: "another".to_owned(),
        expected_version: 0,
        ..office.request(Move::Apply(application())).await
    };
    let refused =
        office.officer("operator").move_connection(&request).await.unwrap().err().unwrap();
    assert_eq!(missing(&refused), ["HELD_ELSEWHERE"]);
    let refused = office.is_refused("operator", Move::Apply(application())).await;
    assert_eq!(missing(&refused), ["ALREADY_APPLIED"]);
    office.close().await;
}
