//! Annulments of what was sent before.

use contract::contribution::v1::SubmitContributionRequest;
use rand::Rng as _;
use tests::events::annulment;

use super::{Annulled, Round, Running, Sent, kept, submit};

/// An annulment of something that was sent.
pub(super) struct Annulment {
    /// Whom that was about, with which items, and who sent it.
    pub(super) who: Vec<usize>,
    pub(super) items: Vec<String>,
    pub(super) client: &'static str,
    /// The key of what is annulled.
    pub(super) key: String,
    pub(super) request: SubmitContributionRequest,
    /// For which reason the oracle refuses it, if it does: of each person whom it is about.
    pub(super) refused: Option<&'static str>,
}

impl<R: Running> Round<R> {
    /// Something that was sent is annulled, if it counts: a contribution, or what annulled one.
    pub(super) async fn annuls(&mut self) {
        if self.sent.is_empty() {
            return;
        }
        let place = self.random.random_range(0..self.sent.len());
        let Annulment { who, items, client, key, request, refused } = self.annulment(place);
        let came = submit(&self.whole.contributes(client), &request).await;
        match &came {
            Ok(answered) => {
                assert_eq!(refused, None, "{key} was annulled, and must not be");
                self.annul(&who, &key, &request.idempotency_key);
                self.taken(&who, &answered.answer);
            }
            Err(error) => {
                assert_eq!(error.unmet[0].0, refused.unwrap_or_default(), "{key}: {error:?}");
            }
        }
        self.sent.push(Sent { who: who.clone(), items, client, request, came: kept(came) });
        for who in who {
            self.compare(who, None, None).await;
        }
    }

    /// The annulment of what was sent at a place.
    pub(super) fn annulment(&mut self, place: usize) -> Annulment {
        let earlier = &self.sent[place];
        let (who, items, client) = (earlier.who.clone(), earlier.items.clone(), earlier.client);
        let key = earlier.request.idempotency_key.clone();
        let counts = earlier.came.is_ok() && self.persons[who[0]].counts(&key, usize::MAX);
        let by = format!("m-{}", self.sent.len());
        let named: Vec<&str> = items.iter().map(String::as_str).collect();
        let mut request = annulment(&by, "", key.trim_start_matches("key:"), &named);
        request.basis.clone_from(&earlier.request.basis);
        // What it brings back must not be a second spouse.
        let living = |round: &Self| who.iter().map(|who| round.living_spouses(*who)).collect();
        let before: Vec<usize> = living(self);
        self.annul(&who, &key, &request.idempotency_key);
        let after: Vec<usize> = living(self);
        for who in &who {
            self.persons[*who].annulled.pop();
        }
        let bigamy = after.iter().zip(before).any(|(after, before)| *after > 1 && *after > before);
        let refused = match (counts, bigamy) {
            (false, _) => Some("NOTHING_TO_ANNUL"),
            (true, true) => Some("ALREADY_MARRIED"),
            (true, false) => None,
        };
        Annulment { who, items, client, key, request, refused }
    }

    /// The oracle hears of an annulment.
    pub(super) fn annul(&mut self, who: &[usize], key: &str, by: &str) {
        for who in who {
            let annulled = Annulled { key: key.to_owned(), by: by.to_owned(), place: self.said };
            self.persons[*who].annulled.push(annulled);
        }
    }
}
