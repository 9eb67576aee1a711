//! Which law lists the items: what is known under each, and that nothing is allowed on a day on
//! which that law is not in force.

use super::*;

/// Noon in Viet Nam, under Decision 1911/QD-TTg and the law of 2014.
const THEN: OffsetDateTime = datetime!(2023-06-01 05:00 UTC);
/// The last second of the law of 2014, and the first moment of the law of 2023.
const LAST: OffsetDateTime = datetime!(2024-06-30 16:59:59 UTC);
const FIRST: OffsetDateTime = datetime!(2024-06-30 17:00 UTC);
const LAW_2014: &str = "Law 59/2014/QH13, Art. 9(1)";
const LAW_2023: &str = "Law 26/2023/QH15, Art. 9";

/// A service under a legal profile, on what is stored already.
async fn under(database: &TestDatabase, profile: LegalProfile, now: OffsetDateTime) -> Service {
    start_anew(&Config { legal_profile: profile, ..config(database, now) }, now).await
}

/// A service of the law of 2014, on a new database.
async fn under_2014(engine: Engine, now: OffsetDateTime) -> (TestDatabase, Service) {
    let database = TestDatabase::new(engine).await;
    let service = under(&database, LegalProfile::Law2014, now).await;
    service.apply_registry(&of_2014(sample(), &service)).await.unwrap();
    (database, service)
}

fn asked() -> DecideRequest {
    let items = ["birth_full_name", "personal_id_number"];
    request("G24", "health-insurance", "child-health-insurance-card", &items)
}

#[tokio::test]
async fn under_the_law_of_2014_its_items_are_known_and_no_others() {
    for engine in ENGINES {
        let (_database, service) = under_2014(engine, THEN).await;
        let response = decide(&service, asked()).await;
        let (basis, rule) = ("1911-2021-art-2-1", "shared-for-assigned-tasks");
        let (unknown, law) = (ItemEffect::UnknownItem, "law-59-2014-art-9-1");
        assert_eq!(
            ordinary(&response),
            [
                decided("birth_full_name", ItemEffect::Allowed, rule, basis, SHARING),
                decided("personal_id_number", unknown, "item-catalogue", law, LAW_2014),
            ]
        );
        assert_eq!(response.agreement, "agr-health-cards");
        assert_eq!(service.app.in_force.last().catalogue.items().len(), 16);
    }
}

#[tokio::test]
async fn i2_the_law_of_2014_allows_to_its_last_day_and_nothing_afterwards() {
    for engine in ENGINES {
        let (database, service) = under_2014(engine, LAST).await;
        let last = decide(&service, asked()).await;
        ordinary(&last);
        // The decision ends with the law.
        assert_eq!(last.valid_until.unwrap().seconds, FIRST.unix_timestamp());
        service.close().await;
        for now in [FIRST, NOW] {
            let service = under(&database, LegalProfile::Law2014, now).await;
            let contribute = contributing(asked(), "birth");
            let stranger = request("G99", "other", "of-nowhere", &["sex"]);
            let direction = with_basis(asked(), |basis| {
                basis.legal_basis = "1911-2021-art-2-4".into();
                basis.direction_reference = "CD-1".into();
            });
            for request in [asked(), contribute, stranger, direction] {
                let (reason, rule) = (ErrorReason::BasisNotInForce, "legal-profile-not-in-force");
                denied(&service, request, reason, rule, LAW_2014).await;
            }
            service.close().await;
        }
        // The registry stands: under the law that took its place it decides.
        let service = under(&database, LegalProfile::Law2023, FIRST).await;
        assert_eq!(ordinary(&decide(&service, asked()).await).len(), 2);
    }
}

#[tokio::test]
async fn i2_the_law_of_2023_allows_nothing_before_its_first_day() {
    for engine in ENGINES {
        let (database, service) = under_2014(engine, LAST).await;
        service.close().await;
        let service = under(&database, LegalProfile::Law2023, LAST).await;
        let (reason, rule) = (ErrorReason::BasisNotInForce, "legal-profile-not-in-force");
        denied(&service, asked(), reason, rule, LAW_2023).await;
    }
}

/// The law of 2014 is not enough: before 2021-11-15 the Decision did not stand.
#[tokio::test]
async fn i2_a_law_in_force_does_not_stand_in_for_the_ground_of_the_request() {
    let (database, service) = under_2014(Engine::Sqlite, datetime!(2021-11-14 16:59:59 UTC)).await;
    let reason = ErrorReason::BasisNotInForce;
    denied(&service, asked(), reason, "basis-not-in-force", SHARING).await;
    let service = at(&database, service, datetime!(2021-11-14 17:00 UTC)).await;
    ordinary(&decide(&service, asked()).await);
}

/// An agreement on what the law does not list is refused; where it is stored from before, it grants
/// nothing of it.
#[tokio::test]
async fn what_the_law_does_not_list_cannot_be_granted() {
    for engine in ENGINES {
        let (database, service) = under_2014(engine, THEN).await;
        let error = service.apply_registry(&sample()).await.unwrap_err().to_string();
        let named = "grants `personal_id_number`, which `law-59-2014-art-9-1` does not list";
        assert!(error.contains(named), "{error}");
        let mut wide = of_2014(sample(), &service);
        service.close().await;
        wide.agreements[0].grants[0].items.push("personal_id_number".into());
        let service = under(&database, LegalProfile::Law2023, NOW).await;
        service.apply_registry(&wide).await.unwrap();
        assert_eq!(ordinary(&decide(&service, asked()).await)[1].effect(), ItemEffect::Allowed);
        service.close().await;
        let service = under(&database, LegalProfile::Law2014, THEN).await;
        let items = ordinary(&decide(&service, asked()).await);
        assert_eq!(items[1].effect(), ItemEffect::UnknownItem);
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    policy: Config,
}

#[test]
fn i9_a_legal_profile_that_is_not_there_is_refused() {
    let load = |value: &str| {
        let text = format!("[policy]\nlegal_profile = {value}\n");
        server::config::load::<Settings>(&[DEFAULTS, &text], None)
    };
    // As a number: so it comes from an environment variable.
    for (value, profile) in [
        ("\"2014\"", LegalProfile::Law2014),
        ("2014", LegalProfile::Law2014),
        ("\"2023\"", LegalProfile::Law2023),
        ("2023", LegalProfile::Law2023),
    ] {
        let read = load(value).unwrap().policy;
        assert_eq!(read.legal_profile, profile);
        // As `check-config` shows it.
        assert_eq!(serde_json::to_value(&read).unwrap()["legal_profile"], profile.name());
    }
    for value in ["\"2015\"", "2024", "\"\"", "\" 2023\"", "\"Law2023\"", "true", "[\"2023\"]"] {
        let error = load(value).unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains("legal_profile"), "{value}: {cause}");
    }
}
